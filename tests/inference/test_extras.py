import pytest

from undegrade.errors import UndegradeError
from undegrade.inference.extras import needs_train


def test_a_missing_extra_is_named_in_one_line() -> None:
    expected = r"^x needs `pip install 'undegrade\[train\]'` \(torch.nn is not installed\)$"
    with pytest.raises(UndegradeError, match=expected), needs_train("x"):
        raise ModuleNotFoundError(name="torch.nn")


def test_other_missing_modules_are_no_matter_of_the_extra() -> None:
    with pytest.raises(ModuleNotFoundError), needs_train("x"):
        raise ModuleNotFoundError(name="undegrade.nonsense")
