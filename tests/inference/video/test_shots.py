import numpy as np
from numpy.typing import NDArray

from undegrade.inference.video.shots import THUMBNAIL, Shot, ShotFinder


def seen(thumbnails: list[NDArray[np.uint8]]) -> list[tuple[int, int]]:
    finder = ShotFinder()
    for thumbnail in thumbnails:
        finder.see(thumbnail)
    return [(shot.first, shot.count) for shot in finder.shots()]


def scene(seed: int) -> NDArray[np.uint8]:
    """Twice as wide as a thumbnail."""
    rng = np.random.default_rng(seed)
    return np.kron(rng.integers(20, 235, (6, 16)), np.ones((6, 8))).astype(np.uint8)


def pan(seed: int, count: int, speed: int = 1) -> list[NDArray[np.uint8]]:
    return [np.roll(scene(seed), -speed * i, axis=1)[:, : THUMBNAIL[1]] for i in range(count)]


def test_cuts_are_found_and_pans_are_none() -> None:
    assert seen(pan(0, 40) + pan(1, 30) + pan(2, 20)) == [(0, 40), (40, 30), (70, 20)]
    assert seen(pan(0, 60, speed=4)) == [(0, 60)]


def test_noise_and_a_flash_are_no_cuts() -> None:
    rng = np.random.default_rng(0)
    noisy = [np.clip(frame + rng.normal(0, 25, frame.shape), 0, 255).astype(np.uint8) for frame in pan(0, 60)]
    assert seen(noisy) == [(0, 60)]
    flash = np.full(THUMBNAIL, 255, np.uint8)
    shots = seen([*pan(0, 40), flash, *pan(0, 60)[41:]])
    assert all(count >= 12 for _, count in shots)
    assert sum(count for _, count in shots) == 60


def test_no_frames_make_no_shot() -> None:
    assert seen([]) == []
    assert seen(pan(0, 1)) == [(0, 1)]


def test_samples_are_spread_over_the_shot() -> None:
    assert Shot(first=7, count=1).samples(0.04) == [7]
    assert Shot(first=0, count=2).samples(0.08) == [0, 1]
    long = Shot(first=10, count=100_000).samples(4000)
    assert len(long) == 32
    assert long == sorted(set(long))
    assert 10 <= long[0] < 3000
    assert long[-1] > 97_000


def test_pieces_hold_every_frame_once() -> None:
    for count in (1, 119, 120, 121, 1000):
        pieces = Shot(first=3, count=count).pieces(120)
        assert [n for piece in pieces for n in range(piece.first, piece.first + piece.count)] == list(
            range(3, 3 + count)
        )
        assert max(piece.count for piece in pieces) <= 120
