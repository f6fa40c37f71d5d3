"""`undegrade serve` as a process, asked over loopback."""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from undegrade.cli import main
from undegrade.errors import UndegradeError
from undegrade.inference.models import DEFAULT_MODEL
from undegrade.web.client import Client

TOKEN = "correct-horse-battery"


@dataclass(frozen=True, kw_only=True)
class Running:
    """A service in a process of its own."""

    url: str
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, dict(answer.headers), content


@contextmanager
def service(state: Path, *options: str, **environment: str) -> Iterator[Running]:
    command = [sys.executable, "-m", "undegrade", "serve", "--port", "0", "--state", str(state), *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert "answers at" in line, (line, process.stderr.read() if process.poll() is not None else "")
        yield Running(url=line.split()[3], process=process)
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with service(tmp_path_factory.mktemp("state"), "--max-bytes", "2MB", "--max-pixels", "1000000") as one:
        yield one


@pytest.fixture(scope="module")
def client(running: Running) -> Client:
    return Client(running.url)


def a_picture(side: int = 96, form: str = "JPEG") -> bytes:
    """A noisy picture with EXIF."""
    rng = np.random.default_rng(0)
    smooth = np.linspace(60, 200, side)[:, None, None] * np.ones((side, side, 3))
    pixels = np.clip(smooth + rng.normal(0, 25, smooth.shape), 0, 255).astype(np.uint8)
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, exif=exif, **({"quality": 95} if form == "JPEG" else {}))
    return file.getvalue()


def pixels_of(picture: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def test_a_picture_comes_back_as_the_command_line_makes_it(client: Client, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(a_picture(form="PNG"))
    command = [sys.executable, "-m", "undegrade", "restore", str(tmp_path / "photo.png"), "--force"]
    subprocess.run(command, check=True, capture_output=True)
    answered = client.restore(tmp_path / "photo.png", force=True)
    assert answered.picture == (tmp_path / "photo.restored.png").read_bytes()
    assert answered.media_type == "image/png"
    assert answered.report["changed"]
    assert answered.report["repaired"]


def test_metadata_are_kept(client: Client) -> None:
    answered = client.restore(a_picture(), force=True)
    assert Image.open(io.BytesIO(answered.picture)).getexif()[0x010F] == "Maker"


def test_what_is_well_comes_back_bit_for_bit(client: Client) -> None:
    file = io.BytesIO()
    Image.fromarray(np.full((64, 64, 3), 128, np.uint8)).save(file, "PNG")
    answered = client.restore(file.getvalue())
    assert answered.picture == file.getvalue()
    assert not answered.report["changed"]


def test_the_answer_as_json_holds_picture_and_report(running: Running) -> None:
    status, _, body = running.ask("POST", "/v1/restore?answer=json&format=webp", a_picture())
    answer = json.loads(body)
    assert status == 200
    assert answer["media_type"] == "image/webp"
    assert Image.open(io.BytesIO(base64.b64decode(answer["picture"], validate=True))).format == "WEBP"
    assert set(answer["report"]["diagnosis"]["probabilities"]) > {"noise", "jpeg"}


def test_a_form_is_taken_too(running: Running, client: Client) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="picture"; filename="../../a.jpg"\r\n\r\n'
    body += a_picture() + b"\r\n--x--\r\n"
    status, headers, _ = running.ask("POST", "/v1/diagnose", body, Content_Type="multipart/form-data; boundary=x")
    assert status == 200, headers


def test_diagnosis_is_that_of_the_command_line(client: Client, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(a_picture())
    command = [sys.executable, "-m", "undegrade", "diagnose", str(tmp_path / "photo.jpg"), "--json"]
    said = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)[0]
    found = client.diagnose(a_picture())
    assert found["probabilities"] == said["probabilities"]


@pytest.mark.parametrize("answer", ["429 Busy\r\nRetry-After: Sat, 1 Jan 2028", "200 OK\r\nContent-Length: 99"])
def test_the_client_says_what_a_broken_answer_was(answer: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def give() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(f"HTTP/1.1 {answer}\r\n\r\n".encode())

        giving = threading.Thread(target=give)
        giving.start()
        with pytest.raises(UndegradeError, match="http://127"):
            Client(f"http://127.0.0.1:{listening.getsockname()[1]}", patience=0.5).models()
        giving.join()


def test_degrading_is_seeded(client: Client) -> None:
    one, same, other = (client.degrade(a_picture(), "rain", "noise(sigma=25)", seed=s, form="png") for s in (1, 1, 2))
    assert one.picture == same.picture != other.picture
    assert [step["degradation"] for step in one.report["degraded"]] == ["rain", "noise"]


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/v1/restore", b"", 422, "empty"),
        ("/v1/restore", b"no picture at all", 422, "picture"),
        ("/v1/restore", a_picture()[:3000], 422, "picture"),
        ("/v1/restore?strength=2", a_picture(), 422, "strength"),
        ("/v1/restore?only=nonsense", a_picture(), 422, "only: 'nonsense'"),
        ("/v1/restore?strenght=0.5", a_picture(), 422, "strenght"),
        ("/v1/restore?format=exe", a_picture(), 422, "exe"),
        ("/v1/restore?model=/etc/passwd", a_picture(), 422, "not served"),
        ("/v1/restore", a_picture(1200, "PNG")[:10_000] + b"\0" * 3_000_000, 413, "larger"),
        ("/v1/restore", a_picture(1100), 422, "pixels"),
        ("/v1/degrade?as=nonsense", a_picture(), 422, "nonsense"),
        ("/v1/degrade", a_picture(), 422, "as"),
        ("/v1/jobs/../../etc", None, 404, ""),
        ("/v1/nothing", None, 404, ""),
    ],
)
def test_what_cannot_be_done_is_said(running: Running, path: str, body: bytes | None, status: int, said: str) -> None:
    got, _, answer = running.ask("POST" if body is not None else "GET", path, body)
    assert got == status
    error = json.loads(answer)["error"]
    assert said in error
    assert "\n" not in error
    assert "uploads" not in error  # nothing of the service's own folders


def test_a_body_without_length_is_bounded_too(running: Running) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    chunks = (b"\0" * 100_000 for _ in range(40))
    try:
        connection.request("POST", "/v1/restore", chunks, encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # it hung up before everything was sent
    finally:
        connection.close()


def test_pages_of_other_sites_and_other_names_are_refused(running: Running) -> None:
    assert running.ask("GET", "/healthz", Origin="http://evil.example")[0] == 403
    assert running.ask("GET", "/healthz", Host="evil.example")[0] == 421
    assert running.ask("GET", "/healthz", Origin=running.url)[0] == 200


def test_health_models_metrics_and_manual(running: Running, client: Client) -> None:
    health = json.loads(running.ask("GET", "/healthz")[2])
    assert health["status"] == "ok"
    assert health["workers"][DEFAULT_MODEL]["alive"]
    assert {"noise", "clean"} < set(client.models()[0]["labels"])
    metrics = running.ask("GET", "/metrics")[2].decode()
    assert 'undegrade_requests_total{method="GET",path="/healthz",status="200"}' in metrics
    manual = running.ask("GET", "/")[2].decode()
    assert "/v1/restore" in manual
    assert "//" not in manual.replace("<!doctype", "")  # nothing is fetched from elsewhere


def test_a_job_is_done_and_expires(tmp_path: Path) -> None:
    with service(tmp_path, "--keep", "1") as running:
        client = Client(running.url)
        job_id = client.submit(a_picture())
        assert Image.open(io.BytesIO(client.result(job_id).picture)).size == (96, 96)
        assert not (tmp_path / "jobs" / job_id / "picture").exists()
        wait_for(lambda: running.ask("GET", f"/v1/jobs/{job_id}")[0] == 404, 20)
        assert not (tmp_path / "jobs" / job_id).exists()


def test_a_large_picture_becomes_a_job_by_its_pixels(tmp_path: Path) -> None:
    with service(tmp_path, "--at-once", "10000") as running:
        for path in ("/v1/restore", "/v1/degrade?as=noise"):
            status, headers, _ = running.ask("POST", path, a_picture(101))
            assert status == 202
            found = Client(running.url).result(headers["location"].rpartition("/")[2])
            assert Image.open(io.BytesIO(found.picture)).size == (101, 101)
            assert running.ask("POST", path, a_picture(100))[0] == 200
        assert running.ask("POST", "/v1/diagnose", a_picture(101))[0] == 200


def test_a_token_is_asked_for_and_jobs_outlive_a_service_that_is_killed(tmp_path: Path) -> None:
    with service(tmp_path, UNDEGRADE_TOKEN=TOKEN) as running:
        assert running.ask("GET", "/healthz")[0] == 200
        status, headers, _ = running.ask("GET", "/v1/models")
        assert (status, headers["www-authenticate"]) == (401, "Bearer")
        assert running.ask("GET", "/v1/models", Authorization="Bearer wrong-horse-battery")[0] == 401
        with pytest.raises(UndegradeError, match="Authorization"):
            Client(running.url).models()
        jobs = [Client(running.url, token=TOKEN).submit(a_picture()) for _ in range(4)]
        running.process.kill()
    with service(tmp_path) as running:
        client = Client(running.url)
        for job_id in jobs:
            assert client.result(job_id).report["diagnosis"]["label"]
        status, *_ = running.ask("DELETE", f"/v1/jobs/{jobs[0]}")
        assert status == 204
        assert running.ask("GET", f"/v1/jobs/{jobs[0]}")[0] == 404


def test_a_worker_that_is_killed_is_replaced_and_its_picture_done(running: Running, client: Client) -> None:
    deaths = deaths_of(running)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(client.restore, a_picture(900), force=True)
        time.sleep(0.3)
        kill_workers(running)
        assert answer.result(timeout=60).report["changed"]
    assert deaths_of(running) > deaths


def test_a_picture_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    with service(tmp_path, "--seconds", "0.1") as running:
        status, _, body = running.ask("POST", "/v1/restore?force=true", a_picture(900))
        assert status == 504, body
        assert running.ask("GET", "/healthz")[0] == 200


def test_too_many_are_refused_and_none_is_lost(tmp_path: Path) -> None:
    with service(tmp_path, "--queue", "3") as running:
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: running.ask("POST", "/v1/restore?force=true", a_picture(160)), range(32)))
        refused = [headers for status, headers, _ in answers if status == 429]
        assert refused
        assert all(int(headers["retry-after"]) >= 1 for headers in refused)
        done = [body for status, _, body in answers if status == 200]
        assert len(done) + len(refused) == 32
        assert len({bytes(body) for body in done}) == 1
        wait_for(lambda: not list((tmp_path / "uploads").iterdir()), 10)


def test_what_was_accepted_is_finished_when_the_service_is_ended(tmp_path: Path) -> None:
    with service(tmp_path) as running:
        with ThreadPoolExecutor(4) as pool:
            answers = [pool.submit(running.ask, "POST", "/v1/restore?force=true", a_picture(256)) for _ in range(4)]
            time.sleep(0.5)
            running.process.send_signal(signal.SIGTERM)
            assert [answer.result(timeout=60)[0] for answer in answers] == [200] * 4
        assert running.process.wait(30) in (0, -signal.SIGTERM)
        assert not psutil.pid_exists(running.process.pid) or running.process.returncode is not None


def test_those_who_send_nothing_are_hung_up_on(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from undegrade.web.server import serve; from undegrade.web.settings "
        "import Settings; serve(Settings(port=0, state=Path(sys.argv[1]), header_seconds=1, upload_seconds=1), "
        "lambda url: print('undegrade answers at', url, flush=True))"
    )
    script = tmp_path / "short.py"
    script.write_text(f"if __name__ == '__main__':\n    {code}\n")
    process = subprocess.Popen([sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline().rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as slow:
            slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
            slow.settimeout(0.2)
            assert is_hung_up_on(slow)
        with socket.create_connection(("127.0.0.1", port)) as slow:
            slow.sendall(b"POST /v1/restore HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nx")
            slow.settimeout(10)
            assert b"408" in slow.recv(100)
    finally:
        process.terminate()
        process.communicate(timeout=30)


def is_hung_up_on(slow: socket.socket) -> bool:
    """Whether one who sends a byte from time to time is, within 10 s."""
    for _ in range(50):
        try:
            slow.sendall(b"x")
            return slow.recv(100) == b""
        except TimeoutError:
            continue
        except ConnectionError:
            return True
    return False


def test_wrong_settings_are_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*options: str) -> str:
        assert main(["serve", "--state", str(tmp_path), *options]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1, error
        return error

    assert "no-such-model" in said("--model", "no-such-model", "--port", "0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "another port" in said("--port", str(taken.getsockname()[1]))
    (tmp_path / "short").write_text("abc")
    assert "16" in said("--token-file", str(tmp_path / "short"))
    assert "folder" in said("--state", "/dev/null/state", "--port", "0")


def test_the_client_says_when_nothing_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(UndegradeError, match="undegrade serve"):
        Client(f"http://127.0.0.1:{port}").models()


CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,missing_required_header,use_after_free"
)


def png(width: int, height: int) -> bytes:
    """A header that promises a picture of this size, and pixels of none."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@pytest.mark.slow
def test_its_own_description_is_true(running: Running, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("st")), "run", f"{running.url}/openapi.json", "--checks", CHECKS]
    command += ["--phases", "coverage,fuzzing", "--max-examples", "4", "--seed", "1", "--no-color"]
    command += ["--request-timeout", "60"]  # the first picture to be degraded waits until PyTorch is imported
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path)
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


def test_hostile_files_cost_one_line_each(running: Running) -> None:
    deaths = deaths_of(running)
    for name, content in HOSTILE.items():
        for path in ("/v1/restore", "/v1/diagnose", "/v1/degrade?as=noise"):
            status, _, body = running.ask("POST", path, content)
            assert status == 422, (name, path, body)
            error = json.loads(body)["error"]
            assert "\n" not in error
            assert "uploads" not in error, name
            assert "internal error" not in error, name
    assert deaths_of(running) == deaths


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


def deaths_of(running: Running) -> int:
    return json.loads(running.ask("GET", "/healthz")[2])["workers"][DEFAULT_MODEL]["deaths"]


def kill_workers(running: Running) -> None:
    for child in psutil.Process(running.process.pid).children(recursive=True):
        if "spawn_main" in " ".join(child.cmdline()):
            child.kill()


def wait_for(holds: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.2)
