"""The model that undegrade ships, on the photos that it ships."""

from pathlib import Path

import numpy as np
import pytest
import torch

import undegrade
from undegrade.images import read_picture
from undegrade.inference.backends import OpenVinoBackend
from undegrade.inference.models import MODELS, WEIGHTS
from undegrade.metrics import psnr
from undegrade.networks.checkpoint import load_checkpoint, read_header

EXAMPLES = Path(__file__).parents[2] / "examples"
# Spoiled example, the least gain in dB that restoring it has to bring.
SPOILED = (("cat-noisy.png", 4.0),)


@pytest.mark.parametrize("name", MODELS)
def test_checkpoint_and_export_are_small_and_belong_together(name: str) -> None:
    checkpoint = WEIGHTS / f"{name}.safetensors"
    assert checkpoint.stat().st_size <= 8_000_000
    assert MODELS[name].path.with_suffix(".bin").stat().st_size <= 8_000_000
    backend = OpenVinoBackend(MODELS[name].path)
    assert list(backend.labels) == read_header(checkpoint)["labels"]
    assert read_header(checkpoint)["sha256"] in MODELS[name].path.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_export_agrees_with_torch(name: str) -> None:
    picture = read_picture(EXAMPLES / "cat-noisy.png").pixels[:, :192, :208]
    model = load_checkpoint(WEIGHTS / f"{name}.safetensors")
    with torch.inference_mode():
        expected, logits = model(torch.from_numpy(picture)[None].contiguous())
    restored, found = OpenVinoBackend(MODELS[name].path, precision="f32").run(picture)
    assert psnr(restored.clip(0, 1), expected[0].numpy().clip(0, 1)) > 50
    np.testing.assert_allclose(found, logits[0].numpy(), atol=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "gain"), SPOILED)
def test_spoiled_example_gets_better(name: str, gain: float) -> None:
    clean = read_picture(EXAMPLES / "cat-well.png").pixels
    spoiled = read_picture(EXAMPLES / name).pixels
    result = undegrade.restore(EXAMPLES / name)
    restored = np.moveaxis(np.asarray(result.image), 2, 0).astype(np.float32) / 255
    assert result.changed
    assert result.diagnosis.label == "noise"
    assert psnr(restored, clean) > psnr(spoiled, clean) + gain


@pytest.mark.slow
def test_healthy_example_is_left_alone() -> None:
    result = undegrade.restore(EXAMPLES / "cat-well.png")
    assert not result.changed
    assert result.diagnosis.healthy
