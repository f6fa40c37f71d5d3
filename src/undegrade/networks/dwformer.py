"""DWFormer: a U-shaped restorer of depthwise convolutions and gates that see the whole picture.

Paper: "Modular Degradation Simulation and Restoration for Under-Display Camera" (MPGNet and DWFormer), BMVC 2022.
Written from a description in prose and checked against the published network's outputs; the state-dict names are the
published ones. Published checkpoints also carry a pwconv in each block, which has no effect; it is not made here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.networks.base import RestorationNetwork, check_at_least
from undegrade.networks.blocks import Stage, hide
from undegrade.networks.statistics import LocalMean

STAGES = 5
POOLINGS = ("sum", "mean")


def reflected(x: Tensor, width: int) -> Tensor:
    """(B, C, H, W) with its mirror image around it; where it is too small for that, its border is repeated beyond."""
    height, length = x.shape[-2:]
    if not torch.jit.is_tracing() and min(height, length) > width:
        return F.pad(x, (width,) * 4, mode="reflect")
    for axis, side in ((2, height), (3, length)):
        places = torch.arange(-width, side + width, device=x.device).abs()
        places = torch.minimum(places, 2 * (side - 1) - places).clamp_min(0)
        x = x.index_select(axis, places)
    return x


class Gate(nn.Module):
    """y = x * sigmoid(W2 relu(W1 v)), v the sum, or the mean, of x over the pixels."""

    def __init__(self, channels: int, reduction: int, pooling: str) -> None:
        super().__init__()
        hidden = channels // reduction
        self.mean = LocalMean(channels, 0)
        self.mlp = nn.Sequential(
            nn.Linear(channels, hidden, bias=False), nn.ReLU(), nn.Linear(hidden, channels, bias=False)
        )
        self.summed = pooling == "sum"

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        pooled = self.mean(x).flatten(1)
        if self.summed:
            pooled = pooled * (x.shape[2] * x.shape[3])
        return x * self.mlp(pooled).sigmoid()[:, :, None, None]


class Block(nn.Module):
    """x = x + conv(gate(relu(depthwise5x5(conv(norm(x)))))); y = x + conv(relu(conv(norm(x))))."""

    def __init__(self, channels: int, ratio: int, reduction: int, pooling: str) -> None:
        super().__init__()
        c = channels
        self.inter = nn.ModuleDict(
            {
                "0": nn.BatchNorm2d(c),
                "1": nn.Conv2d(c, c, 1),
                "2": nn.Conv2d(c, c, 5, groups=c),
                "4": Gate(c, reduction, pooling),
                "5": nn.Conv2d(c, c, 1),
            }
        )
        self.intra = nn.Sequential(nn.BatchNorm2d(c), nn.Conv2d(c, ratio * c, 1), nn.ReLU(), nn.Conv2d(ratio * c, c, 1))

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, C, H, W) -> same shape; hidden pixels stay zeros."""
        u = hide(self.inter["1"](self.inter["0"](x)), visible)
        u = hide(self.inter["2"](reflected(u, 2)).relu(), visible)
        x = x + hide(self.inter["5"](self.inter["4"](u)), visible)
        return x + hide(self.intra(x), visible)


class DWFormer(RestorationNetwork):
    """`features` are the outputs of the two decoder stages, the coarser first; one convolution draws.

    The published gates see the sum over all pixels where a mean was meant, so they depend on the picture's size: a
    tile is treated otherwise than the whole. So it is here, for checkpoints depend on it; `pooling="mean"` is free of
    that.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """The paper's network by default (1.4 M parameters)."""

        widths: tuple[int, ...] = (24, 48, 96, 48, 24)  # channels of each stage, in the order they are gone through
        blocks: tuple[int, ...] = (8, 8, 8, 6, 6)
        ratios: tuple[int, ...] = (2, 4, 4, 2, 2)  # hidden channels of a block's second branch, as multiples
        reduction: int = 1  # channels of a gate / this are its hidden ones
        pooling: str = "sum"  # what a gate sees of the picture; or "mean"

        def __post_init__(self) -> None:
            """Refuse what cannot be built."""
            check_at_least(self, {"widths": 1, "blocks": 0, "ratios": 1, "reduction": 1})
            for name in ("widths", "blocks", "ratios"):
                if len(getattr(self, name)) != STAGES:
                    count = len(getattr(self, name))
                    raise ValueError(f"DWFormer.Config.{name} has {count} numbers; it must have {STAGES}, one a stage")
            first, second, _, fourth, fifth = self.widths
            if (first, second) != (fifth, fourth):
                raise ValueError(
                    f"DWFormer.Config.widths is {self.widths}; the last two must be the first two in reverse, for they "
                    "are added to"
                )
            if min(self.widths) < self.reduction:
                raise ValueError(f"DWFormer.Config.reduction is {self.reduction}; it must be at most the least width")
            if self.pooling not in POOLINGS:
                raise ValueError(f"DWFormer.Config.pooling is {self.pooling}; it must be {' or '.join(POOLINGS)}")

    def __init__(self, config: Config) -> None:
        d1, d2, d3, d4, d5 = config.widths
        super().__init__(config, size_multiple=4, feature_channels=(d4, d5), global_statistics=True)
        self.downproj1 = nn.Conv2d(3, d1, 3, padding=1)
        self.block1 = self._stage(0)
        self.downproj2 = nn.Conv2d(d1, d2, 2, stride=2)
        self.block2 = self._stage(1)
        self.downproj3 = nn.Conv2d(d2, d3, 2, stride=2)
        self.block3 = self._stage(2)
        self.upproj4 = nn.Sequential(nn.Conv2d(d3, 4 * d4, 1), nn.PixelShuffle(2))
        self.fuse1 = nn.Sequential(nn.Conv2d(d4 + d2, d4, 3), nn.ReLU())
        self.block4 = self._stage(3)
        self.upproj5 = nn.Sequential(nn.Conv2d(d4, 4 * d5, 1), nn.PixelShuffle(2))
        self.fuse2 = nn.Sequential(nn.Conv2d(d5 + d1, d5, 3), nn.ReLU())
        self.block5 = self._stage(4)
        self.out = nn.Conv2d(d5, 3, 3)

    def _stage(self, number: int) -> nn.ModuleDict:
        config: DWFormer.Config = self.config
        width, ratio = config.widths[number], config.ratios[number]
        made = (Block(width, ratio, config.reduction, config.pooling) for _ in range(config.blocks[number]))
        return nn.ModuleDict({"blocks": Stage(*made)})

    def features(self, image: Tensor, visible: Tensor | None = None) -> tuple[Tensor, ...]:
        """(B, 3, H, W) -> (B, widths[3], H / 2, W / 2), (B, widths[4], H, W)."""
        fine = self.block1["blocks"](hide(self.downproj1(hide(image, visible)), visible), visible)
        middle = self.block2["blocks"](hide(self.downproj2(fine), visible), visible)
        coarse = self.block3["blocks"](hide(self.downproj3(middle), visible), visible)
        both = torch.cat((hide(self.upproj4(coarse), visible), middle), 1)
        middle = self.block4["blocks"](hide(self.fuse1(reflected(both, 1)), visible), visible)
        both = torch.cat((hide(self.upproj5(middle), visible), fine), 1)
        return middle, self.block5["blocks"](hide(self.fuse2(reflected(both, 1)), visible), visible)

    def draw(self, image: Tensor, features: tuple[Tensor, ...], visible: Tensor | None = None) -> Tensor:
        """One convolution of the finest feature; (B, 3, H, W)."""
        return self.out(reflected(features[-1], 1))
