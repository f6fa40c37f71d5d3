"""Pictures as they are gone through here: in bands, from top to bottom."""

from __future__ import annotations

from typing import Protocol

from undegrade.images.picture import Picture
from undegrade.inference.backend import Pixels


class Rows(Protocol):
    """A picture that is read in bands, from top to bottom."""

    height: int  # pixels
    width: int  # pixels

    @property
    def gray(self) -> bool:
        """Whether it has one channel of colour."""

    def pixels(self, top: int, left: int, height: int, width: int) -> Pixels:
        """This part, (3, height, width) in [0, 1]."""

    def rewind(self) -> None:
        """Begin at the top again."""


class Held:
    """The rows of a picture in memory."""

    def __init__(self, picture: Picture) -> None:
        self.picture = picture
        _, self.height, self.width = picture.pixels.shape

    @property
    def gray(self) -> bool:
        """Whether it has one channel of colour."""
        return self.picture.gray

    def pixels(self, top: int, left: int, height: int, width: int) -> Pixels:
        """This part, (3, height, width) in [0, 1]."""
        return self.picture.pixels[:, top : top + height, left : left + width]

    def rewind(self) -> None:
        """Nothing has to be done."""
