import io
import json
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from undegrade.cli import main
from undegrade.data import shards as shards_file
from undegrade.data.folder import CleanFolder, PairFolder, open_set
from undegrade.data.pairs import find_whole
from undegrade.data.shards import Shards, is_sharded, write_shards
from undegrade.errors import UndegradeError

Tree = Callable[..., Path]


@pytest.fixture
def hazy(tree: Tree) -> Path:
    """Five pairs with two clean pictures; names with dots."""
    return tree("clear/1.png", "clear/2.png", "hazy/1_0.8_0.2.jpg", *(f"hazy/2_1.{i}.png" for i in range(4)))


@pytest.fixture
def sharded(hazy: Path, tmp_path: Path) -> Path:
    """`hazy` in several shards."""
    assert write_shards(find_whole(hazy), tmp_path / "shards", size_mb=0.012) == 2
    return tmp_path / "shards"


def web_dataset(folder: Path) -> list[dict[str, bytes]]:
    """The samples as the webdataset package groups them: by the name up to the first dot of its last part."""
    samples: list[dict[str, bytes]] = []
    for path in sorted(folder.glob("*.tar")):
        key = None
        with tarfile.open(path) as file:
            for member in file:
                stem, _, ending = member.name.rpartition("/")[2].partition(".")
                if stem != key:
                    samples.append({"__key__": stem.encode()})
                    key = stem
                assert ending not in samples[-1]
                content = file.extractfile(member)
                assert content is not None
                samples[-1][ending] = content.read()
    return samples


def test_samples_follow_the_webdataset_convention_with_the_original_bytes(hazy: Path, sharded: Path) -> None:
    samples, pairs = web_dataset(sharded), find_whole(hazy).pairs
    assert len({sample["__key__"] for sample in samples}) == len(samples) == len(pairs) == 5
    for sample, pair in zip(samples, pairs, strict=True):
        ending = f"degraded{Path(pair.degraded).suffix}"
        assert set(sample) == {"__key__", ending, "clean.png", "json"}
        assert sample[ending] == (hazy / pair.degraded).read_bytes()
        assert sample["clean.png"] == (hazy / pair.clean).read_bytes()
        facts = json.loads(sample["json"])
        assert facts == {"label": None, "degraded": pair.degraded, "clean": pair.clean}


def test_shards_keep_to_their_size(sharded: Path) -> None:
    assert [path.name for path in sorted(sharded.iterdir())] == ["000000.tar", "000001.tar", "shards.json"]
    assert all(path.stat().st_size <= 12_000 for path in sharded.glob("*.tar"))


def test_one_sample_is_never_parted(hazy: Path, tmp_path: Path) -> None:
    assert write_shards(find_whole(hazy), tmp_path / "shards", size_mb=0.0001) == 5
    assert len(web_dataset(tmp_path / "shards")) == 5


def test_any_sample_can_be_read_at_any_time(hazy: Path, sharded: Path) -> None:
    files, shards = open_set(hazy), open_set(sharded)
    assert isinstance(shards, Shards)
    assert shards.paired
    assert shards.pairs == files.pairs
    for index in (4, 0, 3, 3, 1, 2):
        for ours, theirs in zip(shards.load(index), files.load(index), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(shards)).load(2)[0], files.load(2)[0])


def test_labels_are_kept(tree: Tree, tmp_path: Path) -> None:
    write_shards(find_whole(tree("clear/1.png", "haze/1.png", "low/1.png")), tmp_path / "shards")
    assert PairFolder(open_set(tmp_path / "shards"), "low").names == ["low/1.png"]


def test_shards_of_clean_pictures_are_a_folder_of_them(tree: Tree, tmp_path: Path) -> None:
    root = tree("a.png", "b.jpg", "below/c.png")
    write_shards(find_whole(root), tmp_path / "shards")
    assert all(set(sample) & {"clean.png", "clean.jpg"} for sample in web_dataset(tmp_path / "shards"))
    files, shards = CleanFolder(root), CleanFolder(tmp_path / "shards")
    assert shards.names == files.names
    for index in range(3):
        np.testing.assert_array_equal(shards.load(index), files.load(index))


def test_the_index_is_made_once_and_anew_when_the_shards_change(
    sharded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sharded / "shards.json").unlink()
    scanned = []

    def scan(folder: Path) -> list[shards_file.Sample]:
        scanned.append(folder)
        return found(folder)

    found = shards_file._scan
    monkeypatch.setattr(shards_file, "_scan", scan)
    first = open_set(sharded).pairs
    assert open_set(sharded).pairs == first
    assert len(scanned) == 1
    (sharded / "000001.tar").unlink()
    assert 0 < len(open_set(sharded).pairs) < len(first)
    assert len(scanned) == 2
    (sharded / "shards.json").write_text("{")
    open_set(sharded)
    assert len(scanned) == 3


def add(file: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    file.addfile(member, io.BytesIO(content))


def test_shards_of_others_are_read(hazy: Path, tmp_path: Path) -> None:
    """Folders in the names, other members, the label in the JSON alone."""
    (tmp_path / "theirs").mkdir()
    clean, degraded = ((hazy / name).read_bytes() for name in ("clear/1.png", "hazy/1_0.8_0.2.jpg"))
    with tarfile.open(tmp_path / "theirs" / "set-000000.tar", "w", format=tarfile.GNU_FORMAT) as file:
        for key in ("a/" + "long" * 40, "b/1"):
            add(file, f"{key}.clean.png", clean)
            add(file, f"{key}.degraded.JPG", degraded)
            add(file, f"{key}.txt", b"a caption")
            add(file, f"{key}.json", b'{"label": "haze"}')
    shards = open_set(tmp_path / "theirs")
    assert [(pair.label, pair.degraded) for pair in shards.pairs][1] == ("haze", "b/1.degraded.jpg")
    files = open_set(hazy)
    for ours, theirs in zip(shards.load(1), files.load(0), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_archive_that_a_set_came_in_does_not_make_it_shards(hazy: Path, sharded: Path) -> None:
    (hazy / "download.tar").write_bytes((sharded / "000000.tar").read_bytes())
    assert not is_sharded(hazy)
    assert len(open_set(hazy).pairs) == 5
    assert is_sharded(sharded)
    (sharded / "shards.json").unlink()
    assert is_sharded(sharded)
    assert not is_sharded(hazy / "absent")


def test_a_sample_without_clean_picture_is_named(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as file:
        add(file, "1.degraded.png", b"")
    with pytest.raises(UndegradeError, match=r"x\.tar: the sample '1' has no clean picture; expected 1\.clean\.png"):
        open_set(tmp_path)


def test_a_shard_that_is_cut_short_is_named(sharded: Path) -> None:
    path = sharded / "000001.tar"
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(UndegradeError, match=r"000001\.tar: damaged or cut short"):
        open_set(sharded)
    path.write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(UndegradeError, match=r"000001\.tar: damaged or cut short"):
        open_set(sharded)


def test_a_damaged_member_is_named_when_it_is_read(sharded: Path) -> None:
    path = sharded / "000000.tar"
    data = bytearray(path.read_bytes())
    data[512:700] = bytes(188)
    path.write_bytes(data)
    with pytest.raises(UndegradeError, match=r"000000\.tar at byte 512: not a picture"):
        open_set(sharded).load(0)


def test_the_command_shards_and_never_overwrites(
    hazy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in hazy.rglob("*.*")}
    out = tmp_path / "shards"
    assert main(["data", "shard", str(hazy), "-o", str(out), "--size-mb", "1"]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert len(open_set(out).pairs) == 5
    assert main(["data", "shard", str(hazy), "-o", str(out)]) == 2
    assert "shards: exists already and is never overwritten" in capsys.readouterr().err
    assert main(["data", "shard", str(hazy), "-o", str(tmp_path / "x"), "--size-mb", "0"]) == 2
    assert {path: path.read_bytes() for path in hazy.rglob("*.*")} == before
    (hazy / "clear" / "2.png").unlink()
    assert main(["data", "shard", str(hazy), "-o", str(tmp_path / "y")]) == 2
    assert "no clean picture for it" in capsys.readouterr().err
    assert not (tmp_path / "y").exists()
