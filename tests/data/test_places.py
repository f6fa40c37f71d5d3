from collections.abc import Callable
from pathlib import Path

import pytest

from undegrade.data.folder import Files
from undegrade.data.places import Place, assign, open_pairs
from undegrade.errors import UndegradeError

Tree = Callable[..., Path]


@pytest.fixture
def labelled(tree: Tree) -> Path:
    """Two labels and their clean pictures."""
    return tree("clear/1.png", "clear/2.png", "haze/1.png", "haze/2.png", "rain/1.png", "rain/2.png")


def test_places_are_in_the_order_of_the_recipe() -> None:
    assert assign(("haze", "rain"), ("rain=b:rain13k", "haze=a")) == (
        Place(label="haze", folder=Path("a")),
        Place(label="rain", folder=Path("b"), layout="rain13k"),
    )
    assert assign((), ()) == ()


def test_a_folder_with_labels_needs_none_beside_it(labelled: Path) -> None:
    both = (Place(label="rain", folder=labelled, layout="cdd11"), Place(label="haze", folder=labelled, layout="cdd11"))
    assert assign(("rain", "haze"), (f"{labelled}:cdd11",)) == both
    assert assign(("snow", "haze"), (f"{labelled}:cdd11", "snow=x")) == (Place(label="snow", folder=Path("x")), both[1])


@pytest.mark.parametrize(
    ("needed", "given", "message"),
    [
        (("haze", "rain"), ("haze=a",), "no pairs for rain; add --pairs rain=DIR"),
        (("haze", "rain"), (), "no pairs for haze, rain; add --pairs haze=DIR --pairs rain=DIR"),
        (("haze",), ("haze=a", "snow=b"), "--pairs snow=b: nothing takes pairs of 'snow'; the recipe needs haze"),
        ((), ("snow=b",), "--pairs snow=b: nothing takes pairs of 'snow'; the recipe takes no pairs"),
        (("haze",), ("haze=a", "haze=b"), "--pairs haze=b: 'haze' has a already; put links to both into one folder"),
        (("haze",), ("haze=sets:goprop",), "sets:goprop: no such folder, and 'goprop' is no layout"),
        (("haze",), ("a/b",), "a/b: no such folder"),
    ],
)
def test_what_does_not_fit_is_one_line(needed: tuple[str, ...], given: tuple[str, ...], message: str) -> None:
    with pytest.raises(UndegradeError) as caught:
        assign(needed, given)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_folder_alone_must_name_labels_that_are_needed(labelled: Path, tree: Tree) -> None:
    with pytest.raises(UndegradeError, match="has pairs of haze, rain; expected one of snow"):
        assign(("snow",), (str(labelled),))
    plain = tree("input/a.png", "target/a.png", root="plain")
    with pytest.raises(UndegradeError, match="the set names no labels; write --pairs LABEL="):
        assign(("haze",), (str(plain),))


def test_a_folder_with_several_labels_is_opened_once(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    monkeypatch.setattr(Files, "load", lambda self, index: opened.append(self) or (None, None))
    folders = open_pairs(assign(("haze", "rain"), (str(labelled),)), part="train", holdout=2)
    assert [folder.names for folder in folders] == [["haze/1.png"], ["rain/1.png"]]
    for folder in folders:
        folder.load_pair(0)
    assert len(opened) == 2
    assert opened[0] is opened[1]
