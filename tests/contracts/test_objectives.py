"""What every objective of the catalogue promises, on a tiny model and one small batch."""

import re
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest
import torch
from torch.distributed.device_mesh import DeviceMesh

from undegrade.batch import Batch
from undegrade.degradations import DEGRADATIONS
from undegrade.networks import (
    DegradationClassifier,
    DiffIR,
    GuidedUNet,
    NAFNet,
    PIPNAFNet,
    RestorationNetwork,
    UniversalRestorer,
)
from undegrade.objectives import (
    OBJECTIVES,
    DegradationClassification,
    GuidedTransfer,
    MaskedDegradationClassification,
    MaskedImageModelling,
    PriorDiffusion,
    Probe,
    Relighting,
    Restoration,
    SelectiveRestoration,
)
from undegrade.training.sharding import share_out

LABELS = ("clean", "noise", "low_light")
# A new objective adds its variants here, each with whether the model is steered, and with the fall of the loss in 30
# steps that shows that it learns.
VARIANTS: dict[str, tuple[tuple[Any, bool, float], ...]] = {
    "degradation_classification": (
        (DegradationClassification.Config(), False, 0.7),
        (DegradationClassification.Config(drawn="nothing", focal_gamma=0.0), True, 0.6),
        (DegradationClassification.Config(drawn="degraded"), False, 0.7),
    ),
    "masked_degradation_classification": (
        (MaskedDegradationClassification.Config(patch=8), False, 0.4),
        (MaskedDegradationClassification.Config(ratio=0.25, drawing_weight=0.0), False, 0.3),
    ),
    "masked_image_modelling": (
        (MaskedImageModelling.Config(patch=8), False, 0.1),
        (MaskedImageModelling.Config(picture="degraded"), True, 0.1),
    ),
    "guided_transfer": (
        (GuidedTransfer.Config(), False, 0.3),
        (GuidedTransfer.Config(target="noise", focal_gamma=2.0), True, 0.1),
    ),
    "prior_diffusion": (
        (PriorDiffusion.Config(learned="pair"), False, 0.02),
        (PriorDiffusion.Config(), False, 0.07),
        (PriorDiffusion.Config(picture_weight=0.0), False, 0.01),
    ),
    "probe": (
        (Probe.Config(), False, 0.5),
        (Probe.Config(focal_gamma=2.0), True, 0.3),
    ),
    "relighting": ((Relighting.Config(), False, 2.0),),  # dB
    "restoration": (
        (Restoration.Config(), False, 0.2),
        (Restoration.Config(loss="psnr"), True, 8.0),  # dB
        (Restoration.Config(loss="psnr", naming_weight=1.0), True, 8.0),
        (Restoration.Config(frequency_weight=0.1, edge_weight=0.5), False, 0.2),
        (Restoration.Config(loss="smooth_l1", crowding_weight=0.002, naming_weight=0.1), False, 0.05),
        (Restoration.Config(correlation_weight=1.0, histogram_weight=1.0), False, 0.2),
    ),
    "selective_restoration": (
        (SelectiveRestoration.Config(), False, 2.0),  # dB
        (
            SelectiveRestoration.Config(psnr_weight=0.0, l1_weight=1.0, rmse_weight=1.0, frequency_weight=0.1),
            False,
            0.2,
        ),
    ),
}

BY_LABEL = ("selective_restoration", "relighting")  # go by one label a picture, and take GuidedUNet
CASES = [
    pytest.param(name, config, steered, fall, id=f"{name}-{i}")
    for name, all_ in VARIANTS.items()
    for i, (config, steered, fall) in enumerate(all_)
]
CASES += [
    pytest.param(name, config, steered, 0.3 * fall, id=f"{name}-{i}-several")
    for name, all_ in VARIANTS.items()
    if name not in BY_LABEL
    for i, (config, steered, fall) in enumerate(all_)
]
every_objective = pytest.mark.parametrize(("name", "config", "steered", "fall"), CASES)


@pytest.fixture(scope="module")
def batch() -> Batch:
    """Six patches of 32 x 32, two of each label."""
    rng = torch.Generator().manual_seed(0)
    clean = torch.nn.functional.interpolate(torch.rand(6, 3, 5, 5, generator=rng), (32, 32), mode="bicubic").clamp(0, 1)
    degraded = clean.clone()
    degraded[2:4] = DEGRADATIONS["noise"]().degrade(clean[2:4], rng, {"sigma": 30})
    degraded[4:] = DEGRADATIONS["low_light"]().degrade(clean[4:], rng, {"stops": 2, "shot": 1e-4})
    present = torch.tensor([[0, 0], [0, 0], [1, 0], [1, 0], [0, 1], [0, 1]]).float()
    label = torch.tensor([0, 0, 1, 1, 2, 2])
    wanted = torch.nn.functional.one_hot(label, 3).float() * torch.tensor([[1], [0], [1], [0], [1], [0]])
    return Batch(degraded=degraded, clean=clean, label=label, present=present, wanted=wanted)


@pytest.fixture
def several(request: pytest.FixtureRequest) -> bool:
    """Whether the model names several degradations of one picture."""
    return "several" in request.node.name


def make(name: str, config: Any, steered: bool, several: bool) -> torch.nn.Module:
    torch.manual_seed(0)
    network: RestorationNetwork
    small = {"width": 8, "encoder": (1, 1), "decoder": (1, 1)}
    if name == "prior_diffusion":
        network = DiffIR(DiffIR.Config(width=8, blocks=(1, 1, 1, 1), refinement=1, encoder_blocks=1, source="both"))
    elif name in BY_LABEL:
        network = GuidedUNet(GuidedUNet.Config(channels=(8, 8, 8), degradations=3, glance=8))
    elif getattr(config, "crowding_weight", 0.0):
        prompts = {"prompt_channels": (8,), "prompt_sides": (4,), "degradations": 2 if several else 3}
        network = PIPNAFNet(PIPNAFNet.Config(**small, **prompts))  # type: ignore[arg-type]
    else:
        network = NAFNet(NAFNet.Config(**small, unshuffle=2, detail_gain=8.0))  # type: ignore[arg-type]
    head = DegradationClassifier.Config(num_blocks=1, max_channels=8)
    labels = LABELS[1:] if several else LABELS
    return OBJECTIVES[name](config, UniversalRestorer(network, head, labels, steered=steered, multi_label=several))


def test_each_member_is_tested_here() -> None:
    assert VARIANTS.keys() == OBJECTIVES.keys()


@every_objective
def test_scalars_are_finite_and_only_the_loss_carries_a_gradient(
    name: str, config: Any, steered: bool, fall: float, several: bool, batch: Batch
) -> None:
    scalars = make(name, config, steered, several)(batch)
    assert scalars["loss"].requires_grad
    for key, value in scalars.items():
        assert value.shape == (), key
        assert value.dtype == torch.float32, key
        assert value.isfinite(), key
        assert value.requires_grad == (key == "loss"), key


@every_objective
def test_the_gradient_is_finite_and_reaches_the_first_layer(
    name: str, config: Any, steered: bool, fall: float, several: bool, batch: Batch
) -> None:
    objective = make(name, config, steered, several)
    objective(batch)["loss"].backward()
    gradients = [p.grad for p in objective.parameters() if p.grad is not None]
    assert all(g.isfinite().all() for g in gradients)
    # Of a probe, the first layer that learns is the classifier's, of a light its own, of a diffusion the condition's.
    model = objective.model
    if name == "prior_diffusion":
        alone = config.picture_weight == 0 and config.learned == "diffusion"
        weight = (model.network.condition.E[0] if alone else model.network.G.patch_embed["proj"]).weight
    else:
        own = {"probe": "classifier.mixing_weights", "relighting": "network.light.whole_lines"}
        weight = model.get_parameter(own.get(name, "network.intro.weight"))
    assert weight.grad is not None
    assert weight.grad.abs().max() > 0


@every_objective
def test_the_batch_is_untouched(
    name: str, config: Any, steered: bool, fall: float, several: bool, batch: Batch
) -> None:
    before = [batch.degraded.clone(), batch.clean.clone(), batch.label.clone()]
    make(name, config, steered, several)(batch)["loss"].backward()
    assert all(torch.equal(a, b) for a, b in zip(before, (batch.degraded, batch.clean, batch.label), strict=True))


@pytest.mark.parametrize("name", VARIANTS)
def test_shared_out_among_processes_it_computes_the_same(name: str, batch: Batch, mesh: DeviceMesh) -> None:
    config, steered, _ = VARIANTS[name][0]
    alone, shared = (make(name, config, steered, several=False) for _ in range(2))
    share_out(shared, mesh, least=1)
    losses = [objective(batch)["loss"] for objective in (alone, shared)]
    torch.testing.assert_close(*losses)
    for loss in losses:
        loss.backward()
    found = [p.grad if p.grad is None else p.grad.full_tensor() for p in shared.parameters()]
    torch.testing.assert_close(found, [p.grad for p in alone.parameters()])


@every_objective
def test_it_overfits_one_batch(name: str, config: Any, steered: bool, fall: float, several: bool, batch: Batch) -> None:
    objective = make(name, config, steered, several)
    optimizer = torch.optim.AdamW(objective.parameters(), lr=3e-3)
    losses = []
    for _ in range(30):
        losses.append((loss := objective(batch)["loss"]).item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[0] - min(losses[-3:]) > fall


@every_objective
def test_under_bf16_the_loss_is_float32_and_near(
    name: str, config: Any, steered: bool, fall: float, several: bool, batch: Batch
) -> None:
    objective = make(name, config, steered, several)
    exact = objective(batch)["loss"]
    with torch.autocast("cpu", torch.bfloat16):
        rough = objective(batch)["loss"]
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_configuration_is_frozen_and_keyword_only(name: str) -> None:
    kind: Any = OBJECTIVES[name].Config  # type: ignore[attr-defined]
    with pytest.raises(FrozenInstanceError):
        setattr(kind(), fields(kind)[0].name, 1.0)
    with pytest.raises(TypeError, match="positional"):
        kind(1.0)


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (Restoration, "loss", "l3"),
        (Restoration, "naming_weight", -0.5),
        (Restoration, "psnr_floor", 0.0),
        (DegradationClassification, "drawn", "noisy"),
        (DegradationClassification, "drawing_weight", -1.0),
        (MaskedDegradationClassification, "patch", 0),
        (MaskedDegradationClassification, "ratio", 1.0),
        (MaskedImageModelling, "ratio", 0.0),
        (MaskedImageModelling, "picture", "noisy"),
        (GuidedTransfer, "guidance_weight", -0.1),
        (PriorDiffusion, "learned", "prior"),
        (PriorDiffusion, "prior_weight", -1.0),
        (Probe, "focal_gamma", -1.0),
        (SelectiveRestoration, "psnr_floor", 0.0),
        (SelectiveRestoration, "naming_weight", 0.0),
        (SelectiveRestoration, "label_weights", (-1.0,)),
    ],
)
def test_impossible_values_are_refused_by_field_and_value(kind: Any, field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"{field} is '?{re.escape(str(value))}'?"):
        kind.Config(**{field: value})
