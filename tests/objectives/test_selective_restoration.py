"""What weighs how much of what is asked for."""

from typing import Any

import pytest
import torch

from undegrade.batch import Batch
from undegrade.networks import DegradationClassifier, GuidedUNet, UniversalRestorer
from undegrade.objectives import SelectiveRestoration

LABELS = ("clean", "noise", "haze")
CLEAN, DEGRADED = (torch.rand((4, 3, 16, 16), generator=torch.Generator().manual_seed(n)) for n in range(2))


def model() -> UniversalRestorer:
    torch.manual_seed(0)
    network = GuidedUNet(GuidedUNet.Config(channels=(8, 8), encoder=(1,), decoder=(1,), degradations=3, glance=8))
    return UniversalRestorer(network, DegradationClassifier.Config(num_blocks=1), LABELS)


def distance(wanted: list[list[float]], rows: slice = slice(None), **config: Any) -> float:
    batch = Batch(
        degraded=DEGRADED[rows],
        clean=CLEAN[rows],
        label=torch.zeros(len(wanted), dtype=torch.long),
        wanted=torch.tensor(wanted),
    )
    objective = SelectiveRestoration(SelectiveRestoration.Config(rmse_weight=2.0, l1_weight=1.0, **config), model())
    return float(objective(batch)["distance"])


def test_each_picture_counts_by_what_is_asked_for_and_of_several_by_the_least() -> None:
    noise, haze, both, clean = [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 0.0, 0.0]
    wanted = [noise, haze, both, clean]
    alone = [distance([wish], slice(number, number + 1)) for number, wish in enumerate(wanted)]
    found = distance(wanted, label_weights=(1.0, 0.5, 0.125))
    expected = (0.5 * alone[0] + 0.125 * alone[1] + 0.125 * alone[2] + alone[3]) / 4
    assert found == pytest.approx(expected, rel=1e-5)
    assert distance(wanted, label_weights=(1.0, 1.0, 1.0)) == pytest.approx(distance(wanted), rel=1e-6)


def test_weights_of_another_number_of_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="label_weights has 2 numbers; expected one for each of the 3 labels: clean"):
        SelectiveRestoration(SelectiveRestoration.Config(label_weights=(1.0, 0.5)), model())
