"""Archives in folders, gone through in this process: what is done, what is passed over, and what is never touched."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow", reason="no pyarrow: pip install 'undegrade[ray]'")

import pyarrow.parquet as pq

from undegrade.archive.orders import Order, Pace
from undegrade.cli import main
from undegrade.errors import UndegradeError

ALL = ["1999/a.png", "1999/june/c.tif", "1999/june/d.gif", "a.png", "b.jpg"]
WRITTEN = ["1999/a.png", "1999/june/c.tif", "1999/june/d.png", "a.png", "b.jpg"]

Make = Callable[..., Order]
CarryOut = Callable[..., Any]


def below(folder: Path) -> dict[str, bytes]:
    """The files in it by name, but for what an archive's run writes of itself."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: path.read_bytes() for name, path in names.items() if not name.startswith(("_undegrade", "."))}


def manifest(out: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(out / "_undegrade" / "manifest").to_pylist()
    return sorted(rows, key=lambda row: row["source"])


def test_an_archive_is_restored_as_its_pictures_would_be(
    scans: Path, tmp_path: Path, make_order: Make, carry_out: CarryOut, model: Path
) -> None:
    before, out = below(scans), tmp_path / "out"
    gone = carry_out(make_order(scans, out))
    assert (gone.counts, gone.failures) == ({"restored": 5}, {})
    assert list(below(out)) == WRITTEN
    assert main(["restore", str(scans), "-r", "-o", str(tmp_path / "usual"), "--model", str(model)]) == 0
    assert below(out) == below(tmp_path / "usual")
    assert below(scans) == before
    assert [path.name for path in sorted((out / "_undegrade").iterdir())] == ["failed.jsonl", "manifest"]
    assert (out / "_undegrade" / "failed.jsonl").read_text() == ""

    rows = manifest(out)
    assert [row["source"] for row in rows] == ALL
    assert {row["label"] for row in rows} == {"rain"}
    assert [row["pixels"] for row in rows] == [26 * 32, 27 * 32, 28 * 32, 24 * 32, 25 * 32]
    assert [row["target"] for row in rows] == WRITTEN


def test_again_only_what_is_missing_is_done(scans: Path, tmp_path: Path, make_order: Make, carry_out: CarryOut) -> None:
    out = tmp_path / "out"
    order = make_order(scans, out)
    carry_out(order)
    results = below(out)
    assert carry_out(order).crew.batches == []  # by name, size and time alone
    os.utime(scans / "a.png", ns=(1, 1))
    (out / "1999" / "a.png").unlink()
    again = carry_out(order)
    assert again.counts == {"done before": 4, "restored": 1}  # by its content
    assert [[item.source for item in batch] for batch in again.crew.batches] == [["a.png", "1999/a.png"]]
    assert below(out) == results
    shutil.copy(scans / "b.jpg", scans / "e.jpg")
    assert carry_out(order).counts == {"done before": 5, "restored": 1}


def test_what_has_changed_is_replaced_only_when_asked(
    scans: Path, tmp_path: Path, make_order: Make, carry_out: CarryOut
) -> None:
    out = tmp_path / "out"
    order = make_order(scans, out)
    carry_out(order)
    results = below(out)
    shutil.copy(scans / "1999" / "a.png", scans / "a.png")
    refused = carry_out(order)
    assert refused.counts == {"done before": 4, "failed": 1}
    assert "made of other content; --overwrite replaces it" in refused.failures["a.png"]
    other = make_order(scans, out, options={**order.options, "strength": 0.5})
    assert carry_out(other).counts == {"failed": 5}
    assert below(out) == results
    assert carry_out(order, overwrite=True).counts == {"done before": 4, "restored": 1}
    assert below(out)["a.png"] == results["1999/a.png"]


def test_what_others_put_there_is_left(scans: Path, tmp_path: Path, make_order: Make, carry_out: CarryOut) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_text("somebody's")
    os.utime(out / "a.png", ns=(10**18, 10**18))
    gone = carry_out(make_order(scans, out))
    assert gone.counts == {"restored": 4, "failed": 1}
    assert gone.failures["a.png"] == f"{out}/a.png: exists already; --overwrite replaces it"
    assert (out / "a.png").read_text() == "somebody's"
    (line,) = (out / "_undegrade" / "failed.jsonl").read_text().splitlines()
    assert json.loads(line).keys() == {"source", "reason", "attempts", "time"}


def test_a_run_that_was_killed_goes_on(scans: Path, tmp_path: Path, make_order: Make, carry_out: CarryOut) -> None:
    out = tmp_path / "out"
    order = make_order(scans, out)
    carry_out(order)
    results = below(out)
    shutil.rmtree(out / "_undegrade" / "manifest")  # killed before it was written down
    assert carry_out(order).counts == {"failed": 5}
    mark = out / "_undegrade" / "unfinished.json"
    mark.write_text("{}")
    os.utime(mark, ns=(10**18, 10**18))  # begun before the results
    assert carry_out(order).counts == {"restored": 5}
    assert below(out) == results
    assert not mark.exists()


def test_a_picture_that_kills_its_workers_is_given_up_and_the_others_go_on(
    scans: Path, tmp_path: Path, make_order: Make, carry_out: CarryOut
) -> None:
    order, pace = make_order(scans, tmp_path / "out"), Pace(deaths=2)
    gone = carry_out(order, lost=["a.png"], pace=pace)
    assert gone.counts == {"restored": 4, "failed": 1}
    assert gone.failures == {"a.png": "a.png: 2 workers died of it (its process ended); look at the file"}
    assert [len(batch) for batch in gone.crew.batches[1:]] == [1] * (len(gone.crew.batches) - 1)
    assert carry_out(order).counts == {"restored": 1, "done before": 4}


def test_bad_pictures_fail_by_their_own_names(
    scans: Path, tmp_path: Path, make_order: Make, carry_out: CarryOut
) -> None:
    (scans / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n cut short")
    (scans / "a.gif").write_bytes((scans / "a.png").read_bytes())
    gone = carry_out(make_order(scans, tmp_path / "out"))
    assert gone.counts == {"restored": 5, "failed": 2}
    assert gone.failures["bad.png"].startswith(f"{scans}/bad.png: ")
    assert gone.failures["a.png"] == f"{tmp_path}/out/a.png: would hold both a.gif and a.png; rename one"


def test_batches_are_of_so_many_pixels(scans: Path, tmp_path: Path, make_order: Make, carry_out: CarryOut) -> None:
    gone = carry_out(make_order(scans, tmp_path / "out"), pace=Pace(batch_pixels=1))
    assert [len(batch) for batch in gone.crew.batches] == [1] * 5


@pytest.mark.parametrize(("source", "out"), [("scans", "scans"), ("scans/1999", "scans"), ("scans", "link")])
def test_results_never_go_where_originals_lie(
    source: str, out: str, scans: Path, make_order: Make, carry_out: CarryOut
) -> None:
    (scans.parent / "link").symlink_to(scans)
    before = below(scans)
    with pytest.raises(UndegradeError, match="originals are never overwritten; choose another output"):
        carry_out(make_order(scans.parent / source, scans.parent / out))
    (scans.parent / "outer").mkdir()
    (scans.parent / "outer" / "1999").symlink_to(scans / "1999")
    gone = carry_out(make_order(scans, scans.parent / "outer"), overwrite=True)
    assert "a link leads out" in gone.failures["1999/a.png"]
    assert below(scans) == before


def test_an_output_inside_the_archive_is_passed_by(scans: Path, make_order: Make, carry_out: CarryOut) -> None:
    order = make_order(scans, scans / "restored")
    assert carry_out(order).counts == {"restored": 5}
    assert carry_out(order).counts == {"done before": 5}


def test_one_picture_is_an_archive_too(scans: Path, tmp_path: Path, make_order: Make, carry_out: CarryOut) -> None:
    gone = carry_out(make_order(scans / "1999" / "june" / "c.tif", tmp_path / "out"))
    assert gone.counts == {"restored": 1}
    assert list(below(tmp_path / "out")) == ["c.tif"]


def test_an_index_changes_nothing(scans: Path, tmp_path: Path, make_order: Make, carry_out: CarryOut) -> None:
    out = tmp_path / "out"
    order = make_order(scans, out, verb="diagnose")
    assert carry_out(order).counts == {"diagnosed": 5}
    assert below(out) == {}
    assert [(row["source"], row["target"], row["label"]) for row in manifest(out)] == [(n, None, "rain") for n in ALL]
    assert carry_out(order).counts == {"done before": 5}
