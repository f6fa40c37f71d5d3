"""Files that are read, restored and written in bands."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from undegrade.cli import main
from undegrade.diagnosis import OwnJudge
from undegrade.errors import UndegradeError
from undegrade.images import Picture, read_picture, write_picture
from undegrade.inference.backend import Backend
from undegrade.inference.batch import restore_file
from undegrade.inference.jobs import Job
from undegrade.inference.restorer import Restorer

Pixels = NDArray[np.float32]


class Brighten(Backend):
    """Adds a tenth; calls dark pictures clean."""

    name, labels, size_multiple, multi_label = "brighten", ("clean", "haze"), 16, False

    def run(self, image: Pixels, context: Pixels | None = None) -> tuple[Pixels, Pixels]:
        return image + np.float32(0.1), np.float32([0, 100 * (image.mean() - 0.3)])


PIXELS = np.random.default_rng(0).random((3, 700, 333), np.float32)
KINDS = {
    "rgb.png": Picture(pixels=PIXELS),
    "alpha.png": Picture(pixels=PIXELS, alpha=PIXELS[:1], bits=16),
    "gray.tif": Picture(pixels=PIXELS[1:2].repeat(3, 0), gray=True, bits=16),
    "photo.jpg": Picture(pixels=PIXELS),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", ["same", ".png", ".tif"])
def test_in_bands_it_is_the_file_that_it_is_in_one_piece(kind: str, ending: str, tmp_path: Path) -> None:
    source = tmp_path / kind
    write_picture(KINDS[kind], source)
    suffix = source.suffix if ending == "same" else ending
    restorer = Restorer(Brighten(), OwnJudge(), tile=(128, 128))
    picture = read_picture(source)
    whole = restorer.restore(picture)
    whole_notes = picture.notes + write_picture(whole.picture, tmp_path / f"whole{suffix}")
    told: list[tuple[int, int]] = []
    job = Job(source=source, target=tmp_path / f"bands{suffix}")
    done = restore_file(restorer, job, lambda done, total: told.append((done, total)))
    assert done.changed
    assert whole.diagnosis is not None
    assert [page.diagnosis.sentence for page in done.pages if page.diagnosis] == [whole.diagnosis.sentence]
    assert done.notes == whole_notes
    assert told[-1][0] == told[-1][1] == len(told)
    assert (tmp_path / f"bands{suffix}").read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted({kind, f"whole{suffix}", f"bands{suffix}"})


@pytest.mark.parametrize("target", ["copy.png", "copy.tif"])
def test_what_is_well_is_copied_or_written_anew(target: str, tmp_path: Path) -> None:
    source = tmp_path / "dark.png"
    write_picture(Picture(pixels=np.float32(0.2) * PIXELS, alpha=PIXELS[1:2]), source)
    assert not restore_file(Restorer(Brighten(), OwnJudge()), Job(source=source, target=tmp_path / target)).changed
    copied, own = read_picture(tmp_path / target), read_picture(source)
    np.testing.assert_array_equal(copied.pixels, own.pixels)
    assert copied.alpha is not None
    assert own.alpha is not None
    np.testing.assert_array_equal(copied.alpha, own.alpha)
    if target == "copy.png":
        assert (tmp_path / target).read_bytes() == source.read_bytes()


def test_an_answer_that_is_no_number_leaves_nothing(tmp_path: Path) -> None:
    class Breaking(Brighten):
        def run(self, image: Pixels, context: Pixels | None = None) -> tuple[Pixels, Pixels]:
            pixels, own = super().run(image)
            return pixels * np.float32("nan" if context is not None else 1), own

    source = tmp_path / "a.png"
    write_picture(Picture(pixels=PIXELS), source)
    with pytest.raises(UndegradeError, match="the model's answer is no number"):
        restore_file(Restorer(Breaking(), OwnJudge(), tile=(128, 128)), Job(source=source, target=tmp_path / "b.png"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_the_command_shows_large_pictures_on_its_sheet(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    noisy = np.clip(0.5 + 0.2 * np.random.default_rng(1).normal(size=(3, 300, 280)), 0, 1).astype(np.float32)
    write_picture(Picture(pixels=noisy), source)
    assert main(["restore", str(source), "-o", str(tmp_path / "b.png"), "--sheet", str(tmp_path / "s.png")]) == 0
    assert read_picture(tmp_path / "b.png").pixels.shape == (3, 300, 280)
    assert read_picture(tmp_path / "s.png").pixels.std() > 0.05
