"""The model that undegrade ships, on the photos that it ships."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import undegrade
from undegrade.degradations import DEGRADATIONS, parse, replay
from undegrade.diagnosis import OwnJudge, Wish
from undegrade.diagnosis.evidence import NUM_EVIDENCE
from undegrade.diagnosis.head import STRENGTHS, read_head
from undegrade.images import Picture, read_picture
from undegrade.inference.models import DEFAULT_MODEL, MODELS, calibration_of
from undegrade.inference.openvino import OpenVinoBackend
from undegrade.inference.restorer import Restorer
from undegrade.inference.tiling import OVERLAP, cut
from undegrade.inference.treatment import steered
from undegrade.metrics import psnr, quantise
from undegrade.networks.checkpoint import load_checkpoint, read_header

EXAMPLES = Path(__file__).parents[2] / "examples"
# Spoiled example, the least gain in dB that restoring it has to bring.
SPOILED = (("cat-noisy.png", 4.0),)
LARGEST = {"quality": 12_000_000}  # bytes of the weights of a model; 8 MB of all others


@pytest.mark.parametrize("name", MODELS)
def test_checkpoint_and_export_are_small_and_belong_together(name: str) -> None:
    checkpoint = MODELS[name].path.with_suffix(".safetensors")
    assert max(file.stat().st_size for file in (checkpoint, MODELS[name].path.with_suffix(".bin"))) <= LARGEST.get(
        name, 8_000_000
    )
    backend = OpenVinoBackend(MODELS[name].path)
    assert list(backend.labels) == read_header(checkpoint)["labels"]
    assert read_header(checkpoint)["sha256"] in MODELS[name].path.read_text()


def test_the_default_is_calibrated_for_all_that_the_gate_knows() -> None:
    head = read_head(calibration_of(MODELS[DEFAULT_MODEL].path))
    nothing, facts = np.zeros((1, head.num_context), np.float32), np.zeros((1, NUM_EVIDENCE), np.float32)
    assert head.strengths == STRENGTHS
    for width in (NUM_EVIDENCE, NUM_EVIDENCE - 1):  # one less would not be enough
        same = head.clues(nothing, nothing, facts[:, :width], head.mask(("noise",))[None]).shape[1] == len(head.centre)
        assert same == (width == NUM_EVIDENCE)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_export_agrees_with_torch(name: str) -> None:
    picture = read_picture(EXAMPLES / "cat-noisy.png").pixels[:, :192, :208]
    model = load_checkpoint(MODELS[name].path.with_suffix(".safetensors"))
    with torch.inference_mode():
        image, nothing = torch.from_numpy(picture)[None].contiguous(), torch.zeros(1, model.num_context)
        expected, said = model.answer_part(image, nothing, torch.zeros(()))
    restored, context = OpenVinoBackend(MODELS[name].path, precision="f32").run(picture)
    assert psnr(restored.clip(0, 1), expected[0].numpy().clip(0, 1)) > 50
    np.testing.assert_allclose(context, said[0].numpy(), atol=0.05, rtol=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("size", [(1, 1), (3, 40)])
def test_the_smallest_pictures_can_be_forced(name: str, size: tuple[int, int]) -> None:
    forced = undegrade.Restorer(name).wishing(force=True)
    picture = Picture(pixels=np.full((3, *size), 0.5, np.float32))
    restored = forced.restore(picture).picture.pixels
    assert restored.shape == (3, *size)
    assert np.isfinite(restored).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "spoil"),
    [("default", "noise(sigma=25)"), ("default", "haze(density=1.4)"), ("quality", "noise(sigma=25)")],
)
def test_two_megapixels_in_tiles_equal_the_whole_and_show_no_seam(model: str, spoil: str) -> None:
    small = torch.from_numpy(read_picture(EXAMPLES / "cat-well.png").pixels)[None]
    side = 1424
    clean = F.interpolate(small, (side, side), mode="bicubic").clamp(0, 1)[0]
    spoiled = replay(clean, parse(spoil).plan(torch.Generator().manual_seed(0))).numpy()
    backend, picture = OpenVinoBackend(MODELS[model].path), Picture(pixels=spoiled)
    wish = Wish(only=(spoil.split("(")[0],), force=True)
    whole, tiled = (
        Restorer(backend, OwnJudge(wish=wish), tile=tile).restore(picture).picture.pixels
        for tile in ((side + 16, side + 16), (512, 512))
    )
    difference = 255 * (tiled - whole)
    assert np.abs(spoiled - whole).mean() > 0.05
    assert np.abs(difference).mean() < 0.25
    # A seam would be a step of the mean along the border of a tile, where the middle of the slope lies.
    steps = np.abs(np.diff(difference.mean((0, 1))))
    borders = [t.left + t.columns.size for t in cut(side, side, tile=(512, 512), multiple=backend.size_multiple)[0]][
        :-1
    ]
    assert len(borders) == 3
    assert max(steps[border - OVERLAP : border].max() for border in borders) < 0.05


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
@pytest.mark.parametrize(
    ("kind", "by", "gain"),
    [
        ("noise", "network and transform", 8),
        ("motion_blur", "deconvolution", 3),
        ("defocus_blur", "deconvolution", 2.5),
    ],
)
@pytest.mark.parametrize("model", ["default", "quality"])
def test_what_is_measured_makes_it_better(model: str, kind: str, by: str, gain: float) -> None:
    clean, step = read_picture(EXAMPLES / "cat-well.png").pixels, DEGRADATIONS[kind]()
    spoiled = step.degrade(torch.from_numpy(clean), torch.Generator().manual_seed(0), step.middle()).numpy()
    picture = Picture(pixels=quantise(spoiled))
    restored = undegrade.Restorer(model).restore(picture)
    assert [step.by for step in restored.treatment.steps] == [by]
    assert psnr(restored.picture.pixels, clean) > psnr(picture.pixels, clean) + gain


@pytest.mark.slow
def test_the_first_model_knows_of_no_such_repairs() -> None:
    picture = read_picture(EXAMPLES / "cat-noisy.png")
    steps = undegrade.Restorer("universal-small").restore(picture).treatment.steps
    assert [step.by for step in steps] == ["network"]


@pytest.mark.slow
def test_quality_sees_what_default_sees_and_repairs_it_better() -> None:
    clean = read_picture(EXAMPLES / "cat-well.png").pixels
    noisy, made, seen = read_picture(EXAMPLES / "cat-noisy.png").pixels, [], []
    for backend in (undegrade.Restorer(name).backend for name in ("default", "quality")):
        seen.append(backend.see(noisy))
        made.append(np.clip(backend.run(noisy, steered(seen[-1], backend.labels, "noise"))[0], 0, 1))
    np.testing.assert_allclose(seen[1], seen[0], atol=1e-3)
    assert psnr(made[1], clean) > psnr(made[0], clean) + 0.5
    heads = [calibration_of(MODELS[name].path).read_bytes() for name in ("default", "quality")]
    assert heads[0] == heads[1]


@pytest.mark.slow
def test_healthy_example_is_left_alone() -> None:
    result = undegrade.restore(EXAMPLES / "cat-well.png")
    assert not result.changed
    assert result.diagnosis.healthy
