from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from undegrade.images import Picture, write_picture

Photo = NDArray[np.float32]


def draw_photo(seed: int = 0, height: int = 60, width: int = 50) -> Photo:
    """Coloured squares, in 8 bits."""
    coarse = np.random.default_rng(seed).random((3, -(-height // 5), -(-width // 5))).astype(np.float32)
    photo = 0.1 + 0.8 * coarse.repeat(5, 1).repeat(5, 2)[:, :height, :width]
    return np.float32(np.round(photo * 255) / 255)


@pytest.fixture
def photo() -> Callable[..., Photo]:
    return draw_photo


@pytest.fixture
def clean_set(tmp_path: Path) -> Path:
    """Three clean pictures."""
    folder = tmp_path / "few"
    folder.mkdir()
    for seed in range(3):
        write_picture(Picture(pixels=draw_photo(seed)), folder / f"p{seed}.png")
    return folder


@pytest.fixture
def pair_set(tmp_path: Path) -> Path:
    """Two pairs; the degraded ones are dark."""
    folder = tmp_path / "dark"
    for part, light in (("input", 0.5), ("target", 1)):
        (folder / part).mkdir(parents=True)
        for seed in range(2):
            pixels = np.float32(draw_photo(seed) * light)
            write_picture(Picture(pixels=pixels), folder / part / f"p{seed}.png")
    return folder
