from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from undegrade.errors import UndegradeError
from undegrade.recipes import RECIPES
from undegrade.training.ema import Ema
from undegrade.training.hooks import Log
from undegrade.training.loop import Step
from undegrade.training.recipe import override
from undegrade.training.resume import Saver, fill, fill_optimizer, load_state
from undegrade.training.run import build


def test_the_state_holds_what_the_next_step_depends_on(tmp_path: Path) -> None:
    model = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    log, told = Log(tmp_path, 1, every=50, show=lambda line: None), list[int]()
    saver = Saver(
        folder=tmp_path,
        stage=1,
        model=model,
        ema=Ema(model, 0.9),  # type: ignore[arg-type]
        log=log,
        every=4,
        done=lambda step: told.append(step.number),
    )
    for number in range(1, 7):
        model(torch.ones(1, 3)).sum().backward()
        optimizer.step()
        step = Step(number=number, scalars={"loss": torch.tensor(2.0)}, lr=0.1, optimizer=optimizer, skipped=0)
        if number == 4:
            kept = {key: value.clone() for key, value in model.state_dict().items()}
            step = Step(number=number, scalars={}, lr=0.1, optimizer=optimizer, skipped=3)
        log(step)
        saver(step)
    log.board.close()
    state = load_state(tmp_path)
    assert state is not None
    assert told == [4]
    assert (state["stage"], state["step"], state["skipped"]) == (1, 4, 3)
    assert all(torch.equal(value, kept[key]) for key, value in state["model"].items())
    assert state["ema"].keys() == kept.keys()
    assert state["log"]["sums"] == {"loss": 6.0}
    assert (state["log"]["count"], state["log"]["skipped"]) == (3, 1)
    again = torch.optim.AdamW(model.parameters())
    again.load_state_dict(state["optimizer"])
    assert {int(value["step"]) for value in again.state.values()} == {4}


def test_nothing_was_saved_yet(tmp_path: Path) -> None:
    assert load_state(tmp_path) is None


@pytest.mark.parametrize(
    "foreign", [{"weight": torch.zeros(2)}, [1, 2], torch.zeros(3)], ids=["weights", "list", "tensor"]
)
def test_another_file_of_torch_is_not_taken_for_a_state(foreign: Any, tmp_path: Path) -> None:
    torch.save(foreign, tmp_path / "state.pt")
    with pytest.raises(UndegradeError, match=r"state\.pt: is not the state of a run; .*delete it to start anew"):
        load_state(tmp_path)


def test_a_file_cut_short_is_damaged(tmp_path: Path) -> None:
    torch.save({"stage": 0}, tmp_path / "state.pt")
    (tmp_path / "state.pt").write_bytes((tmp_path / "state.pt").read_bytes()[:100])
    with pytest.raises(UndegradeError, match=r"state\.pt: damaged"):
        load_state(tmp_path)


def test_the_weights_of_another_network_are_refused_in_one_line(tmp_path: Path) -> None:
    recipe = RECIPES["universal-small-debug"]()
    model, other = build(recipe), build(override(recipe, "network.width=16"))
    with pytest.raises(
        UndegradeError, match=r"state\.pt: the weights are of another network than the recipe's"
    ) as told:
        fill(model, other.state_dict(), tmp_path)
    assert "\n" not in str(told.value)
    optimizers = [torch.optim.AdamW(groups) for groups in ([*model.parameters()], [*other.network.parameters()])]
    with pytest.raises(UndegradeError, match=r"state\.pt: the optimizer's state is of another network or version"):
        fill_optimizer(optimizers[0], optimizers[1].state_dict(), tmp_path)
