"""The manifest is a product of its own: its schema is promised, and the documented queries run."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow", reason="no pyarrow: pip install 'undegrade[ray]'")

import pyarrow as pa
import pyarrow.parquet as pq

from undegrade.archive.manifest import KEY, SCHEMA, VERSION, Manifest
from undegrade.archive.orders import Order
from undegrade.archive.store import open_store
from undegrade.errors import UndegradeError

DOCS = Path(__file__).parents[2] / "docs" / "archives.md"

Make = Callable[..., Order]
CarryOut = Callable[..., Any]


def sql_blocks() -> list[str]:
    return re.findall(r"```sql\n(.*?)```", DOCS.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_schema_is_as_documented() -> None:
    table = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert table == [(column.name, str(column.type).replace("item: ", "")) for column in SCHEMA]
    assert f"version {VERSION}" in DOCS.read_text(encoding="utf-8")


def test_the_queries_of_the_manual_run(
    scans: Path, tmp_path: Path, make_order: Make, carry_out: CarryOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    duckdb = pytest.importorskip("duckdb", reason="no DuckDB: pip install duckdb")
    carry_out(make_order(scans, tmp_path / "index"))
    monkeypatch.chdir(tmp_path)
    first, *queries = sql_blocks()
    assert len(queries) >= 3
    with duckdb.connect() as database:
        database.execute(first)
        answers = [database.execute(query).fetchall() for query in queries]
    assert answers[0] == [("rain", 5)]


def test_one_row_stands_for_a_picture_that_was_done_twice(
    scans: Path, tmp_path: Path, make_order: Make, carry_out: CarryOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    duckdb = pytest.importorskip("duckdb", reason="no DuckDB: pip install duckdb")
    carry_out(make_order(scans, tmp_path / "index"))
    (scans / "a.png").write_bytes((scans / "1999" / "a.png").read_bytes())
    carry_out(make_order(scans, tmp_path / "index"), overwrite=True)
    monkeypatch.chdir(tmp_path)
    with duckdb.connect() as database:
        assert database.execute("SELECT count(*) FROM 'index/_undegrade/manifest/*.parquet'").fetchone() == (6,)
        database.execute(sql_blocks()[0])
        assert database.execute("SELECT count(*), count(DISTINCT source) FROM archive").fetchone() == (5, 5)


def test_a_manifest_of_another_version_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "_undegrade" / "manifest"
    folder.mkdir(parents=True)
    manifest = Manifest(store=open_store(str(tmp_path)), write_rows=1, write_seconds=1)
    pq.write_table(pa.Table.from_pylist([], SCHEMA.with_metadata({KEY: b"2"})), folder / "a.parquet")
    with pytest.raises(UndegradeError, match=r"a\.parquet: manifest version 2; this undegrade knows 1"):
        manifest.known()
    (folder / "a.parquet").write_bytes(b"PAR1 cut short")
    with pytest.raises(UndegradeError, match=r"a\.parquet: damaged .*; delete it"):
        manifest.known()
