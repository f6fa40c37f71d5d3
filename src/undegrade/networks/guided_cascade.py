"""GuidedCascade: a GuidedUNet, and a second, wider U that goes over what it has made of some kinds.

Ours, made for the larger one of the models that are shipped. The first network is the smaller one as it is, so that
both name and grade alike, and what the second one has not learned to do better stays as the first has made it. A row of
networks each of which sees the picture and what the one before has made of it: "Multi-Stage Progressive Image
Restoration" (MPRNet), CVPR 2021.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.networks.base import GuidedNetwork, check_at_least
from undegrade.networks.blocks import hide
from undegrade.networks.guided_conv import GuidedConv
from undegrade.networks.guided_unet import QUICK, SOFT, GuidedUNet


class ToldBlock(nn.Module):
    """y = x + conv2(relu(conv1(x) * (1 + s) + t)), [s, t] = guide @ table.

    Args:
        channels: of x.
        degradations: columns of the guide.
        rank: of what each kind adds to a kernel.
    """

    def __init__(self, channels: int, degradations: int, rank: int) -> None:
        super().__init__()
        self.conv1 = GuidedConv(channels, degradations, rank)
        self.conv2 = GuidedConv(channels, degradations, rank)
        self.table = nn.Parameter(torch.zeros(degradations, 2 * channels))
        with torch.no_grad():
            self.conv2.weight.mul_(SOFT)

    def forward(self, x: Tensor, guide: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, C, H, W), (B or 1, degradations) -> same shape as x; what is hidden stays as it is."""
        scale, shift = (QUICK * (guide @ self.table))[:, :, None, None].to(x.dtype).chunk(2, 1)
        inner = F.relu(self.conv1(x, guide) * (1 + scale) + shift)
        return x + hide(self.conv2(hide(inner, visible), guide), visible)


class GuidedCascade(GuidedNetwork):
    """picture = first(x) + w * second(x, first(x), the first's finest feature), w = 1 for the kinds that are finished.

    The features are the first network's, and last what the second one adds.
    """

    guided_by_labels = True
    means_are_untold = True
    own = GuidedUNet.own
    finest = GuidedUNet.finest - 1
    share: Tensor

    @dataclass(frozen=True, kw_only=True)
    class Config(GuidedUNet.Config):
        """The first network, as of `GuidedUNet`, and the second; by default the `quality` release, but for `own`."""

        wider: tuple[int, ...] = (64, 96, 128)  # channels of each level of the second U, finest first
        deeper: tuple[int, ...] = (3, 2)  # its blocks of each level but the coarsest, finest first, going down and up
        bottom: int = 2  # its blocks at the coarsest level
        own_again: int = 0  # what each kind adds to its kernels, as `own`
        finished: tuple[int, ...] = (1, 2, 6, 7, 9, 10)  # columns of the guide: labels whose repair is gone over

        def __post_init__(self) -> None:
            """Refuse what cannot be built."""
            super().__post_init__()
            check_at_least(self, {"wider": 1, "deeper": 0, "bottom": 1, "own_again": 0, "finished": 0})
            if len(self.deeper) != len(self.wider) - 1 or not self.deeper:
                raise ValueError(
                    f"GuidedCascade.Config.deeper has {len(self.deeper)} numbers, wider has {len(self.wider)}; wider "
                    "must have one more, one a level"
                )
            if len(self.wider) > len(self.channels):
                raise ValueError(
                    f"GuidedCascade.Config.wider has {len(self.wider)} numbers; it may have {len(self.channels)} at "
                    "most, by channels"
                )
            if max(self.finished, default=0) >= self.degradations:
                raise ValueError(
                    f"GuidedCascade.Config.finished is {self.finished}; each must be below degradations, "
                    f"{self.degradations}"
                )

    def __init__(self, config: Config) -> None:
        first = GuidedUNet(GuidedUNet.Config(**{f.name: getattr(config, f.name) for f in fields(GuidedUNet.Config)}))
        colours = 3 * config.unshuffle**2
        super().__init__(
            config,
            size_multiple=first.size_multiple,
            feature_channels=(*first.feature_channels, colours),
            num_tapped=first.num_tapped,
            feature_fold=first.feature_fold,
            global_statistics=True,
        )
        self.first = first
        self.again = Again(config, 2 * colours + config.channels[0], colours)
        self.finished = config.finished
        share = torch.zeros(config.degradations)
        share[list(config.finished)] = 1
        self.register_buffer("share", share, persistent=False)

    def usual(self, image: Tensor) -> Tensor:
        """(1, degradations), zeros: nothing is said."""
        return self.first.usual(image)

    def guide_of(self, degraded: Tensor, clean: Tensor, kinds: Tensor, numbers: tuple[int, ...]) -> Tensor:
        """(B, degradations), the kinds."""
        return kinds

    def pad(self, image: Tensor) -> Tensor:
        """As the first network does."""
        return self.first.pad(image)

    def features(self, image: Tensor, visible: Tensor | None = None) -> tuple[Tensor, ...]:
        """As for every network; where nothing is said the second one has nothing to do."""
        features = self.first.features(image, visible)
        return (*features, torch.zeros_like(features[-1]))

    def told_features(self, image: Tensor, guide: Tensor, visible: Tensor | None = None) -> tuple[Tensor, ...]:
        """The first network's, and (B, 3 * unshuffle**2, H / unshuffle, W / unshuffle), what the second one adds.

        Raises:
            ValueError: the guide has another number of columns than there are labels.
        """
        features = self.first.told_features(image, guide, visible)
        fold, image = self.config.unshuffle, hide(image, visible)
        made = image + self.first.draw(image, features, visible)
        pair = [F.pixel_unshuffle(picture, fold) for picture in (image, made)]
        seen = torch.cat([*pair, features[self.first.finest]], 1)
        share = (guide @ self.share.to(guide.dtype)).clamp(max=1)[:, None, None, None]
        added = self.again(seen, guide, visible)
        return (*features, hide(share.to(added.dtype) * added, visible))

    def draw(self, image: Tensor, features: tuple[Tensor, ...], visible: Tensor | None = None) -> Tensor:
        """What the first network draws, and what the second one adds to it; (B, 3, H, W)."""
        return self.first.draw(image, features[:-1], visible) + F.pixel_shuffle(features[-1], self.config.unshuffle)


class Again(nn.Module):
    """The second U.

    Args:
        config: of the network.
        given: channels.
        drawn: channels.
    """

    def __init__(self, config: GuidedCascade.Config, given: int, drawn: int) -> None:
        super().__init__()
        levels = range(len(config.deeper))
        self.intro = nn.Conv2d(given, config.wider[0], 3, padding=1)
        self.encoders = nn.ModuleList(_blocks(config, level, config.deeper[level]) for level in levels)
        self.downs = nn.ModuleList(
            nn.Conv2d(fine, coarse, 2, stride=2) for fine, coarse in itertools.pairwise(config.wider)
        )
        self.middle = _blocks(config, len(levels), config.bottom)
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(config.wider[level + 1], config.wider[level], 2, stride=2) for level in reversed(levels)
        )
        self.decoders = nn.ModuleList(_blocks(config, level, config.deeper[level]) for level in reversed(levels))
        self.ending = nn.Conv2d(config.wider[0], drawn, 3, padding=1)
        nn.init.zeros_(self.ending.weight)
        nn.init.zeros_(self.ending.bias)  # type: ignore[arg-type]

    def forward(self, seen: Tensor, guide: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, given, h, w), (B or 1, degradations) -> (B, drawn, h, w)."""
        x = hide(self.intro(hide(seen, visible)), visible)
        skips = []
        for blocks, down in zip(self.encoders, self.downs, strict=True):
            x = _through(blocks, x, guide, visible)
            skips.append(x)
            x = down(x)
        x = _through(self.middle, x, guide, visible)
        for up, blocks, skip in zip(self.ups, self.decoders, reversed(skips), strict=True):
            x = _through(blocks, up(x) + skip, guide, visible)
        return self.ending(x)


def _blocks(config: GuidedCascade.Config, level: int, number: int) -> nn.ModuleList:
    channels = config.wider[level]
    rank = min(channels, config.own_again // channels)
    return nn.ModuleList(ToldBlock(channels, config.degradations, rank) for _ in range(number))


def _through(blocks: nn.Module, x: Tensor, guide: Tensor, visible: Tensor | None) -> Tensor:
    for block in blocks.children():
        x = block(x, guide, visible)
    return x
