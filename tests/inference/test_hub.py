"""Models as folders in the layout of the Hugging Face Hub, and from a server that answers as the Hub does."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

import undegrade
from undegrade.cli import main
from undegrade.errors import UndegradeError
from undegrade.inference.hub import folder_of, push_folder, save_folder
from undegrade.inference.models import find_model
from undegrade.networks.checkpoint import load_checkpoint

PLAIN = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
COMMIT = "0123456789abcdef0123456789abcdef01234567"
RESTORE = "import sys, undegrade; print(undegrade.restore(sys.argv[2], model=sys.argv[1]).image.mean())"


@pytest.fixture(scope="module")
def folder(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hub") / "tiny"
    assert model.with_suffix(".xml").exists()
    save_folder(model.with_suffix(".safetensors"), made, license="apache-2.0")
    return made


@pytest.fixture(scope="module")
def hub(folder: Path) -> Iterator[str]:
    """The address of a server with the folder as someone/tiny."""

    class Answer(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Quietly."""

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            if self.path.startswith("/api/models/someone/tiny/tree"):
                sizes = [(file.name, file.stat().st_size) for file in folder.iterdir()]
                tree = [{"type": "file", "path": name, "size": size, "oid": name} for name, size in sizes]
                return self.give(json.dumps(tree).encode())
            if self.path.startswith("/api/models/someone/tiny"):
                files = [{"rfilename": file.name} for file in folder.iterdir()]
                return self.give(json.dumps({"id": "someone/tiny", "sha": COMMIT, "siblings": files}).encode())
            place = self.path.partition("?")[0].split("/")
            if place[:4] == ["", "someone", "tiny", "resolve"] and (folder / place[-1]).is_file():
                return self.give((folder / place[-1]).read_bytes())
            self.send_error(404)

        def give(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def python(
    arguments: list[str], hub: str, home: Path, more: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A process of its own, which reads where the Hub is when it imports its client."""
    where = {"HF_ENDPOINT": hub, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**PLAIN, **where, **(more or {})},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_folder_has_the_hubs_layout_and_runs(folder: Path, photo_file: Path) -> None:
    names = {"config.json", "README.md", "model.safetensors", "model.xml", "model.bin"}
    assert {file.name for file in folder.iterdir()} == names
    config = json.loads((folder / "config.json").read_text())
    assert config["network"] == "nafnet"
    assert config["library_name"] == "undegrade"
    assert (folder / "README.md").read_text().startswith("---\nlicense: apache-2.0\n")
    assert load_checkpoint(folder / "model.safetensors").labels == tuple(config["labels"])
    assert find_model(folder) == folder / "model.xml"
    restored = undegrade.restore(photo_file, model=folder)
    again = undegrade.load(folder / "model.safetensors")
    weights = undegrade.restore(photo_file, model=again)  # bf16 and float32 differ
    assert np.abs(np.subtract(restored.image, weights.image, dtype=float)).mean() < 1


@pytest.mark.slow
def test_a_model_comes_from_the_hub_once(hub: str, folder: Path, photo_file: Path, tmp_path: Path) -> None:
    for more in ({}, {"HF_HUB_OFFLINE": "1"}):
        done = python(["-c", RESTORE, "hf:someone/tiny", str(photo_file)], hub, tmp_path, more)
        assert done.returncode == 0, done.stderr
        assert float(done.stdout) == pytest.approx(undegrade.restore(photo_file, model=folder).image.mean())


@pytest.mark.slow
def test_what_the_hub_has_not_is_one_line(hub: str, tmp_path: Path, photo_file: Path) -> None:
    done = python(["-m", "undegrade", "restore", str(photo_file), "--model", "hf:someone/else"], hub, tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: hf:someone/else: cannot be fetched (")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["hf:", "hf:alone", "hf:a/b/c", "hf:a/b@", "hf:a b/c"])
def test_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(UndegradeError, match="expected hf:OWNER/NAME"):
        folder_of(name)


def test_folders_that_are_none_are_refused(tmp_path: Path, checkpoint: Path, folder: Path) -> None:
    with pytest.raises(UndegradeError, match="holds no model; expected model"):
        find_model(tmp_path)
    with pytest.raises(UndegradeError, match=r"has no model.safetensors; expected a folder written by"):
        push_folder(tmp_path, "someone/tiny")
    with pytest.raises(UndegradeError, match="exists already"):
        save_folder(checkpoint, folder, license="mit")
    with pytest.raises(UndegradeError, match=r"cannot be written \(No such file"):
        save_folder(checkpoint, tmp_path / "no" / "such", license="mit")


def test_the_command_says_what_it_wrote(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = tmp_path / "card.md"
    card.write_text("# Tiny\n")
    arguments = ["hub", "save", str(checkpoint), "-o", str(tmp_path / "out"), "--card", str(card), "--json"]
    assert main(arguments) == 2
    assert "--license: not given" in capsys.readouterr().err
    assert main([*arguments, "--license", "mit"]) == 0
    (said,) = json.loads(capsys.readouterr().out)
    assert {"README.md", "config.json", "model.safetensors"} <= set(said["files"])
    written = (tmp_path / "out" / "README.md").read_text()
    assert written.startswith("---\nlicense: mit\n")
    assert written.endswith("---\n\n# Tiny\n")


def test_a_card_with_a_head_keeps_it_and_one_that_is_no_text_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    card = tmp_path / "card.md"
    card.write_text("---\nlicense: mit\n---\n# Tiny\n")
    save_folder(checkpoint, tmp_path / "out", license="apache-2.0", card=card)
    assert (tmp_path / "out" / "README.md").read_text() == card.read_text()
    card.write_bytes(b"caf\xe9")
    with pytest.raises(UndegradeError, match="is no text in UTF-8"):
        save_folder(checkpoint, tmp_path / "again", license="mit", card=card)


def test_an_export_of_other_weights_or_half_of_one_is_not_packed(
    model: Path, contented_model: Path, tmp_path: Path
) -> None:
    for part in (".safetensors", ".xml", ".bin"):
        shutil.copy(model.with_suffix(part), tmp_path / f"mine{part}")
    shutil.copy(contented_model.with_suffix(".safetensors"), tmp_path / "mine.safetensors")
    with pytest.raises(UndegradeError, match="was exported from other weights"):
        save_folder(tmp_path / "mine.safetensors", tmp_path / "out", license="mit")
    (tmp_path / "mine.bin").unlink()
    with pytest.raises(UndegradeError, match=r"mine.bin: no such file"):
        save_folder(tmp_path / "mine.safetensors", tmp_path / "out", license="mit")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_hub_that_is_out_of_reach_is_one_line(folder: Path, tmp_path: Path) -> None:
    push = ["-m", "undegrade", "hub", "push", str(folder), "someone/tiny"]
    done = python(push, "http://127.0.0.1:9", tmp_path, {"HF_TOKEN": "x"})
    assert done.returncode == 2
    assert done.stderr.startswith("error: hf:someone/tiny: cannot be pushed (")
    assert done.stderr.count("\n") == 1
