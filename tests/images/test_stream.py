from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st

from undegrade.errors import UndegradeError
from undegrade.images import Picture, PictureRows, read_picture, reduced, write_picture, write_rows
from undegrade.images.picture import Metadata

RNG = np.random.default_rng(0)
PIXELS = RNG.random((3, 300, 77), np.float32)
ALPHA = RNG.random((1, 300, 77), np.float32)


def pictures() -> dict[str, Picture]:
    """One of each kind, by the name of its file."""
    gray = Picture(pixels=PIXELS[:1].repeat(3, 0), gray=True, bits=16)
    noted = Picture(pixels=PIXELS, profile=None, metadata=Metadata(comments=(("Title", "a"),), resolution=(4.0, 4.0)))
    return {
        "8.png": noted,
        "16.png": Picture(pixels=PIXELS, bits=16),
        "alpha.png": Picture(pixels=PIXELS, alpha=ALPHA),
        "gray.tif": gray,
        "float.tif": Picture(pixels=PIXELS, bits=32),
        "photo.jpg": Picture(pixels=PIXELS),
        "photo.webp": Picture(pixels=PIXELS),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("stream")
    for name, picture in pictures().items():
        write_picture(picture, made / name)
    return made


@pytest.mark.parametrize("name", pictures())
def test_rows_are_those_of_the_picture(name: str, folder: Path) -> None:
    whole, rows = read_picture(folder / name), PictureRows(folder / name)
    assert (rows.height, rows.width, rows.gray) == (300, 77, whole.gray)
    assert (rows.about.bits, rows.about.metadata, rows.about.notes) == (whole.bits, whole.metadata, whole.notes)
    for _ in range(2):
        for top, height in ((0, 40), (10, 40), (10, 5), (200, 60), (259, 41)):
            part = rows.read(top, height)
            np.testing.assert_array_equal(part.pixels, whole.pixels[:, top : top + height])
            if whole.alpha is not None:
                assert part.alpha is not None
                np.testing.assert_array_equal(part.alpha, whole.alpha[:, top : top + height])
        rows.rewind()


def test_rows_come_from_top_to_bottom_only(folder: Path) -> None:
    rows = PictureRows(folder / "8.png")
    rows.read(100, 10)
    for top, height in ((99, 1), (295, 6)):
        with pytest.raises(ValueError, match=f"rows {top} to {top + height}; expected from 100 to 300"):
            rows.read(top, height)


def test_a_turned_picture_is_read_upright(folder: Path, tmp_path: Path) -> None:
    image = pyvips.Image.new_from_file(str(folder / "photo.jpg")).copy()
    image.set_type(pyvips.GValue.gint_type, "orientation", 6)
    image.write_to_file(str(tmp_path / "turned.jpg"))
    whole, rows = read_picture(tmp_path / "turned.jpg"), PictureRows(tmp_path / "turned.jpg")
    assert (rows.height, rows.width) == (77, 300)
    np.testing.assert_array_equal(rows.pixels(20, 100, 30, 50), whole.pixels[:, 20:50, 100:150])


@pytest.mark.parametrize("name", pictures())
@pytest.mark.parametrize("target", ["out.png", "out.jpg", "out.tif", "out.webp", "out.avif"])
def test_bands_make_the_file_that_the_whole_makes(name: str, target: str, folder: Path, tmp_path: Path) -> None:
    whole, rows = read_picture(folder / name), PictureRows(folder / name)
    expected = write_picture(whole, tmp_path / f"whole-{target}")
    bands = (rows.read(top, 60) for top in range(0, 300, 60))
    assert write_rows(bands, rows.about, 300, tmp_path / target) == expected
    assert (tmp_path / target).read_bytes() == (tmp_path / f"whole-{target}").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([target, f"whole-{target}"])


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 60), width=st.integers(1, 60), tall=st.integers(1, 60))
def test_any_size_and_any_bands(height: int, width: int, tall: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("sizes") / "a.png"
    pixels = np.rint(255 * RNG.random((3, height, width), np.float32)) / np.float32(255)
    write_picture(Picture(pixels=pixels), path)
    rows = PictureRows(path)
    bands = (rows.read(top, min(tall, height - top)) for top in range(0, height, tall))
    write_rows(bands, rows.about, height, path.with_name("b.png"))
    np.testing.assert_array_equal(read_picture(path.with_name("b.png")).pixels, pixels)


def test_what_fails_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    def broken() -> Iterator[Picture]:
        yield PictureRows(folder / "8.png").read(0, 60)
        raise UndegradeError("stop")

    with pytest.raises(UndegradeError, match="stop"):
        write_rows(broken(), PictureRows(folder / "8.png").about, 300, tmp_path / "out.png")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_cut_short_is_named_when_its_rows_are_missing(folder: Path, tmp_path: Path) -> None:
    data = (folder / "8.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(UndegradeError, match=r"cut.png: the PNG file is cut short"):
        PictureRows(tmp_path / "cut.png").read(0, 300)


def test_reduced_pictures(folder: Path) -> None:
    assert reduced(folder / "8.png", 100).shape == (3, 100, 26)
    assert reduced(folder / "gray.tif", 1000).shape == (3, 300, 77)
