import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undegrade.errors import UndegradeError
from undegrade.images import crop_to, pad_to_multiple


@given(height=st.integers(1, 20), width=st.integers(1, 20), multiple=st.integers(1, 16))
def test_padding_reaches_a_multiple_and_crops_back(height: int, width: int, multiple: int) -> None:
    pixels = np.random.default_rng(0).random((3, height, width), np.float32)
    padded, *size = pad_to_multiple(pixels, multiple)
    assert padded.shape[1] % multiple == padded.shape[2] % multiple == 0
    assert padded.shape[1] < height + multiple
    assert padded.shape[2] < width + multiple
    np.testing.assert_array_equal(crop_to(padded, *size), pixels)


def test_the_picture_is_mirrored_and_its_edge_repeated_where_too_short() -> None:
    pixels = np.array([[[1, 2, 3, 4, 5]]], np.float32)
    padded, _, _ = pad_to_multiple(pixels, 4)
    assert padded[0].tolist() == [[1, 2, 3, 4, 5, 4, 3, 2]] * 4
    short, _, _ = pad_to_multiple(pixels[:, :, :2], 8)
    assert short[0, 0].tolist() == [1, 2, 2, 2, 2, 2, 2, 2]


def test_a_multiple_below_one_is_refused() -> None:
    with pytest.raises(UndegradeError, match="multiple: 0; expected 1 or more"):
        pad_to_multiple(np.zeros((3, 4, 4), np.float32), 0)
