import subprocess
import sys


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60, check=True
    ).stdout


def test_importing_the_room_imports_neither_libvips_nor_pillow_nor_torch() -> None:
    code = "import sys, undegrade.images; print(sorted({'pyvips', 'PIL', 'torch'} & set(sys.modules)))"
    assert run(code).strip() == "[]"


def test_a_forked_worker_is_told_instead_of_waiting_for_ever() -> None:
    code = """
import os
import numpy as np
from undegrade.errors import UndegradeError
from undegrade.images import jpeg_roundtrip
pixels = np.zeros((3, 8, 8), np.float32)
jpeg_roundtrip(pixels, 50)
if os.fork() == 0:
    try:
        jpeg_roundtrip(pixels, 50)
    except UndegradeError as error:
        print(error, flush=True)
    os._exit(0)
os.wait()
"""
    assert "start workers with the multiprocessing context 'forkserver' or 'spawn'" in run(code)
