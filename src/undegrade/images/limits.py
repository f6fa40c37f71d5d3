"""How much a file may ask for before anything of it is decoded."""

from __future__ import annotations

from dataclasses import dataclass, fields

from undegrade.errors import UndegradeError

GIGAPIXEL = 10**9


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The largest file that is accepted; each limit can be moved, none can be switched off.

    Args:
        max_pixels: width times height, over all pages.
        max_pages: of a TIFF file.
        max_profile: bytes of the ICC profile.
        max_metadata: bytes of EXIF, XMP, IPTC and comments, each kind by itself, unpacked.

    Raises:
        UndegradeError: a limit is no whole number above 0.
    """

    max_pixels: int = GIGAPIXEL
    max_pages: int = 1000
    max_profile: int = 16 << 20
    max_metadata: int = 16 << 20

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise UndegradeError(f"{entry.name}: {value!r}; expected a whole number of 1 or more")


LIMITS = Limits()
