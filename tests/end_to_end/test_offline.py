"""Nothing is fetched and nothing is sent: not by undegrade, not by what it is built on."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# Loaded by every Python process before anything else, also by those that a command may start. Audit hooks see what
# Python code does, whichever module it is in; they cannot be taken off again.
WATCH = """
import os, sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request"):
        family = getattr(arguments[0], "family", None) if arguments else None
        if family is not None and family.name == "AF_UNIX":
            return
        with open(os.environ["WATCH_LOG"], "a") as log:
            log.write(f"{event} {arguments!r}\\n")
        raise OSError("no network in this test")
sys.addaudithook(watch)
"""
COMMAND = "import sys; from undegrade.cli import main; sys.exit(main())"
PROBE = "import socket; socket.create_connection(('192.0.2.1', 9), timeout=1)"


def offline(tmp_path: Path, arguments: list[str], *, prefix: tuple[str, ...] = ()) -> tuple[int, str, str]:
    """(exit code, stderr, what tried to connect) of a Python process without a network."""
    folder, log = tmp_path / "site", tmp_path / "log"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(WATCH)
    log.write_text("")
    environment = {**os.environ, "WATCH_LOG": str(log)}
    environment["PYTHONPATH"] = f"{folder}:{environment.get('PYTHONPATH', '')}"
    # Without these, telemetry would not even be tried on a build machine.
    for name in ("CI", "TF_BUILD", "JENKINS_URL", "DO_NOT_TRACK", "PYTEST_CURRENT_TEST"):
        environment.pop(name, None)
    environment["HOME"] = str(tmp_path)  # nor where it was declined before
    done = subprocess.run(
        [*prefix, sys.executable, "-c", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )
    return done.returncode, done.stderr, log.read_text()


def test_the_watch_notices_a_connection(tmp_path: Path) -> None:
    code, _, tried = offline(tmp_path, [PROBE])
    assert code == 1
    assert "192.0.2.1" in tried


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["restore", "diagnose", "degrade", "export", "models"])
def test_no_command_connects(verb: str, model: Path, checkpoint: Path, photo_file: Path, tmp_path: Path) -> None:
    out, photo = str(tmp_path / "out.png"), str(photo_file)
    rest = {
        "restore": [photo, "--model", str(model), "--record"],
        "diagnose": [photo, "--model", str(model)],
        "degrade": [photo, "-o", out, "--as", "noise(sigma=25)"],
        "export": [str(checkpoint), "-o", str(tmp_path / "out.xml")],
        "models": [],
    }[verb]
    assert offline(tmp_path, [COMMAND, verb, *rest]) == (0, "", "")
    # OpenVINO writes a number that identifies the user into the home folder when it reports.
    assert {path.name for path in tmp_path.iterdir()} <= {"in", "site", "log", "out.png", "out.xml", "out.bin"}


def test_openvino_reports_where_it_is_not_kept_from_it(tmp_path: Path) -> None:
    """Or the tests above would prove nothing of it; when this fails, OpenVINO has changed and the door can go."""
    _, _, tried = offline(tmp_path, ["import openvino"])
    assert "google-analytics" in tried


def test_what_others_do_with_its_telemetry_is_theirs(tmp_path: Path) -> None:
    code = "from undegrade.inference.openvino import openvino; openvino(); import openvino_telemetry.main"
    assert offline(tmp_path, [code]) == (0, "", "")


@pytest.mark.slow
def test_restoring_works_where_there_is_no_network_at_all(model: Path, photo_file: Path, tmp_path: Path) -> None:
    # This holds for C and C++ code too, which no audit hook sees.
    unshare = ("unshare", "--net", "--map-root-user", "--user")
    if not shutil.which("unshare") or subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("the system does not let a process leave its network")
    code, _, _ = offline(tmp_path, [PROBE], prefix=unshare)
    assert code == 1
    arguments = [COMMAND, "restore", str(photo_file), "--model", str(model)]
    assert offline(tmp_path, arguments, prefix=unshare) == (0, "", "")
    assert photo_file.with_name("photo.restored.png").exists()
