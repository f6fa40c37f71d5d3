"""What GuidedCascade promises beside the contract of every network."""

import pytest
import torch

from undegrade.networks import DegradationClassifier, GuidedCascade, GuidedUNet, UniversalRestorer

LABELS = ("clean", "noise", "rain")
FIRST = {"channels": (8, 12, 16), "degradations": len(LABELS), "glance": 8, "own": 48}
HEAD = DegradationClassifier.Config(num_blocks=1, max_channels=8)


def moved(network: GuidedUNet | GuidedCascade) -> None:
    """As if it had learned something."""
    for parameter in network.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))


@pytest.fixture(scope="module")
def pair() -> tuple[UniversalRestorer, UniversalRestorer]:
    """A GuidedUNet, and a cascade of which it is the first network."""
    torch.manual_seed(0)
    first = GuidedUNet(GuidedUNet.Config(**FIRST))  # type: ignore[arg-type]
    both = GuidedCascade(GuidedCascade.Config(**FIRST, finished=(1,)))  # type: ignore[arg-type]
    with torch.no_grad():
        moved(first)
        both.first.load_state_dict(first.state_dict())
    models = [UniversalRestorer(network, HEAD, LABELS, sharpness=16.0).eval() for network in (first, both)]
    models[1].classifier.load_state_dict(models[0].classifier.state_dict())
    return models[0], models[1]


def picture() -> torch.Tensor:
    return torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(2))


@torch.no_grad()
def test_at_first_it_names_and_draws_what_the_first_network_does(
    pair: tuple[UniversalRestorer, UniversalRestorer],
) -> None:
    given = picture()
    for guide in (None, torch.tensor([[0.0, 1, 0]]), torch.tensor([[0.0, 1, 1]])):
        (expected, named), (found, also) = (model.answer(given, guide) for model in pair)
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(also, named)


@torch.no_grad()
def test_it_goes_over_what_is_finished_and_nothing_else(pair: tuple[UniversalRestorer, UniversalRestorer]) -> None:
    first, both = pair
    given, learned = picture(), GuidedCascade(both.network.config)
    learned.load_state_dict(both.network.state_dict())
    moved(learned.again)  # type: ignore[arg-type]
    other = []
    for guide in ((0.0, 0, 0), (0.0, 1, 0), (0.0, 0, 1), (0.0, 1, 1)):
        told = torch.tensor([guide])
        made = [one.reconstruct(given, one.told_features(given, told)) for one in (first.network, learned)]  # type: ignore[operator]
        other.append(bool((made[1] - made[0]).abs().max() > 1e-3))
    assert other == [False, True, False, True]


@pytest.mark.parametrize("finished", [(1, 11), (-1, 1)])
def test_what_is_finished_has_to_be_a_column_of_the_guide(finished: tuple[int, ...]) -> None:
    with pytest.raises(
        ValueError, match=rf"GuidedCascade.Config.finished is \({finished[0]}, {finished[1]}\); .*must be"
    ):
        GuidedCascade.Config(finished=finished)
