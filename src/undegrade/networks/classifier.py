"""The head that names the degradation from decoder features.

Paper: "Universal Image Restoration Pre-training via Degradation Classification" (DCPT), ICLR 2025. It lives beside the
networks, not with the objectives, because the shipped model keeps it: restoration needs the name after training too.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.networks.base import check_at_least
from undegrade.networks.blocks import ChannelLayerNorm
from undegrade.networks.shared_norm import SharedBatchNorm

NORMS: dict[str, type[nn.Module]] = {"layer": ChannelLayerNorm, "batch": SharedBatchNorm}


class NormedConv(nn.Conv2d):
    """A convolution without bias, then a norm."""

    def __init__(self, inputs: int, outputs: int, kernel: int, norm: str) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.norm = NORMS[norm](outputs)

    def forward(self, input: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H, W)."""
        return self.norm(super().forward(input))


class Bottleneck(nn.Module):
    """relu(x + conv3(relu(conv2(relu(conv1(x)))))), 1x1 to 2C, 3x3, 1x1 back to C."""

    def __init__(self, channels: int, norm: str) -> None:
        super().__init__()
        self.conv1 = NormedConv(channels, 2 * channels, 1, norm)
        self.conv2 = NormedConv(2 * channels, 2 * channels, 3, norm)
        self.conv3 = NormedConv(2 * channels, channels, 1, norm)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        return F.relu(x + self.conv3(F.relu(self.conv2(F.relu(self.conv1(x))))))


class NoClassifier(nn.Module):
    """Stands where a model has no classifier: knows no label."""

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        """Features -> logits (B, 0)."""
        return features[0].new_empty(features[0].shape[0], 0)


class DegradationClassifier(nn.Module):
    """A residual network over the features, finest first: x = x + m_i f_i, two bottlenecks, halve; m = softmax(mixing).

    Features that do not halve from one to the next (SwinIR's all have full size) are shrunk to the size of the running
    x, to the nearest pixels. With `max_channels` 0 it is the published head (49 M parameters on NAFNet of width 64).
    Otherwise features wider than `max_channels` are first projected to it by a 1x1 convolution, which makes the head
    light.

    What is read off the last x is its mean over all pixels; with `peaks`, its maximum, too: a scratch or a flake is
    seen in few pixels and drowns in a mean.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """The paper's head by default."""

        num_blocks: int = 2  # bottlenecks at each feature
        max_channels: int = 0  # channels that the head works at most with; 0 = as many as each feature has
        norm: str = "layer"  # "layer", over the channels of each pixel; or "batch", which learns the names far faster
        peaks: bool = False  # whether maxima are looked at beside means

        def __post_init__(self) -> None:
            """Refuse negative numbers and an unknown norm."""
            check_at_least(self, {"num_blocks": 0, "max_channels": 0})
            if self.norm not in NORMS:
                raise ValueError(f"DegradationClassifier.Config.norm is {self.norm!r}; expected {' or '.join(NORMS)}")

    def __init__(self, config: Config, feature_channels: tuple[int, ...], num_labels: int) -> None:
        super().__init__()
        self.config = config
        given = tuple(reversed(feature_channels))
        inner = tuple(min(c, config.max_channels) if config.max_channels else c for c in given)
        self.mixing_weights = nn.Parameter(torch.ones(len(given)))
        self.projections = nn.ModuleList(
            nn.Identity() if c == w else nn.Conv2d(c, w, 1, bias=False) for c, w in zip(given, inner, strict=True)
        )
        self.bottleneck_layers = nn.ModuleList(
            nn.Sequential(*(Bottleneck(w, config.norm) for _ in range(config.num_blocks))) for w in inner
        )
        self.downsample_layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(w, after, 1, bias=False), nn.MaxPool2d(2, ceil_mode=True), nn.ReLU())
            for w, after in zip(inner, (*inner[1:], inner[-1]), strict=True)
        )
        self.last_stage = nn.Sequential(*(Bottleneck(inner[-1], config.norm) for _ in range(config.num_blocks)))
        self.fc = nn.Linear((2 if config.peaks else 1) * inner[-1], num_labels)

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        """Features, deepest first, each (B, feature_channels[i], h, w) -> logits (B, num_labels)."""
        return self.fc(self.pooled(features))

    def pooled(self, features: tuple[Tensor, ...]) -> Tensor:
        """Features -> what the logits are read off, (B, fc.in_features)."""
        mixing = self.mixing_weights.softmax(0)
        x: Tensor | None = None
        stages = zip(self.projections, self.bottleneck_layers, self.downsample_layers, strict=True)
        for i, (feature, (project, bottlenecks, downsample)) in enumerate(zip(reversed(features), stages, strict=True)):
            if x is not None and x.shape[2:] != feature.shape[2:]:
                feature = F.interpolate(feature, x.shape[2:], mode="nearest")
            mixed = mixing[i] * project(feature)
            x = downsample(bottlenecks(mixed if x is None else x + mixed))
        assert x is not None
        x = self.last_stage(x)
        return torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1) if self.config.peaks else x.mean((2, 3))
