"""The published networks' outputs, and the rule by which their weights were drawn.

`goldens/parameters.json` holds the published names and shapes. Each `.npz` holds what the published code answered, in
float32, to weights drawn by `drawn_weights` and to the picture of `picture`.
"""

import json
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from undegrade.networks.published import Weights, recognise

GOLDENS = Path(__file__).parent / "goldens"

Arrays = dict[str, NDArray[np.float32]]


@cache
def _shapes() -> dict[str, dict[str, list[int]]]:
    shapes: dict[str, dict[str, list[int]]] = json.loads((GOLDENS / "parameters.json").read_text())
    return shapes


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Arrays]:
    """The published outputs of that name."""

    def load(name: str) -> Arrays:
        with np.load(GOLDENS / f"{name}.npz") as arrays:
            return dict(arrays)

    return load


@pytest.fixture(scope="session")
def published_shapes() -> Callable[[str], dict[str, tuple[int, ...]]]:
    """Every parameter of the published network of that name, and its shape."""
    return lambda name: {key: tuple(shape) for key, shape in _shapes()[name].items()}


@pytest.fixture(scope="session")
def drawn_weights() -> Callable[[str], dict[str, Tensor]]:
    """The weights behind the published outputs: drawn from a seed that is the CRC of the published name."""

    def draw(key: str, shape: list[int]) -> Tensor:
        values = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape)
        if key.endswith("running_var"):
            values = 1 + 0.1 * np.abs(values)
        elif len(shape) >= 2:
            values = values / np.sqrt(np.prod(shape[1:]))
        elif key.endswith("weight"):
            values = 1 + 0.1 * values
        else:
            values = 0.1 * values
        return torch.from_numpy(np.asarray(values, np.float32))

    return lambda name: {key: draw(key, shape) for key, shape in _shapes()[name].items()}


@pytest.fixture(scope="session")
def our_weights(drawn_weights: Callable[[str], dict[str, Tensor]]) -> Callable[[str], dict[str, Tensor]]:
    """The same by our names and in our shapes, as `undegrade import` finds them out."""
    return lambda name: recognise(Weights(path=Path(name), tensors=drawn_weights(name))).tensors


@pytest.fixture(scope="session")
def picture() -> Callable[..., Tensor]:
    """The picture (1, 3, H, W), or of another number of channels, that the published networks were given."""
    return lambda height, width, channels=3, seed=0: torch.from_numpy(
        np.random.default_rng(seed).random((1, channels, height, width), dtype=np.float32)
    )


@pytest.fixture(scope="session")
def deviation() -> Callable[[Tensor, NDArray[np.float32]], float]:
    """The largest difference, relative to the largest published value."""
    return lambda ours, published: float(np.abs(ours.numpy() - published).max() / np.abs(published).max())
