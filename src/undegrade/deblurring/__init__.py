"""Blur that is the same all over a picture: what it was, found in the picture, and undone."""

from undegrade.deblurring.blur import Blur, deconvolve
from undegrade.deblurring.finding import find_defocus, find_shake

__all__ = ["Blur", "deconvolve", "find_defocus", "find_shake"]
