"""The cosine transform of squares, and of colours, is one, and can be turned back."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from undegrade.images import read_picture
from undegrade.transform import cosines, shrunk, squares, turned, turned_back

Pixels = NDArray[np.float32]


@pytest.fixture(scope="module")
def photo() -> Pixels:
    return read_picture(Path(__file__).parents[1] / "examples" / "cat-well.png").pixels


def test_colours_are_turned_and_turned_back(photo: Pixels) -> None:
    planes = turned(photo)
    np.testing.assert_allclose(planes[0], photo.sum(0) / np.sqrt(3), atol=1e-5)
    np.testing.assert_allclose(turned_back(planes), photo, atol=1e-5)


def test_squares_are_those_of_the_cosine_transform(photo: Pixels) -> None:
    found = squares(photo, 8)
    assert found.shape == (3, photo.shape[1] // 8, 8, photo.shape[2] // 8, 8)
    block = photo[1, 8:16, 16:24]
    np.testing.assert_allclose(found[1, 1, :, 2, :], cosines(8) @ block @ cosines(8).T, atol=1e-5)


@pytest.mark.parametrize(("size", "step"), [(8, 4), (16, 4), (8, 8)])
def test_what_is_not_shrunk_stays(photo: Pixels, size: int, step: int) -> None:
    odd = photo[:, :77, :90]
    np.testing.assert_allclose(shrunk((odd,), np.ones_like, size=size, step=step), odd, atol=1e-5)
