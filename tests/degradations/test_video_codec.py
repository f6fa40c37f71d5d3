import importlib
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from undegrade.degradations.video_codec import (
    FIRST_SHOWN,
    H264,
    NUM_FRAMES,
    Hevc,
    Mpeg2,
    Mpeg4,
    VideoCodec,
    fixed_quantiser,
    pan,
)
from undegrade.errors import UndegradeError

every_codec = pytest.mark.parametrize("kind", [Mpeg2, Mpeg4, H264, Hevc])


@pytest.fixture
def smooth(grain: Callable) -> torch.Tensor:
    """(3, 57, 71), colours that change over about 7 pixels."""
    return F.interpolate(grain(1, 3, 9, 11, low=0.3, high=0.7), (57, 71), mode="bicubic").clamp(0, 1)[0]


def usable(kind: type[VideoCodec]) -> VideoCodec:
    """The codec, or a skip where this FFmpeg has not its encoder."""
    av: Any = pytest.importorskip("av")
    if kind.encoder not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {kind.encoder}")
    return kind()


@every_codec
def test_the_shown_frame_lies_on_the_picture(kind: type[VideoCodec], smooth: torch.Tensor, seeded: Callable) -> None:
    codec = usable(kind)
    for seed in range(3):
        spoiled = codec.degrade(smooth, seeded(seed), codec.at_level(0.0))
        apart = {
            (down, right): (spoiled.roll((down, right), (1, 2)) - smooth)[:, 3:-3, 3:-3].square().mean().item()
            for down in (-1, 0, 1)
            for right in (-1, 0, 1)
        }
        assert min(apart, key=lambda shift: apart[shift]) == (0, 0)
        assert apart[0, 0] < 0.03**2


@every_codec
def test_only_the_first_frame_is_a_key_frame(kind: type[VideoCodec], smooth: torch.Tensor, seeded: Callable) -> None:
    codec, seen = usable(kind), []
    options: list[dict[str, str]] = []

    class Noted(kind):  # type: ignore[misc, valid-type]
        """Remembers what `apply` asks for."""

        def through(self, frames: list[Any], asked: dict[str, str]) -> list[Any]:
            options.append(asked)
            seen.append(decoded := super().through(frames, asked))
            return decoded  # type: ignore[no-any-return]

    for level in (0.0, 1.0):
        noted = Noted()
        noted.degrade(smooth, seeded(0), codec.at_level(level))
    named = importlib.import_module("av.video.frame").PictureType
    for frames in seen:
        kinds = [named(frame.pict_type).name for frame in frames]
        assert len(kinds) == NUM_FRAMES
        assert kinds[0] == "I"
        assert set(kinds[1:]) <= {"P", "B"}
    assert options[0] != options[1]


@every_codec
@pytest.mark.parametrize("size", [(16, 16), (64, 64), (64, 131)])
def test_it_answers_the_same_each_time(
    kind: type[VideoCodec], size: tuple[int, int], grain: Callable, seeded: Callable
) -> None:
    codec, clean = usable(kind), grain(3, *size)
    answers = [codec.degrade(clean, seeded(1), codec.at_level(0.5)) for _ in range(4)]
    assert all(torch.equal(answer, answers[0]) for answer in answers[1:])


@pytest.mark.parametrize("kind", [Mpeg2, Mpeg4])
def test_the_error_is_that_of_the_quantiser(kind: type[VideoCodec], grain: Callable) -> None:
    codec = usable(kind)
    gray = (255 * grain(1, 64, 64, low=0.2, high=0.8)).byte().permute(1, 2, 0).expand(64, 64, 3).numpy()
    errors = []
    for qscale in (4.0, 8.0, 16.0):
        key = codec.through([np.ascontiguousarray(gray)], fixed_quantiser(qscale))[0].to_ndarray(format="rgb24")
        errors.append(float(np.sqrt(np.mean((key.astype(float) - gray) ** 2))))
    # Coarser steps, larger errors: about twice for steps twice as wide, less where steps swallow the signal.
    assert 1.4 < errors[1] / errors[0] < 2.3
    assert 1.3 < errors[2] / errors[1] < 2.3


@pytest.mark.parametrize("shown", range(FIRST_SHOWN, NUM_FRAMES))
def test_the_view_moves_evenly_and_shows_the_picture_in_time(shown: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (41, 97, 3), np.uint8)
    frames = list(pan(picture, (2, -1), shown))
    assert {frame.shape for frame in frames} == {(96, 98, 3)}
    assert np.array_equal(frames[shown][:41, :97], picture)
    for before, after in itertools.pairwise(frames):
        assert np.array_equal(before[2:, :-1], after[:-2, 1:])


def test_small_pictures_are_mirrored_to_what_encoders_take() -> None:
    picture = np.arange(16 * 17 * 3, dtype=np.uint8).reshape(16, 17, 3)
    assert {frame.shape for frame in pan(picture, (1, 1), 2)} == {(96, 96, 3)}


def test_without_pyav_the_way_to_get_it_is_named(
    smooth: torch.Tensor, seeded: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(UndegradeError, match=r"hevc: needs PyAV; pip install 'undegrade\[video\]'"):
        Hevc().apply(smooth, seeded(0), crf=30.0)


def test_an_encoder_that_ffmpeg_has_not_is_named(
    smooth: torch.Tensor, seeded: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("av")
    monkeypatch.setattr(H264, "encoder", "libnothing")
    with pytest.raises(UndegradeError, match=r"h264: this FFmpeg has no libnothing; .*'undegrade\[video\]'"):
        H264().apply(smooth, seeded(0), crf=30.0)
