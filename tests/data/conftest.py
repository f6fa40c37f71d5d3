"""Folders of small photographs."""

from pathlib import Path

import numpy as np
import pytest

from undegrade.images import Picture, write_picture


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures of 40 x 52 pixels, none like another, lossless."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(12):
        coarse = np.random.default_rng(number).random((3, 10, 13)).astype(np.float32)
        write_picture(
            Picture(pixels=np.round(coarse.repeat(4, 1).repeat(4, 2) * 255) / 255), folder / f"{number:02}.png"
        )
    return folder
