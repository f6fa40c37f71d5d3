"""GuidedUNet: plain 3 x 3 convolutions in a U, told by numbers which degradations to remove.

Ours, made for the models that are shipped. Dense convolutions do two to three times the work a second of NAFNet's
depthwise ones, gates and norms on a CPU, and learn sooner (docs/experiments.md). Channels are scaled and shifted by
what is to be removed, after FiLM ("FiLM: Visual Reasoning with a General Conditioning Layer", AAAI 2018), and each kind
adds to the kernels what is its own, so that ten kinds share what they can and do not stand in each other's way.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.networks.base import GuidedNetwork, check_at_least
from undegrade.networks.blocks import hide
from undegrade.networks.guided_conv import GuidedConv
from undegrade.networks.light import LOCAL, SHRUNK, Light
from undegrade.networks.statistics import LocalMean

QUICK = 5.0  # a guide's parameters are rarely used and move as much faster
DIFFERENT = 0.5  # standard deviation of the scales at first: each kind begins with a part of the channels of its own
SOFT = 0.1  # the second convolution's share of its usual strength at first


class Glance(nn.Module):
    """What the whole picture looks like, whatever is to be removed: the mean over two convolutions of a smaller copy.

    Args:
        numbers: that say it.
    """

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, numbers // 2, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(numbers // 2, numbers, 3, padding=1)
        self.mean = LocalMean(numbers)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, numbers)."""
        small = F.avg_pool2d(image, SHRUNK)
        return self.mean(F.relu(self.conv2(F.relu(self.conv1(small))))).flatten(1)


class GuidedBlock(nn.Module):
    """y = x + conv2(relu(conv1(x) * (1 + s) + t)); [s, t] = guide @ table + seen @ (W + sum over k of guide_k W_k).

    Both convolutions go by the guide, too.

    How much light is missing or how thick the haze is says what is seen of the whole; what follows from it is another
    thing for each kind.

    Args:
        channels: of x.
        degradations: columns of the guide.
        numbers: of the glance.
        rank: of what each kind adds to a kernel.
    """

    def __init__(self, channels: int, degradations: int, numbers: int, rank: int) -> None:
        super().__init__()
        self.conv1 = GuidedConv(channels, degradations, rank)
        self.conv2 = GuidedConv(channels, degradations, rank)
        self.table = nn.Parameter(torch.zeros(degradations, 2 * channels))
        self.seen = nn.Linear(numbers, 2 * channels, bias=False)
        nn.init.zeros_(self.seen.weight)
        self.own = nn.Parameter(torch.zeros(degradations, numbers, 2 * channels))
        with torch.no_grad():
            self.conv2.weight.mul_(SOFT)
            self.table[:, :channels].normal_(std=DIFFERENT / QUICK)

    def forward(self, x: Tensor, guide: Tensor, seen: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, C, H, W), (B or 1, degradations), (B, numbers) -> same shape as x; what is hidden stays as it is."""
        own = (guide @ self.own.flatten(1)).unflatten(1, self.own.shape[1:])
        told = QUICK * (guide @ self.table + (seen[:, None] @ own)[:, 0]) + self.seen(seen)
        scale, shift = told[:, :, None, None].to(x.dtype).chunk(2, 1)
        inner = F.relu(self.conv1(x, guide) * (1 + scale) + shift)
        return x + hide(self.conv2(hide(inner, visible), guide), visible)


class GuidedMix(nn.Module):
    """y = x + (sum over labels of guide_k M_k) x in each pixel: each kind has a reading of the feature of its own.

    Args:
        channels: of x.
        degradations: columns of the guide.
    """

    def __init__(self, channels: int, degradations: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(degradations, channels, channels) / (QUICK * channels**0.5))

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:
        """(B, C, H, W), (B or 1, degradations) -> same shape as x."""
        mix = QUICK * torch.einsum("bk,kio->boi", guide, self.table)
        return x + torch.matmul(mix.to(x.dtype), x.flatten(2)).unflatten(2, x.shape[2:])


class GuidedUNet(GuidedNetwork):
    """First the light, by a straight line (`Light`), then all else, by the U, which sees the picture in better light.

    `features` are the middle's output and those of the decoder stages, deepest first, and last what the light adds.

    The guide is a weight for each label, 1 for each degradation that is to be removed and 0 for what shall stay; all 0,
    the usual one: nothing is said, and the features are those that the picture is named from.
    """

    guided_by_labels = True
    means_are_untold = True
    own = ("*.own_in", "*.own_out", "*.own", "*.table")
    finest = -2  # what the light adds comes last

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """The `default` release by default, but for `own`, 1024 there."""

        channels: tuple[int, ...] = (32, 64, 128)  # of each level, finest first
        encoder: tuple[int, ...] = (1, 1)  # blocks of each level but the coarsest, finest first
        middle: int = 2  # blocks at the coarsest level
        decoder: tuple[int, ...] = (1, 1)  # blocks of each level but the coarsest, deepest first
        unshuffle: int = 2  # the picture is folded by this factor before the first convolution
        degradations: int = 11  # columns of the guide: labels, "clean" among them
        glance: int = 64  # numbers that say what the whole picture looks like
        own: int = 0  # what each kind adds to a kernel has rank min(channels, own // channels); 0: nothing

        def __post_init__(self) -> None:
            """Refuse what cannot be built."""
            check_at_least(self, {"channels": 1, "encoder": 0, "middle": 1, "decoder": 0})
            check_at_least(self, {"unshuffle": 1, "degradations": 1, "glance": 2, "own": 0})
            levels = len(self.channels) - 1
            if levels < 1:
                raise ValueError("GuidedUNet.Config.channels has 1 number; it must have at least 2, one a level")
            for name in ("encoder", "decoder"):
                number = len(getattr(self, name))
                if number != levels:
                    raise ValueError(
                        f"GuidedUNet.Config.{name} has {number} numbers; it must have {levels}, by channels"
                    )

    def __init__(self, config: Config) -> None:
        channels, levels = config.channels, len(config.channels) - 1
        colours = 3 * config.unshuffle**2
        super().__init__(
            config,
            # Twice what the U needs: the head halves the coarsest feature too, and OpenVINO halves no single pixel.
            size_multiple=math.lcm(config.unshuffle << (levels + 1), LOCAL),
            feature_channels=(*reversed(channels), colours),
            num_tapped=levels + 1,
            feature_fold=config.unshuffle,
            global_statistics=True,
        )
        self.light = Light(config.degradations, config.glance)
        self.glance = Glance(config.glance)
        self.lit = nn.Linear(config.glance, config.glance, bias=False)
        nn.init.zeros_(self.lit.weight)
        self.intro = nn.Conv2d(colours, channels[0], 3, padding=1)
        self.encoders = nn.ModuleList(self._blocks(c, n) for c, n in zip(channels[:-1], config.encoder, strict=True))
        self.downs = nn.ModuleList(
            nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in itertools.pairwise(channels)
        )
        self.middle = self._blocks(channels[-1], config.middle)
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(channels[level + 1], channels[level], 2, stride=2) for level in reversed(range(levels))
        )
        self.decoders = nn.ModuleList(
            self._blocks(c, n) for c, n in zip(reversed(channels[:-1]), config.decoder, strict=True)
        )
        self.mix = GuidedMix(channels[0], config.degradations)
        self.ending = nn.Conv2d(channels[0], colours, 3, padding=1)
        nn.init.zeros_(self.ending.weight)
        nn.init.zeros_(self.ending.bias)  # type: ignore[arg-type]

    def _blocks(self, channels: int, number: int) -> nn.ModuleList:
        config: GuidedUNet.Config = self.config
        rank = min(channels, config.own // channels)
        return nn.ModuleList(GuidedBlock(channels, config.degradations, config.glance, rank) for _ in range(number))

    def usual(self, image: Tensor) -> Tensor:
        """(1, degradations), zeros: nothing is said."""
        return image.new_zeros((1, self.config.degradations))

    def guide_of(self, degraded: Tensor, clean: Tensor, kinds: Tensor, numbers: tuple[int, ...]) -> Tensor:
        """(B, degradations), the kinds."""
        return kinds

    def told_features(self, image: Tensor, guide: Tensor, visible: Tensor | None = None) -> tuple[Tensor, ...]:
        """(B, channels[l], H / (unshuffle * 2**l), ...) a level, the coarsest first, and (B, 3 * unshuffle**2, ...).

        Raises:
            ValueError: the guide has another number of columns than there are labels.
        """
        if guide.ndim != 2 or guide.shape[1] != self.config.degradations:
            raise ValueError(f"guide is {tuple(guide.shape)}; it must have {self.config.degradations} columns")
        image = hide(image, visible)
        folded, added, light = self._lit(image, guide)
        seen = self.glance(image) + self.lit(light)
        x = hide(self.intro(folded + hide(added, visible)), visible)
        skips = []
        for blocks, down in zip(self.encoders, self.downs, strict=True):
            x = _through(blocks, x, guide, seen, visible)
            skips.append(x)
            x = down(x)
        x = _through(self.middle, x, guide, seen, visible)
        features = [x]
        for up, blocks, skip in zip(self.ups, self.decoders, reversed(skips), strict=True):
            x = _through(blocks, up(x) + skip, guide, seen, visible)
            features.append(x)
        return (*features[:-1], hide(self.mix(x, guide), visible), hide(added, visible))

    def _lit(self, image: Tensor, guide: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The folded picture, what the light adds to it, and what was seen of the light."""
        folded = F.pixel_unshuffle(image, self.config.unshuffle)
        return folded, *self.light(image, folded, guide, self.config.unshuffle)

    def relit(self, image: Tensor, guide: Tensor) -> Tensor:
        """The picture in better light (B, 3, H, W), before the U repairs the rest."""
        _, added, _ = self._lit(image, guide)
        return image + F.pixel_shuffle(added, self.config.unshuffle)

    def pad(self, image: Tensor) -> Tensor:
        """The border, repeated to the right and below; the black that other networks take there says: no haze."""
        height, width = image.shape[-2:]
        down, right = -height % self.size_multiple, -width % self.size_multiple
        return F.pad(image, (0, right, 0, down), mode="replicate") if down or right else image

    def draw(self, image: Tensor, features: tuple[Tensor, ...], visible: Tensor | None = None) -> Tensor:
        """One convolution of the finest feature, and what the light adds; (B, 3, H, W)."""
        return F.pixel_shuffle(self.ending(features[self.finest]) + features[-1], self.config.unshuffle)


def _through(blocks: nn.Module, x: Tensor, guide: Tensor, seen: Tensor, visible: Tensor | None) -> Tensor:
    for block in blocks.children():
        x = block(x, guide, seen, visible)
    return x
