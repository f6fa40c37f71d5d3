"""Every layout of published checkpoints is recognised, and what is built of it computes what was published."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from undegrade.networks import NETWORKS, NAFNet, PromptIR, Restormer, SwinIR, UniversalRestorer
from undegrade.networks.layouts import LAYOUTS
from undegrade.networks.published import Weights, build, read_published, recognise

TOLERANCE = 1e-4

Drawn = Callable[[str], dict[str, Tensor]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A published network, what is to be found out of its file, and the picture it was given."""

    layout: str
    config: dict[str, Any]  # what differs from our defaults
    size: tuple[int, ...]
    weights: str = ""  # the key list, where another golden has the same
    settings: dict[str, Any] | None = None  # what no file tells
    masked: str = ""  # the stored map that it answered to a masked picture
    seed: int = 0  # of the picture
    step: int = 1  # every how many pixels are stored


NAFNET = {"width": 16, "encoder": (1, 1, 1, 2)}
RESTORMER = {"width": 16, "blocks": (1, 1, 1, 2), "refinement": 1}
PROMPTIR = {"blocks": (1, 1, 1, 1), "refinement": 1}
SWINIR = {"width": 24, "depths": (2, 2), "heads": (2, 2), "relative_positions": True}
DCPT_SWINIR = {"width": 24, "heads": (2,) * 6}
HEADS = {"heads": (2,) * 6}
COLOUR = SwinIR.Config(relative_positions=True)  # colour denoising
SUPER = "SwinIR (original), {} super-resolution"

CASES = {
    "nafnet": Case(layout="NAFNet (original)", config=NAFNET, size=(43, 61)),
    "nafnet_local": Case(
        layout="NAFNet (original)",
        config={**NAFNET, "local_size": 32},
        size=(64, 80),
        weights="nafnet",
        settings={"local_size": 32},
    ),
    "nafnet_dcpt": Case(layout="NAFNet (DCPT)", config=NAFNET, size=(48, 64)),
    "nafnet_maskdcpt": Case(layout="NAFNet (MaskDCPT)", config={**NAFNET, "norm_eps": 1e-5}, size=(48, 64)),
    "mask_nafnet": Case(
        layout="NAFNet (MaskDCPT)",
        config={**NAFNET, "norm_eps": 1e-5},
        size=(64, 96),
        weights="nafnet_maskdcpt",
        masked="drawn",
        step=2,
    ),
    "mask_nafnet_knn": Case(
        layout="NAFNet (MaskDCPT)",
        config={"width": 32, "encoder": (1, 1, 2), "decoder": (1, 1, 1), "norm_eps": 1e-5},
        size=(32, 48),
        masked="kept",
    ),
    "restormer": Case(layout="Restormer (original)", config={**RESTORMER, "norm": "bias_free"}, size=(32, 40)),
    "restormer_dualpixel": Case(
        layout="Restormer (original), dual pixel", config={**RESTORMER, "dual_pixel": True}, size=(32, 40, 6)
    ),
    "restormer_dcpt": Case(
        layout="Restormer (DCPT)",
        config={**RESTORMER, "norm": "bias_free", "norm_eps": 1e-6, "attention": "relu"},
        size=(32, 40),
    ),
    "restormer_maskdcpt": Case(layout="Restormer (MaskDCPT)", config=RESTORMER, size=(32, 40)),
    "mask_restormer": Case(
        layout="Restormer (MaskDCPT)", config=RESTORMER, size=(32, 48), weights="restormer_maskdcpt", masked="drawn"
    ),
    "promptir_original": Case(layout="PromptIR (original)", config=PROMPTIR, size=(32, 40)),
    "promptir": Case(layout="PromptIR (DCPT)", config=PROMPTIR, size=(32, 40)),
    "mask_promptir": Case(layout="PromptIR (MaskDCPT)", config=PROMPTIR, size=(32, 48), masked="feature0", step=2),
    "adair": Case(layout="AdaIR (original)", config=RESTORMER, size=(64, 72), step=2),
    "adair_n2": Case(
        layout="AdaIR (original)",
        config={**RESTORMER, "frequency_divisor": 2},
        size=(64, 72),
        weights="adair",
        settings={"frequency_divisor": 2},
        step=2,
    ),
    "hogformer": Case(
        layout="HOGformer (original)",
        config={"width": 12, "blocks": (1, 1, 1, 1), "refinement": 1, "expansion": 2.67},  # as well as 2.667
        size=(32, 32),
        seed=8,
    ),
    "dwformer": Case(
        layout="DWFormer (original)",
        config={"widths": (8, 16, 32, 16, 8), "blocks": (1, 1, 2, 1, 1)},
        size=(32, 40),
    ),
    "swinir": Case(
        layout="SwinIR (original), denoising or JPEG",
        config={**SWINIR, "depths": (2,) * 3, "heads": (2,) * 3},
        size=(28, 37),
    ),
    "swinir_jpeg_gray": Case(
        layout="SwinIR (original), denoising or JPEG",
        config={**SWINIR, "window": 7, "in_channels": 1, "image_range": 255.0},
        size=(28, 28, 1),
    ),
    "swinir_realsr": Case(
        layout=SUPER.format("real-world"),
        config={**SWINIR, "head": "nearest+conv", "scale": 4, "residual": "3conv"},
        size=(16, 24),
        step=2,
    ),
    "swinir_classicalsr": Case(
        layout=SUPER.format("classical"), config={**SWINIR, "head": "pixelshuffle", "scale": 2}, size=(16, 24)
    ),
    "swinir_lightsr": Case(
        layout=SUPER.format("lightweight"),
        config={**SWINIR, "head": "pixelshuffledirect", "scale": 2},
        size=(16, 24),
    ),
    "swinir_dcpt": Case(
        layout="SwinIR (DCPT, MaskDCPT)", config={**DCPT_SWINIR, "depths": (2,) * 6}, size=(32, 40), settings=HEADS
    ),
    "mask_swinir": Case(
        layout="SwinIR (DCPT, MaskDCPT)",
        config={**DCPT_SWINIR, "depths": (2,) * 6},
        size=(32, 48),
        weights="swinir_dcpt",
        settings=HEADS,
        masked="drawn",
    ),
}


def differing(config: Any) -> dict[str, Any]:
    """The fields that are not the paper's."""
    usual = type(config)()
    return {f.name: v for f in fields(config) if (v := getattr(config, f.name)) != getattr(usual, f.name)}


def answer(model: UniversalRestorer, image: Tensor, case: Case, visible: Tensor | None) -> Tensor:
    """What the published code stored of its answer."""
    if visible is None:
        return model(image)[0][..., :: case.step, :: case.step]
    features = model.network.features(image, visible)
    if case.masked == "kept":
        shown = visible.repeat_interleave(8, 2).repeat_interleave(8, 3).expand_as(features[-1])
        return features[-1][shown][::4]
    if case.masked == "feature0":
        return features[0][:, ::2, :: case.step, :: case.step]
    return model.network.draw(image, features, visible)[..., :: case.step, :: case.step]


@pytest.mark.parametrize("name", CASES)
@torch.no_grad()
def test_every_layout_is_recognised_and_computes_what_was_published(
    name: str, tmp_path: Path, golden: Callable, drawn_weights: Drawn, picture: Callable, deviation: Callable
) -> None:
    case = CASES[name]
    path = tmp_path / f"{name}.pth"
    torch.save({"params": drawn_weights(case.weights or name)}, path)
    found = recognise(read_published(path))
    assert found.layout.name == case.layout
    config = replace(found.config, **case.settings or {})
    assert differing(config) == case.config
    assert set(found.unknown) <= set(case.settings or {})
    model = build(found, config)
    published = golden("promptir" if name == "promptir_original" else name)
    visible = torch.from_numpy(published["visible"]).bool() if case.masked else None
    ours = answer(model, picture(*case.size, seed=case.seed), case, visible)
    expected = published[case.masked or "output"]
    assert ours.shape == expected.shape
    assert deviation(ours, expected) < TOLERANCE


def test_every_layout_has_a_case() -> None:
    elsewhere = {f"DiffIR (original), {stage} stage" for stage in ("first", "second")}  # test_diffir.py
    elsewhere |= {"PIP (original)", "TextPromptIR (original)"}  # test_pip.py, test_textpromptir.py
    assert {case.layout for case in CASES.values()} | elsewhere == {layout.name for layout in LAYOUTS}


FULL: list[Any] = [
    NAFNet.Config(encoder=(2, 2, 4, 8), middle=12, decoder=(2, 2, 2, 2)),
    Restormer.Config(),
    Restormer.Config(norm="bias_free", bias=True, expansion=3.0),
    PromptIR.Config(),
    replace(COLOUR, window=7, image_range=255.0),
    replace(COLOUR, head="pixelshuffle", scale=3),
    replace(COLOUR, head="pixelshuffle", scale=8),
    replace(COLOUR, head="pixelshuffledirect", scale=3),
    replace(COLOUR, head="nearest+conv", scale=2),
    replace(COLOUR, width=240, depths=(6,) * 9, heads=(8,) * 9, residual="3conv", head="nearest+conv", scale=4),
    SwinIR.Config(),
]


@pytest.mark.parametrize("config", FULL)
def test_the_papers_sizes_are_read_off(config: Any) -> None:
    """Shapes alone, at full size: expansion, heads, window and scale come back."""
    kind: Any = next(kind for kind in NETWORKS.values() if isinstance(config, kind.Config))  # type: ignore[attr-defined]
    with torch.device("meta"):
        tensors = dict(kind(config).state_dict())
    if config == SwinIR.Config():
        tensors = {dcpts_name(key): value for key, value in tensors.items()}
    found = recognise(Weights(path=Path("full.pth"), tensors=tensors))
    assert found.config == config
    assert not found.unknown


def dcpts_name(ours: str) -> str:
    for stage in range(6):
        published = f"encode_layers.{stage}." if stage < 3 else f"decode_layers{stage - 3}."
        ours = ours.replace(f"layers.{stage}.", published) if ours.startswith(f"layers.{stage}.") else ours
    return ours


def test_what_a_file_cannot_tell_is_said(drawn_weights: Drawn) -> None:
    def found(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        it = recognise(Weights(path=Path(name), tensors=drawn_weights(name)))
        return it.assumed, it.unknown

    assert found("nafnet") == (("local_size",), ())
    assert found("swinir") == (("image_range",), ())
    assert found("swinir_dcpt") == (("image_range", "heads", "window"), ("heads",))
    assert found("restormer") == ((), ())
