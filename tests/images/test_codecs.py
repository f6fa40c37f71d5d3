from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from undegrade.errors import UndegradeError
from undegrade.images import avif_roundtrip, jpeg_roundtrip, webp_roundtrip
from undegrade.images.vips import vips


def through_pillow(pixels: NDArray[np.float32], quality: int, *, chroma: int) -> NDArray[np.float64]:
    samples = np.rint(pixels.transpose(1, 2, 0) * 255).astype(np.uint8)
    buffer = BytesIO()
    Image.fromarray(samples).save(buffer, "JPEG", quality=quality, subsampling=chroma)
    with Image.open(buffer) as image:
        return np.asarray(image).transpose(2, 0, 1) / 255.0


@pytest.fixture(scope="module")
def patch(photo: NDArray[np.uint8]) -> NDArray[np.float32]:
    noise = np.random.default_rng(0).normal(0, 0.05, (3, 40, 56))
    return (photo.transpose(2, 0, 1) / 255 + noise).clip(0, 1).astype(np.float32)


@pytest.mark.parametrize("chroma", [0, 1, 2])
@pytest.mark.parametrize("quality", [1, 10, 30, 50, 75, 90, 95, 100])
def test_pixels_equal_pillows(patch: NDArray[np.float32], quality: int, chroma: int) -> None:
    result = jpeg_roundtrip(patch, quality, chroma=chroma)
    assert result.dtype == np.float32
    # The same tables and the same integer transform. One step is left for a libjpeg with other rounding in its vector
    # code; the next quality down is further away, see the test below.
    assert np.abs(result - through_pillow(patch, quality, chroma=chroma)).max() <= 1.5 / 255


def test_the_tolerance_would_notice_another_quality(patch: NDArray[np.float32]) -> None:
    for quality in (30, 50, 75, 90):
        other = through_pillow(patch, quality - 1, chroma=2)
        assert np.abs(jpeg_roundtrip(patch, quality) - other).max() > 3 / 255


def test_lower_quality_is_further_away(patch: NDArray[np.float32]) -> None:
    errors = [float(np.mean((jpeg_roundtrip(patch, quality) - patch) ** 2)) for quality in (95, 75, 50, 25, 10, 2)]
    assert errors == sorted(errors)
    assert errors[0] < errors[-1] / 4


@pytest.mark.parametrize(
    ("chroma", "columns_kept", "rows_kept"), [(0, True, True), (1, False, True), (2, False, False)]
)
def test_chroma_is_halved_only_as_asked(chroma: int, columns_kept: bool, rows_kept: bool) -> None:
    columns = np.zeros((3, 16, 16), np.float32)
    columns[0, :, ::2] = columns[2, :, 1::2] = 1  # red and blue in turn
    rows = np.ascontiguousarray(columns.transpose(0, 2, 1))
    for stripes, kept in ((columns, columns_kept), (rows, rows_kept)):
        error = np.abs(jpeg_roundtrip(stripes, 100, chroma=chroma) - stripes).max()
        assert error < 0.03 if kept else error > 0.3


def test_the_input_is_untouched_and_any_size_works() -> None:
    for shape in ((3, 1, 1), (3, 7, 33)):
        pixels = np.random.default_rng(0).random(shape, np.float32)
        kept = pixels.copy()
        result = jpeg_roundtrip(pixels, 40)
        assert result.shape == shape
        assert result.min() >= 0
        assert result.max() <= 1
        np.testing.assert_array_equal(pixels, kept)


def test_threads_do_not_disturb_each_other(patch: NDArray[np.float32]) -> None:
    qualities = [5, 20, 60, 90] * 8
    wanted = {quality: jpeg_roundtrip(patch, quality) for quality in set(qualities)}
    with ThreadPoolExecutor(4) as pool:
        for quality, result in zip(qualities, pool.map(lambda q: jpeg_roundtrip(patch, q), qualities), strict=True):
            np.testing.assert_array_equal(result, wanted[quality])


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(UndegradeError, match="quality: 0; expected 1 to 100"):
        jpeg_roundtrip(np.zeros((3, 8, 8), np.float32), 0)
    with pytest.raises(UndegradeError, match=r"pixels: shape \(8, 8, 3\); expected \(3, H, W\)"):
        jpeg_roundtrip(np.zeros((8, 8, 3), np.float32), 50)


@pytest.mark.parametrize("roundtrip", [webp_roundtrip, avif_roundtrip])
def test_a_codec_that_libvips_has_not_is_named_with_how_to_get_it(
    roundtrip: Callable, patch: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(*_: object, **__: object) -> None:
        raise vips().Error("no such operation")

    for saver in ("webpsave_buffer", "heifsave_buffer"):
        monkeypatch.setattr(vips().Image, saver, without, raising=False)
    with pytest.raises(UndegradeError, match=r"(WebP|AVIF): this libvips has not its codec"):
        roundtrip(patch, 50)
