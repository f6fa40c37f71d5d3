"""The smallest thing that can be trained."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from undegrade.batch import Batch
from undegrade.objectives import Restoration
from undegrade.training.recipe import Stage


class Brightness(nn.Module):
    """An objective with one number: loss = mean (gain * degraded - clean)**2."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.zeros(1))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        loss = (self.gain * batch.degraded - batch.clean).square().mean()
        return {"loss": loss, "gain": self.gain.detach().clone().squeeze()}


@dataclass
class Counted:
    """Endless batches of one picture and its half; counts what was asked for."""

    taken: int = 0
    spoil: int = -1  # the batch of this number is not finite

    def __iter__(self) -> Iterator[Batch]:
        while True:
            clean = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(self.taken))
            degraded = clean / 2
            if self.taken == self.spoil:
                degraded = degraded * float("nan")
            self.taken += 1
            yield Batch(degraded=degraded, clean=clean, label=torch.tensor([0, 0]))


@pytest.fixture
def brightness() -> Brightness:
    return Brightness()


@pytest.fixture
def counted() -> type[Counted]:
    return Counted


@pytest.fixture
def stage() -> Callable[..., Stage]:
    """A stage in float32 without warm-up, with some fields changed."""

    def make(**changes: float) -> Stage:
        fields = {"steps": 5, "lr": 0.1, "lr_floor": 1.0, "warmup": 0, "bf16": False, **changes}
        return Stage(objective=Restoration.Config(), **fields)  # type: ignore[arg-type]

    return make
