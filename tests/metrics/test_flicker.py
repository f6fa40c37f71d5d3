import numpy as np
import pytest
from numpy.typing import NDArray

from undegrade.metrics import flicker


def pan(motion: tuple[int, int], count: int = 6) -> list[NDArray[np.float32]]:
    """A view of 40 x 50 pixels whose content moves by `motion` a frame."""
    scene = np.random.default_rng(0).uniform(0.2, 0.8, (3, 100, 110)).astype(np.float32)
    places = [(30 - i * motion[0], 30 - i * motion[1]) for i in range(count)]
    return [scene[:, top : top + 40, left : left + 50] for top, left in places]


@pytest.mark.parametrize("motion", [(0, 0), (2, 3), (-2, 3), (4, -1), (-5, -5)])
def test_a_pan_does_not_flicker_and_the_motion_matters(motion: tuple[int, int]) -> None:
    assert flicker(pan(motion), motion) == 0
    assert flicker(pan(motion), (motion[0] + 1, motion[1])) > 40


def test_noise_has_the_flicker_of_its_difference() -> None:
    rng = np.random.default_rng(1)
    noisy = [frame + rng.normal(0, 10 / 255, frame.shape).astype(np.float32) for frame in pan((1, 2), 15)]
    assert flicker(noisy, (1, 2)) == pytest.approx(10 * 2 / np.sqrt(np.pi), rel=0.02)


def test_a_single_change_of_brightness_is_shared_by_all_pairs() -> None:
    frames = pan((0, 1), 5)
    frames[3:] = [frame + np.float32(0.1) for frame in frames[3:]]
    assert flicker(iter(frames), (0, 1)) == pytest.approx(0.1 * 255 / 4, rel=1e-4)


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="fewer than two"):
        flicker(pan((0, 0), 1), (0, 0))
    with pytest.raises(ValueError, match="motion is \\(40, 0\\)"):
        flicker(pan((0, 0)), (40, 0))
