"""Carry out a suite, or measure pairs of degraded and clean pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from undegrade.batch import CLEAN
from undegrade.degradations import Degradation
from undegrade.evaluation.suite import Suite
from undegrade.metrics import psnr, quantise, ssim

Picture = NDArray[np.float32]  # (3, H, W) in [0, 1]
Restore = Callable[[Picture], tuple[Picture, str | None]]  # the restored picture, and the label named, if any


@dataclass(frozen=True, kw_only=True)
class Row:
    """Means over the pictures of one kind."""

    label: str
    pictures: int
    psnr_in: float  # dB, of the degraded pictures
    psnr_out: float  # dB, of the restored ones
    ssim_in: float
    ssim_out: float
    named: float | None  # share of the pictures whose degradation was named rightly; None: no truth, or no names
    worse: float  # share of the pictures whose PSNR fell

    @property
    def gain(self) -> float:
        """Restored minus degraded PSNR, dB."""
        return self.psnr_out - self.psnr_in


def evaluate(restore: Restore, pictures: Iterable[Picture], suite: Suite) -> list[Row]:
    """One row a degradation of the suite, and one for clean pictures where it has them."""
    crops = [centre_crop(picture, suite.crop) for picture in pictures]
    rows = []
    for degradation in suite.degradations:
        rows.append(measure(restore, _spoiled(crops, degradation), label=degradation.label, truth=degradation.label))
    if suite.clean:
        rows.append(measure(restore, ((c, c) for c in crops), label=CLEAN, truth=CLEAN))
    return rows


def _spoiled(crops: Sequence[Picture], degradation: Degradation) -> Iterator[tuple[Picture, Picture]]:
    for number, clean in enumerate(crops):
        rng = torch.Generator().manual_seed(number)
        yield degradation.degrade(torch.from_numpy(clean), rng, degradation.middle()).numpy(), clean


def measure(restore: Restore, pairs: Iterable[tuple[Picture, Picture]], *, label: str, truth: str | None) -> Row:
    """Means over (degraded, clean) pairs of one size each, at least one; everything is rounded to 8 bits first."""
    scores = []
    for degraded, clean in pairs:
        degraded, clean = quantise(degraded), quantise(clean)
        restored, named = restore(degraded)
        restored = quantise(restored)
        before, after = psnr(degraded, clean), psnr(restored, clean)
        hit = np.nan if truth is None or named is None else float(named == truth)
        scores.append((before, after, ssim(degraded, clean), ssim(restored, clean), hit, float(after < before)))
    means = [float(v) for v in np.mean(scores, axis=0)]
    return Row(
        label=label,
        pictures=len(scores),
        psnr_in=means[0],
        psnr_out=means[1],
        ssim_in=means[2],
        ssim_out=means[3],
        named=None if np.isnan(means[4]) else means[4],
        worse=means[5],
    )


def centre_crop(picture: Picture, side: int) -> Picture:
    """A copy of the middle (3, side, side) of (3, H, W), or of the whole where the picture is smaller."""
    _, height, width = picture.shape
    top, left = max(0, height - side) // 2, max(0, width - side) // 2
    return picture[:, top : top + side, left : left + side].copy()
