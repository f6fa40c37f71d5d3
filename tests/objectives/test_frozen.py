"""Objectives of which one part learns and the other does not."""

from typing import Any

import pytest
import torch

from undegrade.batch import Batch
from undegrade.errors import UndegradeError
from undegrade.networks import DegradationClassifier, NAFNet, UniversalRestorer
from undegrade.objectives import GuidedTransfer, Probe

RNG = torch.Generator().manual_seed(0)
BATCH = Batch(
    degraded=torch.rand(4, 3, 16, 16, generator=RNG),
    clean=torch.rand(4, 3, 16, 16, generator=RNG),
    label=torch.tensor([0, 1, 2, 1]),
)


def model() -> UniversalRestorer:
    torch.manual_seed(0)
    network = NAFNet(NAFNet.Config(width=8, encoder=(1,), decoder=(1,)))
    head = DegradationClassifier.Config(num_blocks=1, norm="batch")
    return UniversalRestorer(network, head, ("clean", "noise", "haze"))


def changed(objective: Any) -> set[str]:
    """The first names of everything that a step of training changes, statistics too."""
    before = {name: value.clone() for name, value in objective.model.state_dict().items()}
    objective.train()
    optimizer = torch.optim.AdamW(objective.parameters(), lr=1e-2, weight_decay=0.1)
    objective(BATCH)["loss"].backward()
    optimizer.step()
    after = objective.model.state_dict()
    return {name.split(".")[0] for name, value in before.items() if not torch.equal(after[name], value)}


def test_transfer_trains_the_network_alone() -> None:
    assert changed(GuidedTransfer(GuidedTransfer.Config(), model())) == {"network"}


def test_a_probe_trains_the_classifier_alone() -> None:
    assert changed(Probe(Probe.Config(), model())) == {"classifier"}


@pytest.mark.parametrize("target", ["", "haze"])
def test_guidance_is_the_frozen_classifiers_cross_entropy(target: str) -> None:
    universal = model()
    scalars = GuidedTransfer(GuidedTransfer.Config(target=target, guidance_weight=2.0), universal).eval()(BATCH)
    with torch.no_grad():
        picture, logits = universal.eval()(BATCH.degraded)
    label = torch.full((4,), 2) if target else BATCH.label
    guidance = torch.nn.functional.cross_entropy(logits, label)
    torch.testing.assert_close(scalars["guidance"], guidance)
    torch.testing.assert_close(scalars["loss"].detach(), (picture - BATCH.clean).abs().mean() + 2 * guidance)


def test_guidance_reaches_the_network() -> None:
    pulls = []
    for weight in (0.0, 1.0):
        objective = GuidedTransfer(GuidedTransfer.Config(guidance_weight=weight), model())
        objective(BATCH)["loss"].backward()
        pulls.append(objective.model.network.intro.weight.grad)
    assert not torch.equal(*pulls)


def test_a_target_that_the_classifier_does_not_know_is_refused() -> None:
    with pytest.raises(UndegradeError, match=r"target is 'fog'; the classifier knows clean, noise, haze"):
        GuidedTransfer(GuidedTransfer.Config(target="fog"), model())
