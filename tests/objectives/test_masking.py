"""Masks, and the objectives that hide half of the picture."""

from dataclasses import replace

import pytest
import torch

from undegrade.batch import Batch
from undegrade.errors import UndegradeError
from undegrade.networks import DegradationClassifier, NAFNet, UniversalRestorer
from undegrade.objectives import MaskedDegradationClassification, MaskedImageModelling
from undegrade.objectives.focal import focal_loss
from undegrade.objectives.masking import draw_masks

RNG = torch.Generator().manual_seed(0)
BATCH = Batch(
    degraded=torch.rand(3, 3, 32, 48, generator=RNG),
    clean=torch.rand(3, 3, 32, 48, generator=RNG),
    label=torch.tensor([0, 1, 1]),
    numbers=(40, 41, 42),
)


def model() -> UniversalRestorer:
    torch.manual_seed(0)
    network = NAFNet(NAFNet.Config(width=8, encoder=(1, 1), decoder=(1, 1), unshuffle=2))
    return UniversalRestorer(network, DegradationClassifier.Config(num_blocks=1), ("clean", "noise"))


@pytest.mark.parametrize(("ratio", "shown"), [(0.5, 12), (0.25, 18), (0.75, 6), (0.9, 2)])
def test_each_picture_shows_its_share(ratio: float, shown: int) -> None:
    masks = draw_masks(BATCH, 8, ratio)
    assert masks.shape == (3, 1, 4, 6)
    assert masks.dtype == torch.bool
    assert masks.sum((1, 2, 3)).tolist() == [shown] * 3


def test_a_mask_depends_on_the_number_of_the_picture_alone() -> None:
    masks = draw_masks(BATCH, 8, 0.5)
    other = replace(BATCH, numbers=(42, 7, 40))
    again = draw_masks(other, 8, 0.5)
    assert torch.equal(again[0], masks[2])
    assert torch.equal(again[2], masks[0])
    assert not torch.equal(again[1], masks[1])


def test_every_square_is_shown_as_often_as_another() -> None:
    many = replace(BATCH, degraded=BATCH.degraded[:1].expand(400, -1, -1, -1), label=torch.zeros(400), numbers=())
    shares = draw_masks(many, 8, 0.5).float().mean(0)
    assert (shares - 0.5).abs().max() < 4 * 0.5 / 400**0.5


def test_patches_that_the_squares_do_not_fill_are_refused() -> None:
    with pytest.raises(UndegradeError, match=r"16 pixels a side and the training patches 32 x 40.*multiple"):
        draw_masks(replace(BATCH, degraded=BATCH.degraded[..., :40]), 16, 0.5)


def test_squares_that_the_network_would_cut_are_refused() -> None:
    with pytest.raises(UndegradeError, match=r"patch is 12; it must be a multiple of 8"):
        MaskedImageModelling(MaskedImageModelling.Config(patch=12), model())


def test_naming_and_drawing_see_the_same_half() -> None:
    universal = model()
    config = MaskedDegradationClassification.Config(naming_weight=0.5, drawing_weight=2.0)
    scalars = MaskedDegradationClassification(config, universal)(BATCH)
    visible = draw_masks(BATCH, 16, 0.5)
    with torch.no_grad():
        features = universal.network.features(BATCH.degraded, visible)
        naming = focal_loss(universal.name(features), BATCH.label, 2.0)
        drawing = (universal.network.draw(BATCH.degraded, features, visible) - BATCH.clean).abs().mean()
    torch.testing.assert_close(scalars["naming"], naming)
    torch.testing.assert_close(scalars["drawing"], drawing)
    torch.testing.assert_close(scalars["loss"].detach(), 0.5 * naming + 2.0 * drawing)


@pytest.mark.parametrize("picture", ["clean", "degraded"])
def test_only_what_is_hidden_is_guessed(picture: str) -> None:
    universal, config = model(), MaskedImageModelling.Config(patch=8, picture=picture)
    given = getattr(BATCH, picture)
    visible = draw_masks(BATCH, 8, 0.5)
    hidden = ~visible.repeat_interleave(8, 2).repeat_interleave(8, 3).expand(-1, 3, -1, -1)
    with torch.no_grad():
        drawn = universal.network.draw(given, universal.network.features(given, visible), visible)
    loss = MaskedImageModelling(config, universal)(BATCH)["loss"]
    torch.testing.assert_close(loss.detach(), (drawn - given)[hidden].abs().mean())
