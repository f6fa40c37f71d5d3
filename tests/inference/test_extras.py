import pytest

from undegrade.inference.extras import MissingExtra, needs_train


def test_a_missing_extra_is_named_in_one_line() -> None:
    expected = r"^x needs the extra train \(torch.nn is not installed\): pip install 'undegrade\[train\]', or in a "
    with pytest.raises(MissingExtra, match=expected), needs_train("x"):
        raise ModuleNotFoundError(name="torch.nn")


def test_other_missing_modules_are_no_matter_of_the_extra() -> None:
    with pytest.raises(ModuleNotFoundError), needs_train("x"):
        raise ModuleNotFoundError(name="undegrade.nonsense")
