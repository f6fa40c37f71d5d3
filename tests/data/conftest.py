"""Folders of small photographs."""

from collections.abc import Callable
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


MakeTree = Callable[..., Path]


@pytest.fixture
def tree(tmp_path: Path) -> MakeTree:
    """Makes a folder of small pictures with these names, none like another."""

    def make(*names: str, root: str = "set", size: tuple[int, int] = (8, 10)) -> Path:
        for name in names:
            path = tmp_path / root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng([*name.encode()]).integers(0, 256, (3, *size)) / 255
            write_picture(Picture(pixels=pixels.astype(np.float32)), path)
        return tmp_path / root

    return make
