"""How near one picture is to another: plain functions over scikit-image."""

from undegrade.metrics.psnr import psnr
from undegrade.metrics.ssim import WINDOW, ssim

__all__ = ["WINDOW", "psnr", "ssim"]
