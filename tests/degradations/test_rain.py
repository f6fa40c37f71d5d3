from collections.abc import Callable

import torch

from undegrade.degradations.rain import Rain

VEIL = 0.95  # the brightness of a drop


def test_it_only_brightens_up_to_the_drops_own_brightness(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 64, 64)
    rainy = Rain().apply(clean, seeded(0), density=6.0, length=20.0, angle=10.0)
    dark = clean <= VEIL
    assert (rainy >= clean - 1e-6)[dark].all()
    assert (rainy <= VEIL + 1e-6)[dark].all()
    assert (rainy <= clean + 1e-6)[~dark].all()
    assert (rainy >= VEIL - 1e-6)[~dark].all()
    assert (rainy - clean).abs().max() > 0.2


def test_streaks_are_one_gray_layer_over_the_picture(grain: Callable, seeded: Callable) -> None:
    """y = x + s * (0.95 - x): s is found from a black and from a gray picture, the same for the three colours."""
    values = {"density": 4.0, "length": 16.0, "angle": -20.0}
    black, gray = torch.zeros(3, 48, 48), torch.full((3, 48, 48), 0.5)
    opacity = Rain().apply(black, seeded(1), **values) / VEIL
    assert torch.equal(opacity[0], opacity[1])
    torch.testing.assert_close(
        (Rain().apply(gray, seeded(1), **values) - 0.5) / (VEIL - 0.5), opacity, atol=1e-5, rtol=0
    )
    clean = grain(3, 48, 48)
    torch.testing.assert_close(
        Rain().apply(clean, seeded(1), **values), clean + opacity * (VEIL - clean), atol=1e-5, rtol=0
    )


def test_streaks_lie_along_the_angle(seeded: Callable) -> None:
    opacity = Rain().apply(torch.zeros(3, 160, 160), seeded(2), density=2.0, length=24.0, angle=30.0)[0]
    opacity = opacity - opacity.mean()

    def alike(down: int, right: int) -> float:
        """Correlation with the picture moved so far."""
        left, other = max(0, right), max(0, -right)
        here = opacity[down:, left : opacity.shape[1] - other]
        there = opacity[: opacity.shape[0] - down, other : opacity.shape[1] - left]
        return ((here * there).mean() / opacity.square().mean()).item()

    assert alike(7, 4) > 0.3  # atan(4 / 7) is 30 degrees
    assert alike(8, 0) < 0.1
    assert alike(7, -4) < 0.1


def test_more_drops_hide_more(seeded: Callable) -> None:
    black = torch.zeros(3, 96, 96)
    means = [
        sum(Rain().apply(black, seeded(s), density=d, length=16.0, angle=0.0).mean().item() for s in range(3))
        for d in (0.5, 2.0, 6.0)
    ]
    assert means[0] < 0.6 * means[1] < 0.4 * means[2]


def test_no_drops_no_rain(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 32, 32)
    assert torch.equal(Rain().apply(clean, seeded(0), density=0.0, length=16.0, angle=0.0), clean)
