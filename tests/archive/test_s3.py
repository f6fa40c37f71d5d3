"""Archives in an object store that speaks S3: a real server, on this machine; and over HTTP."""

import hashlib
import http.server
import io
import json
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow", reason="no pyarrow: pip install 'undegrade[ray]'")

import pyarrow.parquet as pq

from undegrade.archive.orders import Order
from undegrade.archive.store import StoreError, open_store
from undegrade.errors import UndegradeError

Make = Callable[..., Order]
CarryOut = Callable[..., Any]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be reached is not tried again."""
    monkeypatch.setitem(open_store.__globals__, "TRIES", 1)


@pytest.fixture
def s3(server: str, scans: Path) -> Iterator[Any]:
    """A client of the server, with the archive in `inbox/scans`, whatever was there before."""
    import boto3

    client = boto3.client("s3", endpoint_url=server)
    urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset", method="POST")).close()
    for bucket in ("inbox", "outbox"):
        client.create_bucket(Bucket=bucket)
    for path in scans.rglob("*"):
        if path.is_file():
            client.put_object(Bucket="inbox", Key=f"scans/{path.relative_to(scans)}", Body=path.read_bytes())
    yield client
    client.close()


def contents(client: Any, bucket: str) -> dict[str, bytes]:
    keys = [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket).get("Contents", [])]
    return {key: client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def judge(server: str, *, from_now_on: bool) -> None:
    """Let the server ask who asks, and whether they may; or not."""
    address, count = f"{server}/moto-api/reset-auth", b"0" if from_now_on else b"inf"
    request = urllib.request.Request(address, count, {"Content-Type": "text/plain"}, method="POST")
    urllib.request.urlopen(request).close()


def test_from_bucket_to_bucket(s3: Any, scans: Path, tmp_path: Path, make_order: Make, carry_out: CarryOut) -> None:
    before = contents(s3, "inbox")
    order = make_order("s3://inbox/scans/", "s3://outbox/restored/")
    assert carry_out(order).counts == {"restored": 5}
    carry_out(make_order(scans, tmp_path / "out"))
    made = {key: content for key, content in contents(s3, "outbox").items() if "_undegrade" not in key}
    assert made == {
        f"restored/{name}": (tmp_path / "out" / name).read_bytes()
        for name in ("1999/a.png", "1999/june/c.tif", "1999/june/d.png", "a.png", "b.jpg")
    }
    assert contents(s3, "inbox") == before
    s3.delete_object(Bucket="outbox", Key="restored/1999/june/c.tif")
    assert carry_out(order).counts == {"restored": 1, "done before": 4}


def test_a_missing_bucket_is_named(s3: Any, make_order: Make, carry_out: CarryOut, tmp_path: Path) -> None:
    gone = carry_out(make_order("s3://attic/scans", tmp_path / "out"))
    assert gone.failures == {"/": "s3://attic/scans: no such bucket; create it, or check the name"}
    gone = carry_out(make_order("s3://inbox/scams", tmp_path / "out"))
    assert gone.failures == {"/": "s3://inbox/scams: not there; check the name"}
    with pytest.raises(UndegradeError, match=r"^s3://attic/_undegrade\S*: no such bucket; create it"):
        carry_out(make_order("s3://inbox/scans", "s3://attic"))


def test_a_store_that_is_not_reached_is_named(
    s3: Any, make_order: Make, carry_out: CarryOut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    gone = carry_out(make_order("s3://inbox/scans", tmp_path / "out"))
    assert gone.failures["/"].startswith("s3://inbox/scans: cannot be reached; check the address (AWS_ENDPOINT_URL)")


def test_where_a_key_may_not_read_the_others_go_on(
    s3: Any, server: str, make_order: Make, carry_out: CarryOut, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3

    iam = boto3.client("iam", endpoint_url=server)
    iam.create_user(UserName="reader")
    allowed = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    denied = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::inbox/scans/1999/june/*"}

    def permit(*statements: dict[str, str]) -> None:
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName="reader", PolicyName="reads", PolicyDocument=document)

    permit(allowed, denied)
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    judge(server, from_now_on=True)
    try:
        order = make_order("s3://inbox/scans", tmp_path / "out")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        assert "wrong credentials; check AWS_ACCESS_KEY_ID" in carry_out(order).failures["/"]
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        gone = carry_out(order)
        assert gone.counts == {"restored": 3, "failed": 2}
        assert set(gone.failures.values()) == {
            f"s3://inbox/scans/1999/june/{name}: permission denied; ask for the right to it"
            for name in ("c.tif", "d.gif")
        }
    finally:
        judge(server, from_now_on=False)
    assert carry_out(order).counts == {"restored": 2, "done before": 3}


def restore(source: str, model: Path) -> tuple[int, dict[str, Any], str]:
    """`undegrade restore` with workers of Ray, as a user gives it: its code, its summary, and what it complains of."""
    command = ["restore", source, "-o", "s3://outbox/restored/", "--ray", "local", "--jobs", "1", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "undegrade", *command, "--model", str(model)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    summaries = [json.loads(line)["summary"] for line in done.stdout.splitlines()]
    return done.returncode, summaries[0] if summaries else {}, done.stderr


@pytest.mark.slow
def test_the_command_restores_a_bucket_with_workers_of_ray(
    ray_env: None, s3: Any, scans: Path, model: Path, tmp_path: Path
) -> None:
    code, summary, complaints = restore("s3://inbox/scans/", model)
    assert (code, complaints) == (0, "")
    assert (summary["listed"], summary["restored"], summary["workers_lost"]) == (5, 5, 0)
    made = contents(s3, "outbox")
    parts = [content for key, content in made.items() if key.startswith("restored/_undegrade/manifest/")]
    rows = [row for part in parts for row in pq.read_table(io.BytesIO(part)).to_pylist()]
    names = ("a.png", "b.jpg", "1999/a.png", "1999/june/c.tif", "1999/june/d.gif")
    sources = {name: (scans / name).read_bytes() for name in names}
    assert {row["source"]: row["sha256"] for row in rows} == {
        source: hashlib.sha256(content).hexdigest() for source, content in sources.items()
    }
    assert len(rows) == 5
    for row in rows:
        assert row["outcome"] == "restored"
        assert row["label"] == "rain"
        assert row["target_sha256"] == hashlib.sha256(made[f"restored/{row['target']}"]).hexdigest()
    code, summary, _ = restore("s3://inbox/scans/", model)
    assert (code, summary["listed"], summary["done before"]) == (0, 5, 5)
    results = [key for key in made if "_undegrade" not in key]
    assert {key: content for key, content in contents(s3, "outbox").items() if key in results} == {
        key: made[key] for key in results
    }


@pytest.mark.slow
def test_the_command_names_a_missing_bucket_and_fails(ray_env: None, s3: Any, model: Path) -> None:
    code, summary, complaints = restore("s3://attic/scans/", model)
    assert code == 1
    assert summary["failed"] == 1
    assert complaints.splitlines()[0] == "error: s3://attic/scans: no such bucket; create it, or check the name"


@pytest.fixture
def web_server(scans: Path) -> Iterator[str]:
    """The archive behind a plain web server that lists its folders."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(scans))) as started:
        threading.Thread(target=started.serve_forever, daemon=True).start()
        yield "http://{}:{}".format(*started.server_address)
        started.shutdown()


def test_over_http_an_archive_is_read(web_server: str, tmp_path: Path, make_order: Make, carry_out: CarryOut) -> None:
    order = make_order(web_server, tmp_path / "out")
    assert carry_out(order).counts == {"restored": 5}
    assert carry_out(order).counts == {"done before": 5}  # by the content: the server does not say more
    (tmp_path / "out" / "b.jpg").unlink()
    assert carry_out(make_order(f"{web_server}/b.jpg", tmp_path / "out")).counts == {"restored": 1}
    with pytest.raises(UndegradeError, match="HTTP is only read"):
        open_store(web_server, writing=True)
    with pytest.raises(StoreError, match="not there; check the name"):
        open_store(web_server).read("nothing.png")


@pytest.mark.parametrize(
    ("url", "what"),
    [("ftp://host/scans", "unknown kind of place; expected a folder, or s3://"), ("s3:///scans", "names no bucket")],
)
def test_other_places_are_refused(url: str, what: str) -> None:
    with pytest.raises(UndegradeError, match=what):
        open_store(url)
