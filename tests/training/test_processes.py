from collections.abc import Iterator

import pytest
from accelerate import Accelerator

from undegrade.errors import UndegradeError
from undegrade.training import processes
from undegrade.training.processes import OwnError, agree, first_alone, own


def test_an_error_in_the_share_of_one_process_is_its_own() -> None:
    def share() -> Iterator[int]:
        yield 1
        raise UndegradeError("b.png: damaged")

    taken = own(share())
    assert next(taken) == 1
    with pytest.raises(OwnError, match=r"^b\.png: damaged$"):
        next(taken)


def test_one_process_alone_is_the_first() -> None:
    assert first_alone(Accelerator(cpu=True), lambda: 5) == 5
    agree(Accelerator(cpu=True), (0, 3), "differs")


def test_a_process_that_finds_something_else_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "first_alone", lambda accelerator, work: (1, 500))
    agree(Accelerator(cpu=True), (1, 500), "not shared")
    with pytest.raises(OwnError, match=r"not shared \(process 0 finds None, the first one \(1, 500\)\)"):
        agree(Accelerator(cpu=True), None, "not shared")
