import math
from collections.abc import Callable

import pytest
import torch

from undegrade.degradations.camera_noise import (
    CAMERAS,
    CameraNoise,
    convert,
    draw_camera,
    inverse_tone,
    raw_noise,
    tone,
)


def test_without_noise_developing_brings_the_picture_back(grain: Callable, seeded: Callable) -> None:
    clean = grain(2, 3, 32, 33)
    clean[..., :3], clean[..., 3:6] = 0, 1
    for seed in range(4):
        again = CameraNoise().apply(clean, seeded(seed), shot=1e-7)
        torch.testing.assert_close(again, clean, atol=1.5e-2, rtol=0)
        assert (again - clean).square().mean().sqrt() < 1.5e-3


def test_the_tone_curve_is_inverted() -> None:
    value = torch.linspace(0, 1, 101)
    torch.testing.assert_close(tone(inverse_tone(value)), value, atol=1e-6, rtol=0)
    assert tone(torch.tensor(0.25)).item() == pytest.approx(0.15625)


def test_every_camera_sees_white_as_its_white_balance_says(seeded: Callable) -> None:
    for camera in CAMERAS:
        assert torch.tensor(camera).sum(1).tolist() == pytest.approx([1, 1, 1])
        assert torch.linalg.inv(torch.tensor(camera)).diagonal().min() > 1
    for seed in range(10):
        to_camera, from_camera = draw_camera(seeded(seed))
        red, green, blue = (1 / convert(torch.ones(3, 1, 1), to_camera)).flatten().tolist()
        assert 1.9 <= red <= 2.4
        assert green == pytest.approx(1)
        assert 1.5 <= blue <= 1.9
        torch.testing.assert_close(from_camera @ to_camera, torch.eye(3), atol=1e-5, rtol=0)


@pytest.mark.parametrize("shot", [1e-3, 1e-2])
def test_the_sampled_pixels_carry_photon_and_amplifier_noise(shot: float, seeded: Callable) -> None:
    raw = torch.tensor((0.1, 0.4, 0.2))[:, None, None].expand(3, 200, 200)
    noise = raw_noise(raw, seeded(0), shot=shot).double()
    read = math.exp(2.18 * math.log(shot) + 1.2)
    for colour, light in ((0, 0.1), (2, 0.2)):
        # One of the four grids is that of the sensor's own samples; interpolation only lowers the variance elsewhere.
        grids = torch.stack([noise[colour, i::2, j::2].var() for i in range(2) for j in range(2)])
        expected, spread = shot * light + read, 4 * math.sqrt(2 / 100**2)
        assert grids.max().item() == pytest.approx(expected, rel=spread)
        # Means of two samples, of two, and of four.
        assert sorted((grids / expected).tolist()) == pytest.approx([0.25, 0.5, 0.5, 1], rel=spread)


def test_the_grain_is_blotched_and_the_border_has_as_much_of_it(seeded: Callable) -> None:
    noise = raw_noise(torch.full((8, 3, 64, 64), 0.3), seeded(1), shot=5e-3)
    beside = (noise[..., 1:] * noise[..., :-1]).mean((0, 2, 3)) / noise.square().mean((0, 2, 3))
    assert (beside[[0, 2]] > 0.4).all()
    # Of two rows beside each other one has samples; with the border's own rows that is the mean of both kinds.
    border = noise[..., [0, 1, -1, -2], :].square().mean((0, 2, 3))
    assert (border / noise[..., 8:-8, 8:-8].square().mean((0, 2, 3))).tolist() == pytest.approx([1, 1, 1], rel=0.35)


def test_the_noise_fades_into_white(seeded: Callable) -> None:
    spread = [
        (CameraNoise().apply(torch.full((3, 64, 64), value), seeded(2), shot=1e-3) - value).std().item()
        for value in (0.4, 0.98)
    ]
    assert spread[1] < spread[0] / 2
