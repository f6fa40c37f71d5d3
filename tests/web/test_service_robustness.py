"""The service under its own description, hostile files and a full disk."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from test_service import Running, a_picture, service

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,missing_required_header,use_after_free"
)


def png(width: int, height: int) -> bytes:
    """A header that promises a picture of this size, and pixels of none."""
    import struct

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.slow
def test_its_own_description_is_true(tmp_path: Path) -> None:
    with service(tmp_path) as running:
        command = [str(Path(sys.executable).with_name("st")), "run", f"{running.url}/openapi.json", "--checks", CHECKS]
        command += ["--phases", "coverage,fuzzing", "--max-examples", "8", "--seed", "1", "--no-color"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
        assert "9 selected / 9 total" in done.stdout


HOSTILE = {
    "a bomb": png(100_000, 100_000),
    "cut off": a_picture()[:-2000],
    "no pixels": png(64, 64),
    "a page": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
    "a script": b"%!PS-Adobe-3.0\n(r) file",
    "zeros": bytes(10_000),
    "an endless header": b"\xff\xd8" + b"\xff\xe1\xff\xff" * 1000,
    "an archive": b"PK\x03\x04" + bytes(1000),
}


def test_hostile_files_cost_one_line_each(tmp_path: Path) -> None:
    with service(tmp_path) as running:
        for name, content in HOSTILE.items():
            for path in ("/v1/restore", "/v1/diagnose", "/v1/degrade?as=noise"):
                status, _, body = running.ask("POST", path, content)
                assert status == 422, (name, path, body)
                error = json.loads(body)["error"]
                assert "\n" not in error
                assert str(tmp_path) not in error, name
                assert "internal error" not in error, name
        assert json.loads(running.ask("GET", "/healthz")[2])["workers"]["universal-small"]["deaths"] == 0


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no right to mount a small disk")
    try:
        with service(tmp_path) as running:
            assert full(running) == 507
            assert running.ask("POST", "/v1/diagnose", a_picture())[0] == 200  # what was sent in vain is gone
    finally:
        subprocess.run(["umount", str(tmp_path)], check=False)


def full(running: Running) -> int:
    return running.ask("POST", "/v1/diagnose", bytes(1_500_000))[0]
