import math

import pytest
import torch
from torch import Tensor, nn

from undegrade.batch import Batch
from undegrade.evaluation.validation import before_after, validate


class Halving(nn.Module):
    """Halves the error on every picture, and calls everything noise."""

    labels, multi_label = ("clean", "noise", "haze"), False

    def __init__(self, clean: Tensor) -> None:
        super().__init__()
        self.clean = nn.Parameter(clean, requires_grad=False)
        self.modes: list[bool] = []

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        self.modes.append(self.training)
        logits = torch.tensor([[0.0, 1.0, 0.0]]).expand(len(image), -1)
        return self.clean + (image - self.clean) / 2, logits


def held_out() -> Batch:
    clean = torch.full((4, 3, 8, 8), 0.5)
    degraded = clean.clone()
    degraded[1:] += 0.3
    return Batch(degraded=degraded, clean=clean, label=torch.tensor([0, 1, 2, 2]))


def test_gains_and_names_are_means_over_the_pictures() -> None:
    batch = held_out()
    values = validate(Halving(batch.clean), [batch, batch], Halving.labels)  # type: ignore[arg-type]
    gain = 10 * math.log10((0.09 + 1e-5) / (0.0225 + 1e-5))
    assert values == pytest.approx(
        {
            "val_accuracy": 0.25,
            "val_gain_clean_db": 0.0,
            "val_gain_noise_db": gain,
            "val_gain_haze_db": gain,
            "val_named_clean": 0.0,
            "val_named_noise": 1.0,
            "val_named_haze": 0.0,
            "val_gain_db": gain,  # without the clean pictures
        },
        abs=1e-4,
    )


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_looked_at_in_evaluation_mode_and_left_as_it_was(training: bool) -> None:
    batch = held_out()
    model = Halving(batch.clean).train(training)
    validate(model, [batch], model.labels)  # type: ignore[arg-type]
    assert model.modes == [False]
    assert model.training == training


def test_the_sheet_shows_one_picture_of_each_label() -> None:
    batch = held_out()
    model = Halving(batch.clean[:3])
    sheet = before_after(model, batch)  # type: ignore[arg-type]
    assert sheet.shape == (3, 3 * 8, 3 * 8)  # clean, noise, haze; degraded, restored, clean
    values = [float(sheet[:, 8 * row + 4, 8 * column + 4].mean()) for row in range(3) for column in range(3)]
    assert values == pytest.approx([0.5, 0.5, 0.5, 0.8, 0.65, 0.5, 0.8, 0.65, 0.5])
    assert model.modes == [False]
    assert model.training
