import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from undegrade.diagnosis import OwnJudge
from undegrade.errors import UndegradeError
from undegrade.images import Picture
from undegrade.inference import memory
from undegrade.inference.backend import Backend, Pixels, naming_lack_of_memory
from undegrade.inference.memory import TILES, choose_tile, parse_size
from undegrade.inference.restorer import SMALLEST, Restorer
from undegrade.inference.tiling import cut

Scene = Callable[[int, int], NDArray[np.float32]]


@pytest.mark.parametrize(
    ("text", "size"), [("1.5GB", 1_500_000_000), ("800 MiB", 800 * 2**20), ("70000", 70000), ("2g", 2 * 10**9)]
)
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1GB", "0", "1.5 XB", "GB", "1.5"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UndegradeError, match=r"expected a size such as 1\.5GB"):
        parse_size(text)


def test_a_row_of_tiles_takes_no_more_memory_in_wide_pictures() -> None:
    held = [choose_tile(width, None)[0] * width for width in (1000, 4000, 12_000, 30_000)]
    assert choose_tile(1000, None) == (512, 512)
    assert max(held) <= 2 * 4000 * 512
    assert [rows * columns for rows, columns in TILES] == sorted((r * c for r, c in TILES), reverse=True)


@pytest.mark.parametrize("tile", TILES)
def test_every_tile_has_room_for_its_overlap(tile: tuple[int, int]) -> None:
    assert cut(1000, 900, tile=tile, multiple=32)


def test_the_budget_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "resident", lambda: 300_000_000)
    areas = [np.prod(choose_tile(6000, budget)) for budget in (400_000_000, 450_000_000, 2_000_000_000)]
    assert areas == sorted(areas)
    assert areas[0] < areas[-1] == 512 * 512
    with pytest.raises(UndegradeError, match=r"memory: 250 MB; a picture 6000 pixels wide needs 3\d\d MB at least"):
        choose_tile(6000, 250_000_000)


def test_what_the_process_has_is_known() -> None:
    # In a process of its own: this one may have room left over from earlier tests.
    script = """
from undegrade.inference.tiling import cut
from undegrade.inference.memory import resident
before = resident()
ballast = bytearray(b"x") * 40_000_000
print(resident() - before)
"""
    grown = int(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)
    assert 38_000_000 < grown < 60_000_000


class Narrow(Backend):
    """Adds 0.1; has memory for so many pixels at once."""

    name, labels, size_multiple, multi_label = "narrow", (), 16, False

    def __init__(self, room: int) -> None:
        self.room, self.sizes = room, []

    def run(self, image: Pixels, context: Pixels | None = None) -> tuple[Pixels, Pixels]:
        with naming_lack_of_memory():
            if image[0].size > self.room:
                raise RuntimeError("[CPU] Failed to allocate 123 bytes of memory")
        self.sizes.append(image.shape[1:])
        return image + np.float32(0.1), np.zeros(0, np.float32)


def test_where_memory_is_short_tiles_are_halved_until_they_fit(scene: Scene) -> None:
    backend = Narrow(room=256 * 256)
    picture = Picture(pixels=scene(700, 1100))
    restored = Restorer(backend, OwnJudge()).restore(picture)
    np.testing.assert_allclose(restored.picture.pixels, (picture.pixels + 0.1).clip(0, 1), atol=1e-6)
    assert max(height * width for height, width in backend.sizes) <= 256 * 256
    with pytest.raises(MemoryError):
        Restorer(Narrow(room=SMALLEST), OwnJudge()).restore(picture)


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="no such operation"), naming_lack_of_memory():
        raise RuntimeError("no such operation")
