"""What teaches the light, and what does not."""

import pytest
import torch

from undegrade.batch import Batch
from undegrade.networks import DegradationClassifier, GuidedUNet, NAFNet, RestorationNetwork, UniversalRestorer
from undegrade.objectives import Relighting

HEAD = DegradationClassifier.Config(num_blocks=1, max_channels=8)


def guided() -> GuidedUNet:
    return GuidedUNet(GuidedUNet.Config(channels=(8, 8), encoder=(1,), decoder=(1,), degradations=3, glance=8))


def learn(*told: int) -> tuple[dict[str, torch.Tensor], UniversalRestorer]:
    """The scalars of a step that asks for the removal of these labels, and the model with its gradients."""
    torch.manual_seed(0)
    model, size = UniversalRestorer(guided(), HEAD, ("clean", "noise", "haze")), len(told)
    picture = torch.rand(size, 3, 16, 16)
    wanted = torch.tensor([[float(column == row and row > 0) for column in range(3)] for row in told])
    batch = Batch(degraded=0.5 + picture / 2, clean=picture, label=torch.tensor(told), wanted=wanted)
    scalars = Relighting(Relighting.Config(), model)(batch)
    scalars["loss"].backward()
    return scalars, model


def moved(model: UniversalRestorer) -> set[str]:
    return {name for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}


def test_only_the_lines_of_what_is_asked_for_learn() -> None:
    scalars, model = learn(0, 2)
    assert scalars["gain_db"] == 0  # it begins as the identity
    assert moved(model) == {"network.light.whole_lines", "network.light.square_lines"}
    gradient = model.get_parameter("network.light.whole_lines").grad
    assert gradient is not None
    assert [bool(of.any()) for of in gradient] == [False, False, True]


def test_a_batch_of_which_nothing_is_asked_moves_nothing() -> None:
    scalars, model = learn(0, 0)
    assert scalars["loss"] == 0
    assert not moved(model)
    assert model.get_parameter("network.light.whole_lines").grad is not None  # what other processes average with


@pytest.mark.parametrize(
    ("network", "several", "message"),
    [
        (NAFNet(NAFNet.Config(width=8, encoder=(1,), decoder=(1,))), False, "NAFNet has no light of its own"),
        (guided(), True, "names several labels at once"),
    ],
)
def test_what_has_no_light_or_one_label_is_refused(network: RestorationNetwork, several: bool, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Relighting(Relighting.Config(), UniversalRestorer(network, HEAD, ("a", "b", "c"), multi_label=several))
