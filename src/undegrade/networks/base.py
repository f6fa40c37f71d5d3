"""What every network promises to the rest of the house."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.errors import check_at_least as check_at_least  # for the configs of all networks


class RestorationNetwork(nn.Module):
    """A restorer in two steps: `features` looks, `reconstruct` draws.

    Attributes:
        config: the frozen dataclass that the network was built from.
        size_multiple: height and width must be multiples of it inside the network; `forward` pads.
        feature_channels: channels of each feature, deepest first.
        feature_fold: the finest feature is smaller than the picture by this factor a side.
        global_statistics: True where an output pixel depends on the mean of the whole picture, so that tiles of one
            picture are not treated exactly as the whole would be.
    """

    def __init__(
        self,
        config: Any,
        *,
        size_multiple: int,
        feature_channels: tuple[int, ...],
        feature_fold: int = 1,
        global_statistics: bool,
    ) -> None:
        super().__init__()
        self.config = config
        self.size_multiple = size_multiple
        self.feature_channels = feature_channels
        self.feature_fold = feature_fold
        self.global_statistics = global_statistics

    def features(self, image: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W), H and W multiples of `size_multiple` -> decoder features, deepest first."""
        raise TypeError(f"{type(self).__name__} must define features()")

    def reconstruct(self, image: Tensor, features: tuple[Tensor, ...]) -> Tensor:
        """The restored picture (B, 3, H, W), nominally in [0, 1] and not clipped, from the image and its features."""
        raise TypeError(f"{type(self).__name__} must define reconstruct()")

    def pad(self, image: Tensor) -> Tensor:
        """Zeros to the right and below up to the next multiple of `size_multiple`, as the published networks do."""
        height, width = image.shape[-2:]
        down, right = -height % self.size_multiple, -width % self.size_multiple
        return F.pad(image, (0, right, 0, down)) if down or right else image

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1], any size -> restored (B, 3, H, W), not clipped."""
        height, width = image.shape[-2:]
        padded = self.pad(image)
        return self.reconstruct(padded, self.features(padded))[..., :height, :width]
