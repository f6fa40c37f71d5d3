"""What every network of the catalogue promises, on small ones."""

import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed.device_mesh import DeviceMesh
from torch.utils._python_dispatch import TorchDispatchMode

from undegrade.errors import UndegradeError
from undegrade.inference.export import export
from undegrade.inference.openvino import OpenVinoBackend
from undegrade.inference.pytorch import TorchBackend
from undegrade.networks import (
    NETWORKS,
    AdaIR,
    DegradationClassifier,
    DiffIR,
    DWFormer,
    GuidedCascade,
    GuidedNetwork,
    GuidedUNet,
    HOGformer,
    NAFNet,
    PIPNAFNet,
    PIPRestormer,
    PromptIR,
    RestorationNetwork,
    Restormer,
    SwinIR,
    TextPromptIR,
    UniversalRestorer,
)
from undegrade.networks.checkpoint import load_checkpoint, save_checkpoint
from undegrade.training.sharding import share_out

SMALL_PIP = {"degradations": 2, "prompt_channels": (8, 8, 24), "prompt_sides": (8, 4, 4), "interaction_heads": 2}

# A new network adds one small configuration here, or several where they take other paths, and its impossible values.
SMALL: dict[str, tuple[Any, ...]] = {
    "nafnet": (
        NAFNet.Config(width=8, encoder=(1, 1), decoder=(1, 1)),
        NAFNet.Config(width=8, encoder=(1, 2, 1), middle=2, decoder=(1, 1, 2), unshuffle=2, detail_gain=8.0),
        NAFNet.Config(width=8, encoder=(1, 1), decoder=(1, 1), local_size=8, norm_eps=1e-5),
    ),
    "restormer": (
        Restormer.Config(width=8, blocks=(1, 1, 1, 2), refinement=1, heads=(1, 2, 2, 4)),
        Restormer.Config(width=8, blocks=(1, 0, 1, 1), refinement=0, norm="bias_free", norm_eps=1e-6, bias=True),
        Restormer.Config(width=8, blocks=(1, 1, 1, 1), refinement=1, attention="relu"),
    ),
    "promptir": (
        PromptIR.Config(
            width=8, blocks=(1, 1, 1, 1), refinement=1, heads=(1, 2, 2, 4), prompt_channels=(4, 8, 8), prompts=3
        ),
    ),
    "adair": (
        AdaIR.Config(width=24, blocks=(1, 1, 1, 1), refinement=1, heads=(1, 2, 2, 4), frequency_divisor=1),
        AdaIR.Config(width=24, blocks=(1, 1, 1, 1), refinement=1, heads=(1, 2, 2, 4)),
    ),
    "hogformer": (
        HOGformer.Config(width=12, blocks=(1, 0, 0, 1), refinement=1),
        HOGformer.Config(width=8, blocks=(1, 0, 1, 1), refinement=0, heads=(1, 1, 2, 2), expansion=2, norm="bias_free"),
    ),
    "diffir": (
        DiffIR.Config(width=8, blocks=(1, 1, 1, 1), refinement=1, encoder_blocks=1),
        DiffIR.Config(
            width=8, blocks=(1, 0, 1, 1), refinement=0, encoder_blocks=0, steps=2, norm="bias_free", head="enlarging"
        ),
    ),
    "dwformer": (
        DWFormer.Config(widths=(8, 12, 16, 12, 8), blocks=(1, 1, 2, 1, 1)),
        DWFormer.Config(widths=(8, 12, 16, 12, 8), blocks=(1, 1, 1, 1, 1), reduction=2, pooling="mean"),
    ),
    "pip_restormer": (
        PIPRestormer.Config(**SMALL_PIP, width=8, blocks=(1, 1, 1, 1), refinement=0),  # type: ignore[arg-type]
        PIPRestormer.Config(
            degradations=2,
            prompt_channels=(8, 8, 16),
            prompt_sides=(4, 4, 2),
            interaction="block_gate",
            interaction_heads=2,
            width=8,
            blocks=(1, 0, 0, 1),
            refinement=0,
        ),
    ),
    "pip_nafnet": (
        PIPNAFNet.Config(**SMALL_PIP, width=8, encoder=(1, 1, 1), decoder=(1, 1, 1)),  # type: ignore[arg-type]
        PIPNAFNet.Config(
            degradations=2,
            prompt_channels=(8,),
            prompt_sides=(4,),
            interaction="conv_gate",
            divided=False,
            width=8,
            encoder=(1, 1),
            decoder=(1, 1),
        ),
    ),
    "textpromptir": (
        TextPromptIR.Config(width=8, blocks=(1, 1, 1, 1), refinement=1, embedding=12, kinds=2, number=3),
        TextPromptIR.Config(width=8, blocks=(1, 0, 0, 1), refinement=0, embedding=12, norm="bias_free"),
    ),
    "guided_unet": (
        GuidedUNet.Config(channels=(8, 12, 16), degradations=2, glance=8, own=32),
        GuidedUNet.Config(channels=(8, 8), encoder=(0,), middle=1, decoder=(1,), unshuffle=1, degradations=2, glance=8),
    ),
    "guided_cascade": (
        GuidedCascade.Config(
            channels=(8, 8),
            encoder=(0,),
            decoder=(1,),
            degradations=2,
            glance=8,
            wider=(8, 12),
            deeper=(1,),
            finished=(1,),
        ),
        GuidedCascade.Config(
            channels=(8, 12, 16),
            degradations=2,
            glance=8,
            own=32,
            wider=(8, 12, 16),
            deeper=(1, 0),
            bottom=1,
            own_again=32,
            finished=(0, 1),
        ),
    ),
    "swinir": (
        SwinIR.Config(width=12, depths=(2, 2, 2), heads=(2, 3, 2), window=4),
        SwinIR.Config(width=12, depths=(2, 2), heads=(2, 2), window=4, relative_positions=True),
        SwinIR.Config(
            width=12,
            depths=(1, 2),
            heads=(3, 2),
            window=5,
            relative_positions=True,
            residual="3conv",
            image_range=255.0,
            mlp_ratio=1.5,
        ),
    ),
}
IMPOSSIBLE: dict[str, tuple[tuple[str, Any], ...]] = {
    "nafnet": (
        ("width", 0),
        ("unshuffle", 0),
        ("decoder", (1, 1, 1)),
        ("decoder", (1, 1, 1, 1, 1)),
        ("local_size", 15),
    ),
    "restormer": (("width", 0), ("width", 47), ("refinement", -1), ("expansion", 0.5), ("norm_eps", -1.0)),
    "promptir": (("width", 0), ("width", 47), ("prompts", 0), ("expansion", 0.5), ("norm_eps", -1.0)),
    "adair": (("width", 4), ("frequency_divisor", 0), ("dual_pixel", True)),
    "hogformer": (("width", 0), ("width", 47), ("expansion", 0.5), ("expansion", 2.66)),
    "diffir": (
        ("width", 0),
        ("width", 47),
        ("blocks", (1,)),
        ("steps", 0),
        ("head", "none"),
        ("source", "guess"),
        ("scale", 2),
    ),
    "pip_restormer": (
        ("degradations", 0),
        ("prompt_channels", (64, 128, 256, 512)),
        ("prompt_sides", (8, 8)),
        ("interaction", "add"),
        ("prompt_heads", 5),
    ),
    "pip_nafnet": (("degradations", 0), ("prompt_channels", ()), ("interaction_heads", 48)),
    "textpromptir": (("width", 0), ("width", 47), ("blocks", (1,)), ("embedding", 0), ("number", 3)),
    "guided_unet": (
        ("channels", (32,)),
        ("encoder", (1,)),
        ("decoder", (1, 1, 1)),
        ("middle", 0),
        ("degradations", 0),
        ("glance", 1),
    ),
    "guided_cascade": (
        ("channels", (32,)),
        ("wider", (64,)),
        ("wider", (64, 64, 64, 64)),
        ("deeper", (1,)),
        ("bottom", 0),
        ("own_again", -1),
    ),
    "dwformer": (("widths", (8, 8, 8)), ("blocks", (1,)), ("reduction", 32), ("pooling", "max")),
    "swinir": (
        ("width", 0),
        ("width", 100),
        ("heads", (6, 6)),
        ("window", 1),
        ("mlp_ratio", 0),
        ("residual", "2conv"),
        ("head", "bicubic"),
        ("scale", 2),
        ("image_range", 0),
    ),
}

# Fields whose published value gives these parameters no gradient in training.
IDLE = {
    AdaIR.Config: ("frequency_divisor", r"fre\d\.(rate_conv|channel_cross_h\.(q|q_dwconv|temperature))\b.*"),
    TextPromptIR.Config: ("kinds", r"linear1\.weight"),  # of nothing said
}

SORTING = ("hogformer",)  # a rounding may exchange two neighbours in the order of pixels

CASES = [pytest.param(name, config, id=f"{name}-{i}") for name, all_ in SMALL.items() for i, config in enumerate(all_)]
every_network = pytest.mark.parametrize(("name", "config"), CASES)


def build(name: str, config: Any) -> RestorationNetwork:
    """The network with weights that leave no branch switched off, as some start."""
    torch.manual_seed(0)  # whatever was tested before: sorted pixels depend on the last bit
    network = NETWORKS[name](config)  # type: ignore[call-arg]
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=rng))
    return network.eval()


def image(height: int, width: int, batch: int = 1) -> torch.Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(1))


def test_each_member_is_tested_here() -> None:
    assert SMALL.keys() == NETWORKS.keys()
    assert IMPOSSIBLE.keys() == NETWORKS.keys()


@every_network
@pytest.mark.parametrize("size", [(16, 24), (17, 33), (1, 1), (5, 40)])
@torch.no_grad()
def test_shape_is_kept_at_any_size(name: str, config: Any, size: tuple[int, int]) -> None:
    given = image(*size, batch=2)
    before = given.clone()
    restored = build(name, config)(given)
    assert restored.shape == given.shape
    assert restored.dtype == given.dtype
    assert restored.isfinite().all()
    assert torch.equal(given, before)


class Readings(TorchDispatchMode):
    """Counts how often a value is read from a tensor, for which a GPU would have to be waited for."""

    number = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.number += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@every_network
@torch.no_grad()
def test_a_pass_reads_no_value_back(name: str, config: Any) -> None:
    network, given = build(name, config), image(16, 24)
    with Readings() as readings:
        network(given)
        assert readings.number == 0
        given.sum().item()
    assert readings.number == 1


@every_network
@torch.no_grad()
def test_features_have_the_declared_channels_deepest_first(name: str, config: Any) -> None:
    network = build(name, config)
    side = 2 * network.size_multiple
    features = network.features(image(side, 2 * side, batch=2))
    assert tuple(f.shape[1] for f in features) == network.feature_channels
    areas = [f.shape[2] * f.shape[3] for f in features]
    assert areas == sorted(areas)
    assert all(f.shape[0] == 2 and f.shape[3] == 2 * f.shape[2] for f in features)


@every_network
def test_a_size_that_is_no_multiple_is_refused_by_features(name: str, config: Any) -> None:
    network = build(name, config)
    side = 2 * network.size_multiple
    with pytest.raises(RuntimeError):
        network.features(image(side + 1, side))


@every_network
@torch.no_grad()
def test_forward_is_reconstruct_of_features(name: str, config: Any) -> None:
    network = build(name, config)
    given = image(network.size_multiple, 2 * network.size_multiple)
    assert torch.equal(network(given), network.reconstruct(given, network.features(given)))


def assert_near(ours: torch.Tensor, expected: torch.Tensor, name: str, least: float = 2e-5) -> None:
    """Equal but for rounding, which grows with the values, and where pixels are sorted but for a few of them."""
    scale = max(1.0, float(expected.abs().max())) if expected.numel() else 1.0
    apart = (ours - expected).abs()
    far = apart > least * scale + 1e-4 * expected.abs()
    if name in SORTING:
        assert far.sum() <= 0.1 * far.numel()
        assert not (apart > 0.1 * scale).any()
    else:
        assert not far.any(), float(apart.max() / scale)


def half_visible(network: RestorationNetwork, columns: int) -> torch.Tensor:
    """(1, 1, 2, columns): every other square of the side `size_multiple`, chequered."""
    return (torch.arange(2)[:, None] + torch.arange(columns)).remainder(2).eq(0)[None, None]


@every_network
@torch.no_grad()
def test_what_is_hidden_has_no_say(name: str, config: Any) -> None:
    network = build(name, config)
    side = network.size_multiple
    given, visible = image(2 * side, 4 * side), half_visible(network, 4)
    shown = visible.repeat_interleave(side, 2).repeat_interleave(side, 3)
    changed = torch.where(shown, given, 1 - given)
    features, same = (network.features(picture, visible) for picture in (given, changed))
    assert all(torch.equal(a, b) for a, b in zip(features, same, strict=True))
    drawn, again = (network.draw(picture, features, visible) for picture in (given, changed))
    assert torch.equal(drawn, again)
    changed = torch.where(shown, 1 - given, given)
    finest = network.num_tapped - 1
    assert not torch.equal(network.features(changed, visible)[finest], features[finest])


@every_network
@torch.no_grad()
def test_a_mask_that_does_not_fit_is_refused(name: str, config: Any) -> None:
    network = build(name, config)
    with pytest.raises(ValueError, match=r"visible is 3 x 3; it must divide"):
        network.features(image(4 * network.size_multiple, 4 * network.size_multiple), torch.ones(1, 1, 3, 3).bool())


@every_network
@torch.no_grad()
def test_pictures_of_a_batch_do_not_touch_each_other(name: str, config: Any) -> None:
    network, given = build(name, config), image(18, 20, batch=3)
    alone = torch.cat([network(given[i : i + 1]) for i in range(3)])
    assert_near(network(given), alone, name)


@every_network
@torch.no_grad()
def test_memory_order_does_not_change_the_answer(name: str, config: Any) -> None:
    network, given = build(name, config), image(16, 24, batch=2)
    expected = network(given)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    last = network(given.to(memory_format=torch.channels_last))
    assert_near(last, expected, name)


class Squared(torch.nn.Module):
    """An objective, which calls what it likes of a network."""

    def __init__(self, network: RestorationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        return self.network.reconstruct(given, self.network.features(given)).square().mean()


@every_network
def test_shared_out_among_processes_it_computes_the_same(name: str, config: Any, mesh: DeviceMesh) -> None:
    alone, shared = Squared(build(name, config)), Squared(build(name, config))
    share_out(shared, mesh, least=1)
    side = 2 * alone.network.size_multiple
    given = image(side, side, batch=2)
    alone(given).backward()
    shared(given).backward()
    for ours, expected in zip(shared.parameters(), alone.parameters(), strict=True):
        assert (ours.grad is None) == (expected.grad is None)
        if expected.grad is not None:
            assert_near(ours.grad.full_tensor(), expected.grad, name)


@every_network
def test_the_gradient_reaches_every_parameter(name: str, config: Any) -> None:
    network = build(name, config).train()
    given = network.pad(image(32, 48))
    features = network.features(given)
    if isinstance(network, GuidedNetwork) and network.guided_by_labels:  # the usual guide may be to say nothing
        features = network.told_features(given, torch.full((1, network.config.degradations), 0.5))
    (network.reconstruct(given, features) - given.flip(-1)).square().mean().backward()
    field, idle = IDLE.get(type(config), ("", ""))
    if field and getattr(config, field) != getattr(type(config)(), field):
        idle = ""
    for key, parameter in network.named_parameters():
        if re.fullmatch(idle, key):
            assert parameter.grad is None or not parameter.grad.any(), key
            continue
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.abs().max() > 0, key


@every_network
@torch.no_grad()
def test_global_statistics_are_declared(name: str, config: Any) -> None:
    """A change far away moves a corner exactly where the network says that its statistics are global."""
    network = build(name, config)
    side = 16 * network.size_multiple
    given = image(16, side)
    changed = given.clone()
    changed[..., -4:] = 1 - changed[..., -4:]
    reached = not torch.equal(network(given)[..., :2], network(changed)[..., :2])
    assert reached == network.global_statistics


@every_network
@torch.no_grad()
def test_a_saved_model_comes_back_equal(name: str, config: Any, tmp_path: Path) -> None:
    head = DegradationClassifier.Config(num_blocks=1, max_channels=8)
    model = UniversalRestorer(build(name, config), head, ("clean", "noise")).eval()
    save_checkpoint(model, tmp_path / "model.safetensors", half=False)
    again = load_checkpoint(tmp_path / "model.safetensors")
    assert again.network.config == config
    given = image(19, 27, batch=2)
    picture, logits = model(given)
    assert picture.shape == given.shape
    assert logits.shape == (2, 2)
    assert torch.equal(again(given)[0], picture)
    assert torch.equal(again(given)[1], logits)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_configuration_is_frozen_and_keyword_only(name: str) -> None:
    kind: Callable = NETWORKS[name].Config  # type: ignore[attr-defined]
    config = kind()
    field = fields(config)[0].name
    with pytest.raises(FrozenInstanceError):
        setattr(config, field, getattr(config, field))
    with pytest.raises(TypeError, match="positional"):
        kind(getattr(config, field))


@pytest.mark.parametrize(
    ("name", "field", "value"), [(name, field, value) for name, all_ in IMPOSSIBLE.items() for field, value in all_]
)
def test_impossible_values_are_refused_by_field_and_value(name: str, field: str, value: Any) -> None:
    shown = str(len(value) if isinstance(value, tuple) else value)
    with pytest.raises(ValueError, match=rf"{field} (is|has) {shown}\b.*must"):
        NETWORKS[name].Config(**{field: value})  # type: ignore[attr-defined]


@pytest.mark.slow
@every_network
def test_exported_it_answers_as_on_torch_or_is_refused_by_name(name: str, config: Any, tmp_path: Path) -> None:
    head = DegradationClassifier.Config(num_blocks=1, max_channels=8)
    model = UniversalRestorer(build(name, config), head, ("clean", "noise"), steered=True).eval()
    assert model.answers is not None
    torch.nn.init.normal_(model.answers.weight, std=0.1)
    checkpoint, exported = tmp_path / "m.safetensors", tmp_path / "m.xml"
    save_checkpoint(model, checkpoint, half=False)
    if getattr(config, "local_size", 0):
        with pytest.raises(UndegradeError, match=r"m\.safetensors: networks with local statistics \(local_size\)"):
            export(checkpoint, exported)
        return
    export(checkpoint, exported, half=False)
    assert_equal_answers(checkpoint, exported, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nafnet", "guided_unet", "textpromptir"])  # alone, told kinds, told sentences
def test_exported_without_a_classifier_it_answers_as_on_torch(name: str, tmp_path: Path) -> None:
    model = UniversalRestorer(build(name, SMALL[name][0]), None, ()).eval()
    checkpoint, exported = tmp_path / "m.safetensors", tmp_path / "m.xml"
    save_checkpoint(model, checkpoint, half=False)
    export(checkpoint, exported, half=False)
    assert_equal_answers(checkpoint, exported, name)


def assert_equal_answers(checkpoint: Path, exported: Path, name: str) -> None:
    """Pictures of several sizes, which tracing may not have frozen, and what their parts must know of them."""
    on_torch, on_openvino = TorchBackend(checkpoint), OpenVinoBackend(exported, precision="f32")
    for size in ((16, 24), (37, 61), (70, 33)):
        given = image(*size)[0].numpy()
        for ours, theirs in zip(on_openvino.run(given), on_torch.run(given), strict=True):
            assert ours.shape == theirs.shape
            assert_near(torch.from_numpy(ours), torch.from_numpy(theirs), name, 3e-4)
    if name in SORTING:
        return
    context = on_torch.run(given)[1] + 0.1  # as a part of another picture
    expected = torch.from_numpy(on_torch.run(given, context)[0])
    for backend in (on_openvino, on_openvino.for_size(*size), on_torch.for_size(*size)):
        assert_near(torch.from_numpy(backend.run(given, context)[0]), expected, name, 3e-4)
