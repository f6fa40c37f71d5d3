"""How far out of focus a picture is, from the waves that are missing in it."""

from __future__ import annotations

import math

import numpy as np

from undegrade.deblurring.fourier import Pixels, frequencies

RADII = np.geomspace(0.6, 8, 96)  # pixels
BAND = (0.03, 0.5)  # cycles a pixel: below, pictures differ from each other
RINGS = 120  # of frequencies, over which power is averaged
FALLS = np.array((2.0, 2.4, 2.8))  # how photographs' power falls with frequency
FLOOR = 0.45  # cycles a pixel: from here on noise alone, where there is blur
LEVELS = np.exp(np.linspace(-3, 3, 25))  # of power, that are tried around the likely one
SUBPIXELS = 5  # a side


def disc(radius: float) -> Pixels:
    """(k, k), odd, sums to one: the image of a point through a round aperture, `radius` pixels."""
    reach = max(1, math.ceil(radius))
    step = 1 / SUBPIXELS
    axis = np.arange(-reach - 0.5 + step / 2, reach + 0.5, step)
    inside = np.hypot(axis[:, None], axis) <= max(radius, step)
    side = 2 * reach + 1
    kernel = inside.reshape(side, SUBPIXELS, side, SUBPIXELS).mean((1, 3))
    return (kernel / kernel.sum()).astype(np.float32)


def find_radius(planes: Pixels) -> float:
    """The radius, pixels, with which the spectra of (N, H, W) planes of linear light are likeliest.

    Photographs have power A f^-a, of which a disc leaves |K|^2, with rings of zeros, and noise N comes to it; the
    likeliest radius minimises sum over f of log v + P / v, v = A f^-a |K|^2 + N (Whittle's likelihood), P being the
    mean over a ring of frequencies.
    """
    costs: Pixels = np.sum([_costs(plane) for plane in planes], axis=0)
    return float(RADII[int(np.argmin(costs))])


def _costs(plane: Pixels) -> Pixels:
    """Minus the log likelihood of each radius, a pixel."""
    power, frequency = spectrum(plane)
    number = ((frequency - BAND[0]) / (BAND[1] - BAND[0]) * RINGS).astype(int)
    inside = (frequency > BAND[0]) & (number < RINGS)
    counts = np.bincount(number[inside], minlength=RINGS)
    seen = np.bincount(number[inside], power[inside], RINGS)[counts > 0] / counts[counts > 0]
    ring = (BAND[0] + (np.arange(RINGS) + 0.5) * (BAND[1] - BAND[0]) / RINGS)[counts > 0]
    shares, noise = counts[counts > 0] / counts.sum(), noise_of(power, frequency)
    left = np.stack([_passed(disc(radius), ring) for radius in RADII])
    expected = left[:, None] * ring ** -FALLS[:, None]  # (radii, falls, rings)
    likely = np.median(seen / (expected + 1e-9 * expected.max(-1, keepdims=True)), -1, keepdims=True)
    model = (likely * expected)[:, :, None] * LEVELS[:, None] + noise
    costs: Pixels = ((np.log(model) + seen / model) * shares).sum(-1).min((1, 2))
    return costs


def _passed(kernel: Pixels, ring: Pixels) -> Pixels:
    """|K|^2 of a round kernel at frequencies (R,)."""
    reach = np.arange(len(kernel)) - len(kernel) // 2
    passed: Pixels = (np.cos(2 * np.pi * ring[:, None] * reach) @ kernel.sum(0)) ** 2
    return passed


def spectrum(plane: Pixels) -> tuple[Pixels, Pixels]:
    """Power (H, W // 2 + 1) a pixel of a plane (H, W) within a Hann window, and frequencies, cycles a pixel."""
    window = np.hanning(plane.shape[0])[:, None] * np.hanning(plane.shape[1])
    power = np.abs(np.fft.rfft2((plane - plane.mean()) * window)) ** 2 / np.square(window).sum()
    return power, np.hypot(*frequencies(plane.shape))


def noise_of(power: Pixels, frequency: Pixels) -> float:
    """Variance of what the finest waves of a blurred picture show."""
    floor = (frequency > FLOOR) & (frequency < BAND[1])
    # The median of an exponential distribution is log 2 of its mean.
    return float(np.median(power[floor]) / math.log(2))
