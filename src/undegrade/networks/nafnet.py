"""NAFNet: a U-shaped restorer without activation functions.

Paper: "Simple Baselines for Image Restoration", ECCV 2022; with the local statistics of "Improving Image Restoration
by Revisiting Global Information Aggregation" (TLC), ECCV 2022. Written from a description in prose and checked against
the published network's outputs; the state-dict names are the published ones. `unshuffle`, `detail_gain` and
`zero_output` are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.networks.base import RestorationNetwork, check_at_least
from undegrade.networks.blocks import ChannelLayerNorm, Stage, hide
from undegrade.networks.statistics import LocalMean


def simple_gate(x: Tensor) -> Tensor:
    """(B, 2C, H, W) -> (B, C, H, W): one half of the channels times the other."""
    left, right = x.chunk(2, dim=1)
    return left * right


class NAFBlock(nn.Module):
    """Two residual branches: a gated depthwise convolution with channel attention, then a gated 1x1 network.

    y = x + beta * conv3(u * sca(u)), u = gate(conv2(conv1(norm1(x)))); z = y + gamma * conv5(gate(conv4(norm2(y)))).
    """

    def __init__(self, channels: int, eps: float, kernel: int) -> None:
        super().__init__()
        c = channels
        self.norm1, self.norm2 = ChannelLayerNorm(c, eps), ChannelLayerNorm(c, eps)
        self.conv1 = nn.Conv2d(c, 2 * c, 1)
        self.conv2 = nn.Conv2d(2 * c, 2 * c, 3, padding=1, groups=2 * c)
        self.sca = nn.Sequential(LocalMean(c, kernel), nn.Conv2d(c, c, 1))
        self.conv3 = nn.Conv2d(c, c, 1)
        self.conv4 = nn.Conv2d(c, 2 * c, 1)
        self.conv5 = nn.Conv2d(c, c, 1)
        self.beta = nn.Parameter(torch.zeros(1, c, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, c, 1, 1))

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, C, H, W) -> same shape; what is hidden takes no part in the first branch."""
        u = simple_gate(self.conv2(self.conv1(self.norm1(x, visible))))
        y = x + self.beta * hide(self.conv3(u * self.sca(u)), visible)
        return y + self.gamma * self.conv5(simple_gate(self.conv4(self.norm2(y, visible))))


class NAFNet(RestorationNetwork):
    """The nonlinear-activation-free U-Net; `features` are the outputs of the decoder stages, deepest first."""

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """The paper's GoPro network of width 64 by default (67.9 M parameters)."""

        width: int = 64  # channels of the finest level
        encoder: tuple[int, ...] = (1, 1, 1, 28)  # blocks of each encoder stage, finest first
        middle: int = 1  # blocks at the coarsest level
        decoder: tuple[int, ...] = (1, 1, 1, 1)  # blocks of each decoder stage, deepest first
        unshuffle: int = 1  # the picture is folded by this factor before the first convolution; 1 = the paper
        norm_eps: float = 1e-6  # of the layer norms; MaskDCPT's copy has 1e-5
        local_size: int = 0  # TLC: side in pixels of the training crops; 0 = means over the whole picture
        detail_gain: float = 0.0  # norm of the first filters that start blind to flat colour; 0 = the paper
        zero_output: bool = False  # start as the identity: the last convolution is initialised to zero

        def __post_init__(self) -> None:
            """Refuse what cannot be built."""
            check_at_least(self, {"width": 1, "unshuffle": 1, "encoder": 0, "middle": 0, "decoder": 0})
            check_at_least(self, {"norm_eps": 0, "local_size": 0, "detail_gain": 0})
            if not self.encoder or len(self.encoder) != len(self.decoder):
                raise ValueError(
                    f"NAFNet.Config.decoder has {len(self.decoder)} stages; it must have as many as encoder "
                    f"({len(self.encoder)}), at least 1"
                )
            if self.local_size and self.local_size < self.unshuffle << len(self.encoder):
                raise ValueError(
                    f"NAFNet.Config.local_size is {self.local_size}; it must be 0 or at least "
                    f"{self.unshuffle << len(self.encoder)} (one pixel of the coarsest level)"
                )

    def __init__(self, config: Config) -> None:
        width, levels = config.width, len(config.encoder)
        super().__init__(
            config,
            size_multiple=config.unshuffle << levels,
            feature_channels=tuple(width << level for level in reversed(range(levels))),
            feature_fold=config.unshuffle,
            global_statistics=not config.local_size,
        )
        self.intro = nn.Conv2d(3 * config.unshuffle**2, width, 3, padding=1)
        self.ending = nn.Conv2d(width, 3 * config.unshuffle**2, 3, padding=1)
        if config.zero_output:
            nn.init.zeros_(self.ending.weight)
            nn.init.zeros_(self.ending.bias)  # type: ignore[arg-type]
        if config.detail_gain:
            self._start_with_details(config.detail_gain)
        self.encoders = nn.ModuleList(self._stage(level, n) for level, n in enumerate(config.encoder))
        self.downs = nn.ModuleList(nn.Conv2d(width << i, width << (i + 1), 2, stride=2) for i in range(levels))
        self.middle_blks = self._stage(levels, config.middle)
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width << i, width << (i + 1), 1, bias=False), nn.PixelShuffle(2))
            for i in range(levels, 0, -1)
        )
        self.decoders = nn.ModuleList(
            self._stage(level, n) for level, n in zip(reversed(range(levels)), config.decoder, strict=True)
        )

    @torch.no_grad()
    def _start_with_details(self, norm: float) -> None:
        """Three quarters of the first filters are drawn anew without a mean in any colour, and get this norm.

        Random filters answer mostly to brightness, which the layer norms then make all pixels look alike; what names
        a degradation (grain, blocks, mosaic) is detail. What it brought: docs/experiments.md.
        """
        weight = self.intro.weight
        count = weight.shape[0] * 3 // 4
        filters = torch.randn(count, 3, weight.shape[1] // 3, *weight.shape[2:])
        filters = filters - filters.mean((2, 3, 4), keepdim=True)
        weight[:count] = norm * F.normalize(filters.flatten(1)).reshape(count, *weight.shape[1:])

    def _stage(self, level: int, num_blocks: int) -> Stage:
        config: NAFNet.Config = self.config
        # TLC's box is half as large again as the training crop, scaled to this level.
        side = config.local_size // config.unshuffle
        kernel = (side >> level) * int(1.5 * side) // side if side else 0
        return Stage(*(NAFBlock(config.width << level, config.norm_eps, kernel) for _ in range(num_blocks)))

    def features(self, image: Tensor, visible: Tensor | None = None) -> tuple[Tensor, ...]:
        """(B, 3, H, W) -> one (B, width * 2**l, H / (unshuffle * 2**l), ...) a level, deepest (largest l) first."""
        return self.decode(*self.encode(image, visible), visible)

    def encode(self, image: Tensor, visible: Tensor | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B, 3, H, W) -> what the middle blocks make of it, and the skips, width * 2**l channels, finest first."""
        x = hide(self.intro(F.pixel_unshuffle(hide(image, visible), self.config.unshuffle)), visible)
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x, visible)
            skips.append(x)
            x = down(x)
        return self.middle_blks(x, visible), tuple(skips)

    def decode(self, x: Tensor, skips: tuple[Tensor, ...], visible: Tensor | None = None) -> tuple[Tensor, ...]:
        """What `encode` returned -> the features."""
        features = []
        for up, decoder, skip in zip(self.ups, self.decoders, reversed(skips), strict=True):
            x = decoder(up(x) + skip, visible)
            features.append(x)
        return tuple(features)

    def draw(self, image: Tensor, features: tuple[Tensor, ...], visible: Tensor | None = None) -> Tensor:
        """One convolution of the finest feature; (B, 3, H, W)."""
        return F.pixel_shuffle(self.ending(features[-1]), self.config.unshuffle)
