"""`undegrade serve` under load: many small requests at once, for a minute; every one has to be answered once.

    python benchmarks/service.py > benchmarks/results/service.json

The service is started for it. Requests come from threads of this process, which takes part of the machine; each is a
picture of 96 x 96 pixels with noise, as PNG. A request that is refused with 429 is sent again after a pause.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter

import numpy as np
import psutil
from PIL import Image

from machine import facts

PAUSE = 0.05  # seconds after a refusal


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clients", type=int, default=200, help="requests at once")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--side", type=int, default=96, help="of the picture, pixels")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as state:
        command = [sys.executable, "-m", "undegrade", "serve", "--port", "0", "--state", state]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().split()[3].rpartition(":")[2])
            result = load(port, process.pid, options)
        finally:
            process.terminate()
            process.wait()
    print(json.dumps({"machine": facts(), "options": vars(options), **result}, indent=2))


def load(port: int, pid: int, options: argparse.Namespace) -> dict[str, object]:
    """What came back."""
    picture, seconds, answers = make_picture(options.side), [], Counter[str]()
    end, lock = time.monotonic() + options.seconds, threading.Lock()

    def client() -> None:
        while time.monotonic() < end:
            began = time.monotonic()
            answer = ask(port, picture)
            with lock:
                answers[answer] += 1
                if answer == "200":
                    seconds.append(time.monotonic() - began)
            if answer == "429":
                time.sleep(PAUSE)

    before, alone = memory(pid), timed(port, picture)
    threads = [threading.Thread(target=client) for _ in range(options.clients)]
    for thread in threads:
        thread.start()
    peak = before
    while any(thread.is_alive() for thread in threads):
        peak = max(peak, memory(pid))
        time.sleep(0.5)
    marks = statistics.quantiles(seconds, n=100)
    return {
        "answers": dict(answers),
        "lost": sum(count for answer, count in answers.items() if answer not in ("200", "429")),
        "pictures_a_second": round(len(seconds) / options.seconds, 2),
        "alone_s": round(statistics.median(alone), 4),
        "p50_s": round(marks[49], 3),
        "p95_s": round(marks[94], 3),
        "memory_before_mb": before >> 20,
        "memory_peak_mb": peak >> 20,
    }


def timed(port: int, picture: bytes) -> list[float]:
    """Seconds of requests one after another."""
    taken = []
    for _ in range(11):
        began = time.monotonic()
        ask(port, picture)
        taken.append(time.monotonic() - began)
    return taken[1:]


def ask(port: int, picture: bytes) -> str:
    """The status of one request, or what went wrong."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request("POST", "/v1/restore", picture)
        answer = connection.getresponse()
        answer.read()
        return str(answer.status)
    except OSError as error:
        return type(error).__name__
    finally:
        connection.close()


def memory(pid: int) -> int:
    """Bytes of the service and its workers."""
    parent = psutil.Process(pid)
    return sum(one.memory_info().rss for one in (parent, *parent.children(recursive=True)))


def make_picture(side: int) -> bytes:
    """A noisy gradient as PNG."""
    rng = np.random.default_rng(0)
    smooth = np.linspace(60, 200, side)[:, None, None] * np.ones((side, side, 3))
    file = io.BytesIO()
    Image.fromarray(np.clip(smooth + rng.normal(0, 25, smooth.shape), 0, 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


if __name__ == "__main__":
    main()
