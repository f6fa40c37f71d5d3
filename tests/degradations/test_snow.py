from collections.abc import Callable

import torch

from undegrade.degradations.snow import Snow

WHITE = 0.97  # of a flake


def test_it_only_whitens(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 64, 64)
    snowy = Snow().apply(clean, seeded(0), density=12.0, size=4.0)
    dark = clean <= WHITE
    assert (snowy >= clean - 1e-6)[dark].all()
    assert (snowy <= WHITE + 1e-6)[dark].all()
    assert (snowy <= clean + 1e-6)[~dark].all()
    assert (snowy >= WHITE - 1e-6)[~dark].all()
    assert (snowy - clean).abs().max() > 0.4


def test_flakes_are_one_white_layer_over_the_picture(grain: Callable, seeded: Callable) -> None:
    values = {"density": 6.0, "size": 3.0}
    opacity = Snow().apply(torch.zeros(3, 48, 48), seeded(1), **values) / WHITE
    assert torch.equal(opacity[0], opacity[1])
    clean = grain(3, 48, 48)
    torch.testing.assert_close(
        Snow().apply(clean, seeded(1), **values), clean * (1 - opacity) + WHITE * opacity, atol=1e-5, rtol=0
    )


def test_more_and_larger_flakes_hide_more(seeded: Callable) -> None:
    black = torch.zeros(3, 96, 96)

    def mean(density: float, size: float) -> float:
        return sum(Snow().apply(black, seeded(s), density=density, size=size).mean().item() for s in range(3)) / 3

    assert mean(1, 2) < 0.5 * mean(6, 2)
    assert mean(4, 1.5) < 0.6 * mean(4, 4)


def test_larger_flakes_are_smoother(seeded: Callable) -> None:
    black = torch.zeros(3, 96, 96)
    small, large = (Snow().apply(black, seeded(3), density=4.0, size=s) for s in (1.5, 6.0))
    rough = [(p.diff(dim=-1).square().mean() / p.var()).item() for p in (small, large)]
    assert rough[1] < 0.5 * rough[0]


def test_no_flakes_no_snow(grain: Callable, seeded: Callable) -> None:
    clean = grain(3, 32, 32)
    torch.testing.assert_close(Snow().apply(clean, seeded(0), density=0.0, size=3.0), clean, atol=1e-6, rtol=0)
