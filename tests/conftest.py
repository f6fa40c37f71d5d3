"""A tiny model and small pictures that every test may ask for."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from undegrade.images import Picture, write_picture
from undegrade.inference.export import export
from undegrade.networks import UniversalRestorer
from undegrade.networks.checkpoint import save_checkpoint
from undegrade.recipes import RECIPES
from undegrade.training.run import build


def tiny_network(answer: str) -> UniversalRestorer:
    """Width 8, untrained, changes every picture a little, and always gives the same `answer`."""
    model = build(RECIPES["universal-small-debug"]())
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in model.network.named_parameters():
            if name.endswith(("beta", "gamma")):
                weight.copy_(torch.randn(weight.shape, generator=rng) * 0.2)
            elif "ending" in name:
                weight.copy_(torch.randn(weight.shape, generator=rng) * 0.02)
        model.classifier.fc.weight.mul_(0.1)
        model.classifier.fc.bias.zero_()
        model.classifier.fc.bias[model.labels.index(answer)] = 6
    return model.eval()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that finds rain in everything."""
    path = tmp_path_factory.mktemp("checkpoint") / "tiny.safetensors"
    save_checkpoint(tiny_network("rain"), path)
    return path


@pytest.fixture(scope="session")
def model(checkpoint: Path) -> Path:
    """`checkpoint`, exported."""
    path = checkpoint.with_suffix(".xml")
    export(checkpoint, path)
    return path


@pytest.fixture(scope="session")
def contented_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported model that finds nothing wrong with anything."""
    path = tmp_path_factory.mktemp("contented") / "contented.xml"
    save_checkpoint(tiny_network("clean"), path.with_suffix(".safetensors"))
    export(path.with_suffix(".safetensors"), path)
    return path


@pytest.fixture(scope="session")
def scene() -> Callable[[int, int], NDArray[np.float32]]:
    """Makes (3, height, width) in [0.1, 0.9] on 8-bit levels: gradients with an edge and some grain."""

    def make(height: int, width: int) -> NDArray[np.float32]:
        down, across = np.mgrid[0:height, 0:width].astype(np.float32)
        planes = np.stack([down / height, across / width, (down + across) / (height + width)])
        planes[:, height // 4 : height // 2] *= 0.5
        planes += np.random.default_rng(0).normal(0, 0.02, planes.shape)
        return np.float32(np.round((0.1 + 0.8 * planes).clip(0.1, 0.9) * 255) / 255)

    return make


@pytest.fixture
def photo_file(tmp_path: Path, scene: Callable[[int, int], NDArray[np.float32]]) -> Path:
    """A PNG of 45 x 70 pixels, alone in its folder."""
    path = tmp_path / "in" / "photo.png"
    path.parent.mkdir()
    write_picture(Picture(pixels=scene(45, 70)), path)
    return path
