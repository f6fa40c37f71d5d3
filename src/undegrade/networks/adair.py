"""AdaIR: Restormer whose decoder is told, at three levels, what the low and the high frequencies of the picture hold.

Paper: "AdaIR: Adaptive All-in-One Image Restoration via Frequency Mining and Modulation", ICLR 2025. Written from a
description in prose and checked against the published network's outputs; the state-dict names are the published ones.
Published checkpoints also carry fre1 to 3's conv and score_gen, which nothing uses; they are not made here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.networks.base import check_at_least
from undegrade.networks.blocks import hide
from undegrade.networks.restormer import Restormer
from undegrade.networks.transformer import CrossAttention


class Exchange(nn.Module):
    """y = proj(low * s + high * c): s of the pixels, c of the channels.

    s = sigmoid(conv7x7([max, mean over the channels of high])), c = sigmoid(mlp(mean over the pixels of low) +
    mlp(their largest)).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = channels // 16
        self.SpatialGate = nn.ModuleDict({"spatial": nn.Conv2d(2, 1, 7, padding=3, bias=False)})
        mlp = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False), nn.ReLU(), nn.Conv2d(hidden, channels, 1, bias=False)
        )
        self.ChannelGate = nn.ModuleDict({"mlp": mlp})
        self.proj = nn.Conv2d(channels, channels, 1)

    def forward(self, low: Tensor, high: Tensor) -> Tensor:
        """(B, C, H, W) twice -> same shape."""
        ends = torch.cat((high.amax(1, keepdim=True), high.mean(1, keepdim=True)), 1)
        places = self.SpatialGate["spatial"](ends).sigmoid()
        mlp = self.ChannelGate["mlp"]
        channels = (mlp(low.mean((2, 3), keepdim=True)) + mlp(low.amax((2, 3), keepdim=True))).sigmoid()
        return self.proj(low * places + high * channels)


class FrequencyModulation(nn.Module):
    """Parts the picture into low and high frequencies, lets both ask the feature y, and adds what comes of it to y.

    a = conv(image, made small); low = |inverse(M * F(a))|, high = |inverse((1 - M) * F(a))|, F Fourier's transform and
    M 1 at frequencies from -h to h - 1 down and from -w to w - 1 across, h = trunc(floor(H / divisor) * t_h), w alike,
    (t_h, t_w) = sigmoid(mlp(mean over the pixels of a)); y * para2 + para1 * attention(y, exchange of both).
    """

    def __init__(self, channels: int, heads: int, divisor: int) -> None:
        super().__init__()
        c, hidden = channels, channels // 8
        self.divisor = divisor
        self.conv1 = nn.Conv2d(3, c, 3, padding=1, bias=False)
        self.rate_conv = nn.Sequential(
            nn.Conv2d(c, hidden, 1, bias=False), nn.GELU(), nn.Conv2d(hidden, 2, 1, bias=False)
        )
        # The names are the published ones, in which high asks through l and low through h.
        self.channel_cross_l, self.channel_cross_h = CrossAttention(c, heads), CrossAttention(c, heads)
        self.channel_cross_agg = CrossAttention(c, heads)
        self.frequency_refine = Exchange(c)
        self.para1 = nn.Parameter(torch.zeros(c, 1, 1))
        self.para2 = nn.Parameter(torch.ones(c, 1, 1))

    def forward(self, image: Tensor, y: Tensor, visible: Tensor | None) -> Tensor:
        """The picture (B, 3, H0, W0) and a feature (B, C, H, W) -> (B, C, H, W)."""
        small = F.interpolate(hide(image, visible), y.shape[-2:], mode="bilinear")
        low, high = self.parted(hide(self.conv1(small), visible))
        asked_high = self.channel_cross_l(high, y, visible)
        asked_low = self.channel_cross_h(low, y, visible)
        both = hide(self.frequency_refine(asked_low, asked_high), visible)
        return hide(self.channel_cross_agg(y, both, visible) * self.para1 + y * self.para2, visible)

    def parted(self, a: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> its low and its high frequencies, each as its absolute value."""
        height, width = a.shape[-2:]
        if not torch.jit.is_tracing() and min(height, width) < self.divisor:
            return torch.zeros_like(a), a.abs()
        shares = self.rate_conv(a.mean((2, 3), keepdim=True)).sigmoid().float()
        down, across = (band(share, side, self.divisor) for share, side in
                        zip(shares.unbind(1), (height, width), strict=True))  # fmt: skip
        # The low frequencies are those of the rows and of the columns; both matrices are complex, a is not.
        exact = a.float()
        rows, rows_i = (part @ exact for part in down)
        real, imaginary = (part.transpose(-2, -1) for part in across)
        low, low_i = rows @ real - rows_i @ imaginary, rows @ imaginary + rows_i @ real
        return absolute(low, low_i).to(a.dtype), absolute(exact - low, low_i).to(a.dtype)


def absolute(real: Tensor, imaginary: Tensor) -> Tensor:
    """sqrt(real^2 + imaginary^2), whose gradient at 0 is 0."""
    square = real.square() + imaginary.square()
    nothing = square == 0
    return torch.where(nothing, square, torch.where(nothing, torch.ones_like(square), square).sqrt())


def band(share: Tensor, side: int, divisor: int) -> tuple[Tensor, Tensor]:
    """The matrix that keeps frequencies -h to h - 1 of `side` samples, h = trunc(floor(side / divisor) * share).

    P(m, n) = sum over k from -h to h - 1 of exp(2 pi i k (m - n) / side) / side, in closed form, with d the angle of
    m - n: sin(h d) / tan(d / 2), and 2 h where d is 0, are the real part; -sin(h d) is the imaginary one. So nothing
    depends on h in its shape, and h has a gradient, which the published truncation stops.

    Args:
        share: (B, 1, 1), 0 to 1.
        side: number of samples.
        divisor: of it.

    Returns:
        The real and the imaginary part, (B, 1, side, side) each.
    """
    wide = (side // divisor) * share
    h = (wide + (wide.floor() - wide).detach())[..., None]
    places = torch.arange(side, device=share.device, dtype=share.dtype)
    turns = (places[:, None] - places) / side
    angle = 2 * math.pi * turns
    same = turns == 0
    wave = (h * angle).sin()
    real = torch.where(same, 2 * h, wave / torch.where(same, torch.ones_like(angle), (angle / 2).tan()))
    return real / side, -wave / side


class AdaIR(Restormer):
    """Restormer with `FrequencyModulation` behind its latent and its decoder levels 3 and 2.

    The published network's mask holds a frequency only where a feature has 256 pixels a side or more: in training on
    patches of 128 there are no low frequencies at all, and on pictures from 512 on there are. So it is here, for
    checkpoints depend on it; `frequency_divisor=16` gives patches of 128 their low frequencies.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config(Restormer.Config):
        """The paper's network by default (28.8 M parameters)."""

        frequency_divisor: int = 128  # side of a feature / this: the largest frequency that may count as low

        def __post_init__(self) -> None:
            """Refuse what cannot be built."""
            super().__post_init__()
            check_at_least(self, {"frequency_divisor": 1})
            if self.width < 8:
                raise ValueError(f"AdaIR.Config.width is {self.width}; it must be at least 8, for a 16th of 2 * width")
            if self.dual_pixel:
                raise ValueError("AdaIR.Config.dual_pixel is True; it must be False, as one picture is parted")
            if 2 * self.width % self.heads[2]:
                raise ValueError(
                    f"AdaIR.Config.heads is {self.heads}; heads[2] must divide {2 * self.width}, twice the width"
                )

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        c, heads, divisor = config.width, config.heads[2], config.frequency_divisor
        self.fre1 = FrequencyModulation(8 * c, heads, divisor)
        self.fre2 = FrequencyModulation(4 * c, heads, divisor)
        self.fre3 = FrequencyModulation(2 * c, heads, divisor)

    def steered(self, image: Tensor, visible: Tensor | None, level: int, x: Tensor) -> Tensor:
        """x, told of the picture's frequencies."""
        return (self.fre3, self.fre2, self.fre1)[level - 2](image, x, visible)
