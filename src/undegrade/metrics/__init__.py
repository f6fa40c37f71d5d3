"""How near one picture is to another, and how calm a clip: plain functions, some over scikit-image."""

from undegrade.metrics.flicker import flicker
from undegrade.metrics.psnr import psnr
from undegrade.metrics.quantise import quantise
from undegrade.metrics.ssim import WINDOW, ssim

__all__ = ["WINDOW", "flicker", "psnr", "quantise", "ssim"]
