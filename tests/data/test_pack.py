import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from undegrade.cli import main
from undegrade.data import pack as pack_file
from undegrade.data.folder import CleanFolder, PairFolder, open_set
from undegrade.data.pack import Pack, is_pack, write_pack
from undegrade.data.pairs import find_whole
from undegrade.errors import UndegradeError
from undegrade.images import read_8bit

Tree = Callable[..., Path]


@pytest.fixture
def hazy(tree: Tree) -> Path:
    """Three pairs with two clean pictures, of two sizes."""
    tree("clear/2.png", "hazy/2_1.png", size=(6, 5))
    return tree("clear/1.png", "hazy/1_1.png", "hazy/1_2.jpg")


@pytest.fixture
def packed(hazy: Path, tmp_path: Path) -> Path:
    write_pack(find_whole(hazy), tmp_path / "pack")
    return tmp_path / "pack"


def test_packed_pixels_are_those_of_the_files(hazy: Path, packed: Path) -> None:
    files, pack = open_set(hazy), open_set(packed)
    assert isinstance(pack, Pack)
    assert pack.pairs == files.pairs
    assert pack.paired
    for index in range(3):
        for ours, theirs in zip(pack.load(index), files.load(index), strict=True):
            np.testing.assert_array_equal(ours, theirs)
            assert ours.dtype == np.uint8
            assert not ours.flags.writeable


def test_each_picture_is_stored_once_back_to_back(hazy: Path, packed: Path) -> None:
    index = json.loads((packed / "index.json").read_text())
    assert [name for name, *_ in index["pictures"]] == [
        "clear/1.png",
        "hazy/1_1.png",
        "hazy/1_2.jpg",
        "clear/2.png",
        "hazy/2_1.png",
    ]
    everything = b"".join(read_8bit(hazy / name).transpose(1, 2, 0).tobytes() for name, *_ in index["pictures"])
    assert (packed / "pixels.bin").read_bytes() == everything


def test_a_pack_of_clean_pictures_is_a_folder_of_them(tree: Tree, tmp_path: Path) -> None:
    root = tree("a.png", "b.png", "below/c.png", "d.png")
    write_pack(find_whole(root), tmp_path / "pack")
    for part in ("train", "held_out", "all"):
        files, packed = (CleanFolder(place, part=part, holdout=2) for place in (root, tmp_path / "pack"))
        assert packed.names == files.names
        for index in range(len(files)):
            np.testing.assert_array_equal(packed.load(index), files.load(index))
    with pytest.raises(UndegradeError, match="pack: no pairs"):
        PairFolder(open_set(tmp_path / "pack"), "haze")


def test_packed_pairs_are_no_clean_pictures(packed: Path) -> None:
    with pytest.raises(UndegradeError, match="pack: holds pairs; expected clean pictures"):
        CleanFolder(packed)


def test_the_map_stays_in_its_process(packed: Path) -> None:
    pack = Pack(packed)
    before = len(pickle.dumps(pack))
    first = pack.load(0)[0].copy()
    assert len(pickle.dumps(pack)) == before
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(pack)).load(0)[0], first)


def test_labels_are_kept(tree: Tree, tmp_path: Path) -> None:
    root = tree("clear/1.png", "haze/1.png", "low/1.png")
    write_pack(find_whole(root), tmp_path / "pack")
    assert [pair.label for pair in open_set(tmp_path / "pack").pairs] == ["haze", "low"]


def test_an_index_of_something_else_does_not_make_a_pack(tree: Tree) -> None:
    root = tree("a.png")
    (root / "index.json").write_text('{"pictures": []}')
    assert not is_pack(root)
    assert len(CleanFolder(root)) == 1


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("pixels.bin", lambda data: data[:-1], r"pixels\.bin: .* bytes; expected .*: cut short"),
        ("index.json", lambda data: data[:-20], r"index\.json: damaged"),
        ("index.json", lambda data: data.replace(b'"pairs"', b'"pears"'), r"index\.json: damaged"),
    ],
)
def test_a_damaged_pack_is_named(packed: Path, name: str, change: Callable[[bytes], bytes], message: str) -> None:
    (packed / name).write_bytes(change((packed / name).read_bytes()))
    with pytest.raises(UndegradeError, match=message):
        open_set(packed)


def test_what_cannot_be_packed_leaves_nothing(tree: Tree, tmp_path: Path) -> None:
    root = tree("input/a.png", "input/b.png", "target/a.png")
    tree("target/b.png", size=(9, 10))
    with pytest.raises(UndegradeError, match=r"input/b\.png: 10 x 8 pixels, but .*target/b\.png has 10 x 9"):
        write_pack(find_whole(root), tmp_path / "pack")
    (root / "target" / "b.png").write_bytes(b"")
    with pytest.raises(UndegradeError, match=r"target/b\.png: the file is empty"):
        write_pack(find_whole(root), tmp_path / "pack")
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_the_command_packs_and_never_overwrites(
    hazy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.read_bytes() for path in hazy.rglob("*.*")}
    out = tmp_path / "pack"
    assert main(["data", "pack", str(hazy), "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert len(Pack(out).pairs) == 3
    with monkeypatch.context() as patch:
        patch.setattr(pack_file, "read_8bit", None)  # nothing is decoded in vain
        assert main(["data", "pack", str(hazy), "-o", str(out)]) == 2
    assert "pack: exists already and is never overwritten" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in hazy.rglob("*.*")} == before
