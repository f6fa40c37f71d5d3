"""What is measured: degradations at fixed severities, on crops of clean pictures, by one ruler."""

from __future__ import annotations

from dataclasses import dataclass

from undegrade.degradations import DEGRADATIONS, TEN, Degradation


@dataclass(frozen=True, kw_only=True)
class Suite:
    """The `undegrade` ruler: pictures rounded to 8 bits as they would be saved; PSNR and SSIM on RGB, whole crop.

    Every degradation stands at the middle of its ranges; the layout (noise, streaks, depth) of picture n is drawn
    from seed n, the same for every model.
    """

    name: str = "ten-mid"
    degradations: tuple[Degradation, ...] = tuple(DEGRADATIONS[name]() for name in TEN)
    crop: int = 256  # side of the centre crop, pixels; a smaller picture is taken whole
    clean: bool = True  # the clean pictures too: what a restorer does to a picture that is well
