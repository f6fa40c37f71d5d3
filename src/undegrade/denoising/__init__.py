"""Noise that is even all over a picture: how strong it is, and a finer repair of it than a network's."""

from undegrade.denoising.noise import NoiseLevel, find_noise, refine

__all__ = ["NoiseLevel", "find_noise", "refine"]
