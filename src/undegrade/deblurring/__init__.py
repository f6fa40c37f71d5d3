"""Blur that is the same all over a picture: what it was, found in the picture, and undone. NumPy alone."""

from undegrade.deblurring.blur import Blur, deconvolve
from undegrade.deblurring.finding import BLURS, find_blur

__all__ = ["BLURS", "Blur", "deconvolve", "find_blur"]
