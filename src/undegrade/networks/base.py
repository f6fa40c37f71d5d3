"""What every network promises to the rest of the house."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.errors import check_at_least as check_at_least  # for the configs of all networks
from undegrade.networks.blocks import hide


class RestorationNetwork(nn.Module):
    """A restorer in two steps: `features` looks, `reconstruct` draws.

    Pre-training by masking needs no second copy of a network: `features` and `draw` take a mask, `visible`
    (B, 1, h, w), boolean, of which each entry stands for a square of the picture. Where it is given, the network
    computes what its published masked twin computes (MaskDCPT, 2025).

    Attributes:
        config: the frozen dataclass that the network was built from.
        size_multiple: height and width must be multiples of it inside the network; `forward` pads.
        feature_channels: channels of each feature, deepest first.
        num_tapped: how many of the features, deepest first, the degradation is named from.
        finest: which of the features shows the picture in its finest detail: the last, unless others follow.
        feature_fold: the finest feature is smaller than the picture by this factor a side.
        scale: the restored picture is larger than the given one by this factor a side.
        in_channels: of the given picture: 3, RGB; or 1, gray; or 6, two views.
        finished: columns of the guide, labels whose repair a second network goes over; none where there is none.
        global_statistics: True where an output pixel depends on the mean of the whole picture or on its opposite
            border, so that tiles of one picture are not treated exactly as the whole would be.
    """

    finest = -1
    finished: tuple[int, ...] = ()

    def __init__(
        self,
        config: Any,
        *,
        size_multiple: int,
        feature_channels: tuple[int, ...],
        num_tapped: int | None = None,
        feature_fold: int = 1,
        scale: int = 1,
        in_channels: int = 3,
        global_statistics: bool,
    ) -> None:
        super().__init__()
        self.config = config
        self.size_multiple = size_multiple
        self.feature_channels = feature_channels
        self.num_tapped = len(feature_channels) if num_tapped is None else num_tapped
        self.feature_fold = feature_fold
        self.scale = scale
        self.in_channels = in_channels
        self.global_statistics = global_statistics

    def features(self, image: Tensor, visible: Tensor | None = None) -> tuple[Tensor, ...]:
        """(B, 3, H, W), H and W multiples of `size_multiple` -> decoder features, deepest first."""
        raise TypeError(f"{type(self).__name__} must define features()")

    def draw(self, image: Tensor, features: tuple[Tensor, ...], visible: Tensor | None = None) -> Tensor:
        """(B, 3, H, W), what the features say about the picture; `reconstruct` adds the input to it."""
        raise TypeError(f"{type(self).__name__} must define draw()")

    def reconstruct(self, image: Tensor, features: tuple[Tensor, ...]) -> Tensor:
        """The restored picture (B, 3, H, W), nominally in [0, 1] and not clipped: image + draw(image, features)."""
        return image + self.draw(image, features)

    def pad(self, image: Tensor) -> Tensor:
        """Zeros to the right and below up to the next multiple of `size_multiple`, as the published networks do."""
        height, width = image.shape[-2:]
        down, right = -height % self.size_multiple, -width % self.size_multiple
        return F.pad(image, (0, right, 0, down)) if down or right else image

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1], any size -> restored (B, 3, H * scale, W * scale), not clipped."""
        height, width = (side * self.scale for side in image.shape[-2:])
        padded = self.pad(image)
        return self.reconstruct(padded, self.features(padded))[..., :height, :width]


class GuidedNetwork(RestorationNetwork):
    """A network that is told something about the picture, its guide, (B, G): a kind, a sentence, a prior.

    Attributes:
        guided_by_labels: True where the guide is a weight for each label, so that the classifier's answer is one.
        means_are_untold: True where what it takes over all pixels does not depend on the guide.
        own: names of the parameters that have a row for each label, "*" standing for anything.
    """

    guided_by_labels = False
    means_are_untold = False
    own: tuple[str, ...] = ()

    def usual(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, G), or (1, G) for all: the guide where nobody gives one."""
        raise TypeError(f"{type(self).__name__} must define usual()")

    def guide_of(self, degraded: Tensor, clean: Tensor, kinds: Tensor, numbers: tuple[int, ...]) -> Tensor:
        """(B, G), the guide in training, where the answer is known.

        Args:
            degraded: as of a `Batch`.
            clean: as of a `Batch`.
            kinds: (B, labels), 1 for each label that is true of a picture, else 0.
            numbers: as of a `Batch`; chance is drawn from them.
        """
        raise TypeError(f"{type(self).__name__} must define guide_of()")

    def told_features(self, image: Tensor, guide: Tensor, visible: Tensor | None = None) -> tuple[Tensor, ...]:
        """`features` by this guide."""
        raise TypeError(f"{type(self).__name__} must define told_features()")

    def features(self, image: Tensor, visible: Tensor | None = None) -> tuple[Tensor, ...]:
        """As for every network, by the usual guide of what is visible."""
        image = hide(image, visible)
        return self.told_features(image, self.usual(image), visible)
