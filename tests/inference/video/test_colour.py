import numpy as np
import pytest

from undegrade.inference.video.colour import MATRICES, Samples, changed, from_rgb, to_rgb


def kinds() -> list[Samples]:
    return [
        Samples(bits=bits, across=across, down=down, full=full, matrix=matrix)
        for bits in (8, 10)
        for across, down in ((1, 1), (2, 1), (2, 2), (1, 2))
        for full in (False, True)
        for matrix in (1, 5, 9)
    ]


def waves(height: int, width: int) -> np.ndarray:
    down, across = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.stack([0.5 + 0.3 * np.sin((across + k * down) / 20 + k) for k in range(3)]).astype(np.float32)


@pytest.mark.parametrize(
    ("matrix", "full", "ycbcr", "rgb"),
    [
        (1, False, (16, 128, 128), (0, 0, 0)),
        (1, False, (235, 128, 128), (1, 1, 1)),
        (1, True, (255, 128, 128), (1, 1, 1)),
        (6, False, (81, 90, 240), (1, 0, 0)),  # the primaries of BT.601 and BT.709, as test charts have them
        (6, False, (145, 54, 34), (0, 1, 0)),
        (6, False, (41, 240, 110), (0, 0, 1)),
        (1, False, (63, 102, 240), (1, 0, 0)),
        (1, False, (173, 42, 26), (0, 1, 0)),
        (9, False, (74, 97, 240), (1, 0, 0)),
        (6, True, (76, 85, 255), (1, 0, 0)),
    ],
)
def test_colours_are_those_of_the_standards(matrix: int, full: bool, ycbcr: tuple, rgb: tuple) -> None:
    samples = Samples(bits=8, across=1, down=1, full=full, matrix=matrix)
    planes = [np.full((2, 2), value, np.uint8) for value in ycbcr]
    np.testing.assert_allclose(to_rgb(planes, samples)[:, 0, 0], rgb, atol=1.2 / 255)
    back = from_rgb(np.broadcast_to(np.float32(rgb)[:, None, None], (3, 2, 2)), samples)
    np.testing.assert_allclose([plane[0, 0] for plane in back], ycbcr, atol=1)


@pytest.mark.parametrize("samples", kinds(), ids=str)
@pytest.mark.parametrize("size", [(48, 64), (47, 63)])
def test_there_and_back_is_within_a_level(samples: Samples, size: tuple[int, int]) -> None:
    picture = waves(*size)
    planes = from_rgb(picture, samples)
    sizes = {plane.shape for plane in planes[1:]}
    assert sizes == {(-(-size[0] // samples.down), -(-size[1] // samples.across))}
    assert {plane.dtype for plane in planes} == {np.dtype(np.uint8 if samples.bits == 8 else np.uint16)}
    seen = to_rgb(planes, samples)
    assert np.abs(seen - picture).mean() * 255 < 1
    again = from_rgb(seen, samples)
    level = 1 << (samples.bits - 8)  # of 8 bits
    for first, second in zip(planes, again, strict=True):
        apart = np.abs(first.astype(int) - second)
        assert apart[1:-1, 1:-1].max() <= level
        assert apart.max() <= 3 * level  # at the border chroma is continued flat


@pytest.mark.parametrize("samples", kinds(), ids=str)
def test_what_is_not_changed_keeps_its_samples(samples: Samples) -> None:
    rng = np.random.default_rng(0)
    highest = 1 << samples.bits
    dtype = np.uint8 if samples.bits == 8 else np.uint16
    # Anything that can stand in a file, colours that no RGB has too.
    planes = [
        rng.integers(0, highest, shape).astype(dtype)
        for shape in ((31, 45), *2 * [(-(-31 // samples.down), -(-45 // samples.across))])
    ]
    before = to_rgb(planes, samples)
    assert before.min() >= 0
    assert before.max() <= 1
    for plane, kept in zip(planes, changed(planes, samples, before, before), strict=True):
        assert np.array_equal(plane, kept)


def test_a_change_of_brightness_leaves_chroma_and_one_of_colour_leaves_luma() -> None:
    samples = Samples(bits=8, across=2, down=2, full=False, matrix=1)
    planes = from_rgb(np.float32(0.5) * np.ones((3, 8, 8), np.float32), samples)
    before = to_rgb(planes, samples)
    brighter = changed(planes, samples, before, before + np.float32(0.1))
    assert (brighter[0].astype(int) - planes[0]).tolist() == np.full((8, 8), 22).tolist()
    assert np.array_equal(brighter[1], planes[1])
    kr, kb = MATRICES[1]
    tint = np.float32([0.1, -0.1 * kr / (1 - kr - kb), 0])[:, None, None]
    redder = changed(planes, samples, before, before + tint)
    assert np.array_equal(redder[0], planes[0])
    assert redder[2][0, 0] - planes[2][0, 0] == round(0.1 / (2 * (1 - kr)) * 224)


def test_gray_has_one_plane() -> None:
    samples = Samples(bits=10, across=2, down=2, full=True, matrix=1, gray=True)
    planes = [np.arange(0, 1024, dtype=np.uint16).reshape(32, 32)]
    seen = to_rgb(planes, samples)
    assert np.ptp(seen, axis=0).max() == 0
    np.testing.assert_allclose(seen[0].ravel(), np.arange(1024) / 1023, atol=1e-6)
    (brighter,) = changed(planes, samples, seen, (seen + np.float32(0.5)).clip(0, 1))
    assert brighter.max() == 1023
    assert len(from_rgb(seen, samples)) == 1


def test_chroma_lies_where_mpeg_puts_it() -> None:
    """A ramp across and down stays a ramp: chroma on the left column of two, between two rows."""
    samples = Samples(bits=10, across=2, down=2, full=True, matrix=1)
    ramp = np.mgrid[0:16, 0:16].sum(0)
    luma = np.full((16, 16), 512, np.uint16)
    cb = (400 + 4 * (ramp[0::2, 0::2] + 0.5)).astype(np.uint16)
    blue = to_rgb([luma, cb, np.full_like(cb, 512)], samples)[2]
    inner = blue[2:-2, 2:-2]
    steps = np.diff(inner, axis=0), np.diff(inner, axis=1)
    for step in steps:
        np.testing.assert_allclose(step, 4 / 1023 * 2 * (1 - MATRICES[1][1]), atol=1e-5)
