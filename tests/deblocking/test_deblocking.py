"""How JPEG has compressed a picture is found in its pixels, and what it has rounded away is repaired by it."""

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from undegrade.deblocking import Compression, deblock, find_compression
from undegrade.deblocking.colours import doubled, halved, pixels, planes
from undegrade.deblocking.lattice import Lattice
from undegrade.deblocking.wiener import blocks, filtered, plane_of
from undegrade.images import read_picture
from undegrade.metrics import psnr, quantise

Pixels = NDArray[np.float32]
PHOTOSHOP = [
    *(6, 4, 4, 6, 9, 11, 12, 16, 4, 5, 5, 6, 8, 10, 12, 12, 4, 5, 5, 6, 10, 12, 14, 19, 6, 6, 6, 11, 12, 15, 19, 28),
    *(9, 8, 10, 12, 16, 20, 27, 31, 11, 10, 12, 15, 20, 27, 31, 31, 12, 12, 14, 19, 27, 31, 31, 31),
    *(16, 12, 19, 28, 31, 31, 31, 31),
]


@pytest.fixture(scope="module")
def photo() -> Pixels:
    return read_picture(Path(__file__).parents[2] / "examples" / "cat-well.png").pixels


def compressed(
    photo: Pixels, quality: int, subsampling: int = 2, table: list[int] | None = None
) -> tuple[Pixels, Pixels]:
    """The picture read again, and the table of brightness that the file has, (8, 8)."""
    file = io.BytesIO()
    image = Image.fromarray(np.round(photo * 255).astype(np.uint8).transpose(1, 2, 0))
    if table is None:
        image.save(file, "jpeg", quality=quality, subsampling=subsampling)
    else:
        image.save(file, "jpeg", qtables=[table, table], subsampling=subsampling)
    with Image.open(file) as read:
        steps = np.array(read.quantization[0], np.float32).reshape(8, 8)
        return np.asarray(read).astype(np.float32).transpose(2, 0, 1) / np.float32(255), steps


def found_in(picture: Pixels) -> Compression:
    found = find_compression([picture])
    assert found is not None
    return found


def softened(picture: Pixels) -> Pixels:
    """A poor network's work: blocks are a little softer, and so is all else."""
    return np.float32(0.8) * picture + np.float32(0.1) * (np.roll(picture, 1, 1) + np.roll(picture, 1, 2))


@pytest.mark.parametrize(("quality", "least"), [(30, 20), (50, 25), (80, 40)])
def test_the_table_is_found_where_there_is_something_to_find_it_by(photo: Pixels, quality: int, least: int) -> None:
    picture, steps = compressed(photo, quality)
    found = found_in(picture)
    assert found.corner == (0, 0)
    often = found.brightness.kept > 0.02
    assert often.sum() >= least
    np.testing.assert_array_equal(found.brightness.steps[often], steps[often])
    assert found.brightness.scale == pytest.approx({30: 1.67, 50: 1, 80: 0.4}[quality], rel=0.03)


def test_tables_of_other_programs_are_found(photo: Pixels) -> None:
    picture, steps = compressed(photo, 0, table=PHOTOSHOP)
    found = found_in(picture).brightness
    often = found.kept > 0.05
    assert often.sum() > 30
    np.testing.assert_array_equal(found.steps[often], steps[often])


@pytest.mark.parametrize(("down", "across"), [(3, 5), (8, 1), (0, 14)])
def test_the_grid_is_found_in_a_part_of_a_compressed_picture(photo: Pixels, down: int, across: int) -> None:
    picture, steps = compressed(photo, 60)
    found = found_in(picture[:, down:, across:])
    assert found.corner == (-down % 8, -across % 8)
    np.testing.assert_array_equal(found.brightness.steps[:3, :3], steps[:3, :3])
    assert found.colour is not None
    assert found.colour.corner == (-down % 16, -across % 16)


@pytest.mark.parametrize(("subsampling", "halves"), [(0, (False, False)), (1, (False, True)), (2, (True, True))])
def test_how_colours_were_halved_is_found(photo: Pixels, subsampling: int, halves: tuple[bool, bool]) -> None:
    for quality in (30, 50, 80):
        colour = found_in(compressed(photo, quality, subsampling)[0]).colour
        assert colour is not None
        assert colour.halves == halves


def test_the_last_of_two_compressions_is_found(photo: Pixels) -> None:
    once, _ = compressed(photo, 75)
    picture, steps = compressed(once[:, 2:, 3:], 60)
    found = found_in(picture)
    assert found.corner == (0, 0)
    np.testing.assert_array_equal(found.brightness.steps[:3, :3], steps[:3, :3])


def test_all_parts_count(photo: Pixels) -> None:
    picture, steps = compressed(photo, 50)
    found = find_compression([picture[:, :96, :96], picture[:, 96:192, 160:256], picture[:, 192:256, 32:160]])
    assert found is not None
    often = found.brightness.kept > 0.05
    np.testing.assert_array_equal(found.brightness.steps[often], steps[often])
    alone = find_compression([picture[:, :96, :96]])
    assert alone is not None
    assert found.brightness.known > alone.brightness.known


def test_a_ramp_says_nothing_of_the_steps() -> None:
    ramp = np.linspace(0.1, 0.9, 256, dtype=np.float32) * np.ones((3, 192, 1), np.float32)
    for quality in (30, 40, 70):
        assert find_compression([compressed(ramp, quality)[0]]) is None


def test_a_gray_picture_has_brightness_alone(photo: Pixels) -> None:
    gray = np.repeat(photo.mean(0, keepdims=True), 3, 0)
    found = found_in(compressed(gray, 50)[0])
    assert found.colour is None


def test_nothing_is_found_in_what_was_not_compressed(photo: Pixels) -> None:
    picture, _ = compressed(photo, 50)
    image = Image.fromarray((picture * 255).round().astype(np.uint8).transpose(1, 2, 0))
    smaller = np.asarray(image.resize((256, 240))).astype(np.float32).transpose(2, 0, 1) / np.float32(255)
    noise = np.random.default_rng(0).normal(0, 3 / 255, picture.shape).astype(np.float32)
    for other in (photo, smaller, quantise(np.clip(picture + noise, 0, 1)), np.full((3, 96, 96), 0.5, np.float32)):
        assert find_compression([other]) is None
    assert find_compression([picture[:, :31]]) is None
    assert find_compression([photo * 2 - np.float32(0.5)]) is None  # beyond black and white, as noise may be
    assert find_compression([compressed(photo, 100)[0]]) is None


@pytest.mark.parametrize("enlarged", [4, 8])
def test_pixel_art_is_not_taken_for_compressed(enlarged: int) -> None:
    grays = np.random.default_rng(0).integers(0, 4, (64, 64)).astype(np.float32) / 3
    assert find_compression([np.stack([grays.repeat(enlarged, 0).repeat(enlarged, 1)] * 3)]) is None


@pytest.mark.parametrize("quality", [20, 50, 90])
def test_the_quality_is_that_of_the_steps(photo: Pixels, quality: int) -> None:
    assert found_in(compressed(photo, quality)[0]).quality == pytest.approx(quality, abs=1)


@pytest.mark.parametrize(
    ("quality", "subsampling", "least"), [(20, 2, 0.35), (50, 2, 0.45), (80, 2, 0.5), (50, 0, 0.5)]
)
def test_a_compressed_picture_is_made_better(photo: Pixels, quality: int, subsampling: int, least: float) -> None:
    bad, _ = compressed(photo, quality, subsampling)
    made = deblock(bad, softened(bad), found_in(bad))
    assert made.shape == bad.shape
    assert made.dtype == np.float32
    assert psnr(np.clip(made, 0, 1), photo) - psnr(bad, photo) > least
    assert psnr(np.clip(made, 0, 1), photo) > psnr(softened(bad), photo) + 0.2


def test_a_better_pilot_makes_it_better_still(photo: Pixels) -> None:
    bad, _ = compressed(photo, 50)
    found = found_in(bad)
    assert psnr(deblock(bad, photo, found), photo) > psnr(deblock(bad, softened(bad), found), photo) + 1


def test_more_of_a_finished_pilot_is_kept(photo: Pixels) -> None:
    picture, _ = compressed(photo, 50)
    found, pilot = found_in(picture), np.clip((picture + photo) / 2, 0, 1)
    gains = [psnr(deblock(picture, pilot, found, finished=finished), photo) for finished in (False, True)]
    assert gains[1] > gains[0] + 0.1


def test_a_shifted_grid_is_gone_by(photo: Pixels) -> None:
    whole, _ = compressed(photo, 40)
    bad, clean = whole[:, 3:, 5:], photo[:, 3:, 5:]
    shifted = deblock(bad, softened(bad), found_in(bad))
    as_a_whole = deblock(whole, softened(whole), found_in(whole))[:, 3:, 5:]
    assert psnr(shifted, clean) == pytest.approx(psnr(as_a_whole, clean), abs=0.05)


def test_brightness_stays_near_what_was_rounded_to_it(photo: Pixels) -> None:
    bad, steps = compressed(photo, 50)
    bad = bad[:, :288, :288]
    made = deblock(bad, np.zeros_like(bad), found_in(bad))  # whatever the pilot says
    change = blocks(planes(made)[0] - planes(bad)[0], 8)
    assert (np.abs(change) < 0.38 * steps[:, None] + 0.1).all()


def test_a_sky_loses_its_steps_where_compression_was_strong(photo: Pixels) -> None:
    sky = np.linspace(0.3, 0.6, 96, dtype=np.float32)[:, None] + np.linspace(0, 0.1, photo.shape[2], dtype=np.float32)
    whole = np.concatenate([np.broadcast_to(sky, (3, *sky.shape)), photo[:, :96]], 1)
    picture, _ = compressed(whole, 10)
    made = deblock(picture, picture, found_in(picture))
    before, after = (psnr(one[:, 8:80], whole[:, 8:80]) for one in (picture, np.clip(made, 0, 1)))
    assert after > before + 6  # 1.4 without


@pytest.mark.parametrize("quality", [50, 10])
def test_parts_of_a_picture_are_repaired_as_the_whole(photo: Pixels, quality: int) -> None:
    bad, _ = compressed(photo, quality)
    found = found_in(bad)
    whole, part = (
        deblock(bad, softened(bad), found),
        deblock(*(one[:, 64:224, 64:224] for one in (bad, softened(bad))), found),
    )
    np.testing.assert_allclose(part[:, 32:-32, 32:-32], whole[:, 96:192, 96:192], atol=4e-3)


def test_halves_are_what_a_decoder_has_doubled() -> None:
    plane = np.random.default_rng(0).normal(0, 30, (24, 32)).astype(np.float32)
    for axis in (0, 1):
        twice = doubled(plane, axis)
        assert twice.shape[axis] == 2 * plane.shape[axis]
        np.testing.assert_allclose(halved(twice, axis), plane, atol=1e-4)


def test_colours_are_turned_as_in_jpeg(photo: Pixels) -> None:
    image = Image.fromarray(np.round(photo * 255).astype(np.uint8).transpose(1, 2, 0)).convert("YCbCr")
    theirs = np.asarray(image).astype(np.float32).transpose(2, 0, 1) - 128
    np.testing.assert_allclose(planes(photo), theirs, atol=1.01)
    np.testing.assert_allclose(pixels(planes(photo) - planes(photo * 0)), photo, atol=1e-4)


def test_squares_are_turned_and_turned_back() -> None:
    plane = np.random.default_rng(0).normal(0, 30, (48, 64)).astype(np.float32)
    for size in (8, 16):
        np.testing.assert_allclose(plane_of(blocks(plane, size)), plane, atol=1e-3)


def test_the_filter_knows_how_the_error_of_blocks_lies_in_other_squares() -> None:
    """With the variances of all coefficients more of the noise is taken away than with their mean."""
    rng = np.random.default_rng(0)
    errors = np.tile(np.square(np.linspace(1, 9, 64, dtype=np.float32)).reshape(8, 8), (16, 16))
    noise = rng.normal(0, np.sqrt(errors)).astype(np.float32).reshape(16, 8, 16, 8)
    clean = np.zeros((128, 128), np.float32)
    clean[:] = 40 * np.sin(np.arange(128) / 5)
    noisy = clean + plane_of(noise)
    made, blind = (
        filtered(noisy, clean, one, 1.0, size=16, step=4) for one in (errors, np.full_like(errors, errors.mean()))
    )
    inner = np.s_[24:-40, 24:-40]
    known, guessed = (np.square(one - clean)[inner].mean() for one in (made, blind))
    assert known < 0.9 * guessed < 0.1 * np.square(noisy - clean)[inner].mean()


def test_errors_are_the_smaller_the_rarer_a_wave_is() -> None:
    steps, kept = np.full((8, 8), 12, np.float32), np.linspace(1, 0.01, 64, dtype=np.float32).reshape(8, 8)
    nothing, left = Lattice(steps=steps, kept=kept, scale=1.0, known=64).errors
    assert (np.diff(nothing.ravel()) < 0).all()
    np.testing.assert_allclose(left, 1.1 * 12 + 0.3, rtol=1e-5)
    assert (nothing < left).all()
