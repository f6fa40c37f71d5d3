"""How near one picture is to another, how calm a clip: plain functions, most over well-kept libraries."""

from functools import cache
from pathlib import Path

from undegrade.errors import UndegradeError
from undegrade.metrics.delta_e import delta_e
from undegrade.metrics.flicker import flicker
from undegrade.metrics.luma import luma
from undegrade.metrics.metric import Metric
from undegrade.metrics.multiscale import MS_SSIM_SIDE, VIF_SIDE, ms_ssim, vif
from undegrade.metrics.psnr import psnr
from undegrade.metrics.quantise import quantise
from undegrade.metrics.ssim import WINDOW, ssim

METRICS: dict[str, Metric] = {
    "psnr": Metric(
        function=psnr,
        unit="dB",
        higher_is_better=True,
        least_side=1,
        digits=2,
        about="10 log10(1 / mean squared error) over pixels and channels, at most 100",
    ),
    "ssim": Metric(
        function=ssim,
        unit="",
        higher_is_better=True,
        least_side=WINDOW,
        digits=4,
        about="structural similarity, Gaussian window 11 x 11 of sigma 1.5",
    ),
    "ms_ssim": Metric(
        function=ms_ssim,
        unit="",
        higher_is_better=True,
        least_side=MS_SSIM_SIDE,
        digits=4,
        about="structural similarity over five scales, Gaussian window 11 x 11 of sigma 1.5",
    ),
    "vif": Metric(
        function=vif,
        unit="",
        higher_is_better=True,
        least_side=VIF_SIDE,
        digits=4,
        about="visual information fidelity in the pixel domain, four scales",
    ),
    "delta_e": Metric(
        function=delta_e,
        unit="dE00",
        higher_is_better=False,
        least_side=1,
        digits=2,
        about="mean difference of colour by CIEDE2000",
    ),
}


# Metrics whose weights the user supplies, and the two files that each needs.
SUPPLIED = {"lpips": "BACKBONE,LINEAR", "dists": "BACKBONE,WEIGHTS"}


@cache
def find_metric(text: str) -> Metric:
    """The metric of that name, or "lpips=BACKBONE,LINEAR" or "dists=BACKBONE,WEIGHTS" with the files to read.

    Raises:
        UndegradeError: there is none of that name, or a file is missing or wrong.
    """
    if text in METRICS:
        return METRICS[text]
    name, _, files = text.partition("=")
    if name not in SUPPLIED:
        raise UndegradeError(f"metric {text!r} is not known; known are {', '.join([*METRICS, *SUPPLIED])}")
    paths = [Path(file) for file in files.split(",") if file]
    if len(paths) != 2:
        form = f"{name}={SUPPLIED[name]}"
        raise UndegradeError(f"metric {name}: needs weights, none of which can be shipped; give {form}")
    from undegrade.metrics.perceptual import dists_from, lpips_from

    return lpips_from(*paths) if name == "lpips" else dists_from(*paths)


__all__ = [
    "METRICS",
    "WINDOW",
    "Metric",
    "delta_e",
    "find_metric",
    "flicker",
    "luma",
    "ms_ssim",
    "psnr",
    "quantise",
    "ssim",
    "vif",
]
