"""From copies to shares and back, by a process that is alone in its group; `test_many_processes.py` has several."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.distributed.device_mesh import DeviceMesh

from undegrade.batch import Batch
from undegrade.networks import NAFNet, UniversalRestorer
from undegrade.objectives import Restoration
from undegrade.training.ema import Ema
from undegrade.training.loop import Hook, fit, make_optimizer
from undegrade.training.recipe import Stage
from undegrade.training.resume import fill_optimizer
from undegrade.training.sharding import Shares

ALONE = SimpleNamespace(device=torch.device("cpu"), num_processes=1, is_main_process=True)


def fresh() -> tuple[Restoration, Ema]:
    torch.manual_seed(0)
    model = UniversalRestorer(NAFNet(NAFNet.Config(width=16, encoder=(1, 1), decoder=(1, 1))), None, ())
    return Restoration(Restoration.Config(), model), Ema(model, 0.9)


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_training_goes_on_from_copies_to_shares_and_back(
    kind: str, mesh: DeviceMesh, stage: Callable[..., Stage], tmp_path: Path
) -> None:
    pictures = torch.rand(12, 2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    batches = [Batch(degraded=a, clean=b, label=torch.zeros(2).long()) for a, b in zip(*pictures.chunk(2), strict=True)]
    steps = stage(steps=6, lr=1e-2, optimizer=kind)
    expected, average = fresh()
    fit(expected, batches, steps, [average])

    objective, ema = fresh()
    optimizer = make_optimizer(objective, steps)
    fit(objective, batches[:2], steps, [ema], optimizer=optimizer)
    shares = Shares(ALONE, objective, ema, lambda done: done == 4)  # type: ignore[arg-type]
    shared, told = make_optimizer(shares.objective, steps), list[int]()
    fill_optimizer(shared, optimizer.state_dict(), tmp_path)
    assert shares.ema is not None
    hooks: list[Hook] = [shares.ema, partial(shares.tell, [lambda step: told.append(step.number)])]
    fit(shares.objective, batches[2:4], steps, hooks, optimizer=shared, first=2)
    assert told == [3, 4]
    shares.end()
    back = make_optimizer(objective, steps)
    fill_optimizer(back, shares.state_of(shared), tmp_path)
    fit(objective, batches[4:], steps, [ema], optimizer=back, first=4)
    torch.testing.assert_close(objective.state_dict(), expected.state_dict(), atol=1e-6, rtol=0)
    torch.testing.assert_close(ema.average.state_dict(), average.average.state_dict(), atol=1e-6, rtol=0)
