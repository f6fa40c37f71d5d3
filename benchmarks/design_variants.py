"""The networks and steerings that `design.py` tries and the package does not have."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.networks import DegradationClassifier, UniversalRestorer
from undegrade.networks.base import RestorationNetwork
from undegrade.networks.nafnet import NAFBlock

PROMPT_SIDE = 16  # of the learned maps, features
BAND = 9  # side of the mean that parts low from high frequencies, features


class NoNorm(nn.Module):
    """In the place of a layer norm: nothing."""

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        """What was given."""
        return x


def no_norms(network: nn.Module) -> None:
    """Take the layer norms out."""
    for block in network.modules():
        if isinstance(block, NAFBlock):
            block.norm1, block.norm2 = NoNorm(), NoNorm()  # type: ignore[assignment]


def large_kernels(network: nn.Module) -> None:
    """7 x 7 in the depthwise convolutions."""
    for block in network.modules():
        if isinstance(block, NAFBlock):
            channels = block.conv2.in_channels
            block.conv2 = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)


class Modulated(UniversalRestorer):
    """The probabilities p of the labels change the finest feature before the picture is drawn from it."""

    def __init__(
        self,
        network: RestorationNetwork,
        classifier: DegradationClassifier.Config,
        labels: tuple[str, ...],
        *,
        steered: bool,
    ) -> None:
        super().__init__(network, classifier, labels, steered=steered)

    def modulate(self, feature: Tensor, share: Tensor) -> Tensor:
        """(B, C, h, w) and p (B, K) -> (B, C, h, w)."""
        raise NotImplementedError

    def _draw(self, image: Tensor, features: tuple[Tensor, ...], logits: Tensor, guide: Tensor | None = None) -> Tensor:
        share = (self.sharpness * logits.detach()).softmax(1)
        return self.network.reconstruct(image, (*features[:-1], self.modulate(features[-1], share)))


class Film(Modulated):
    """y = (1 + a(p)) * x + b(p), a and b linear in p (Perez et al., FiLM, AAAI 2018)."""

    def __init__(self, network, classifier, labels, *, steered):  # type: ignore[no-untyped-def]
        super().__init__(network, classifier, labels, steered=steered)
        self.film = zero_linear(len(labels), 2 * network.feature_channels[-1])

    def modulate(self, feature: Tensor, share: Tensor) -> Tensor:
        """As the class says."""
        scale, shift = self.film(share)[:, :, None, None].chunk(2, 1)
        return (1 + scale) * feature + shift


class Prompt(Modulated):
    """y = x + conv([x, sum over labels of p_k * P_k]), P_k learned maps, enlarged to x (as PromptIR, NeurIPS 2023)."""

    def __init__(self, network, classifier, labels, *, steered):  # type: ignore[no-untyped-def]
        super().__init__(network, classifier, labels, steered=steered)
        channels = network.feature_channels[-1]
        self.prompts = nn.Parameter(torch.rand(len(labels), channels, PROMPT_SIDE, PROMPT_SIDE))
        self.mix = nn.Conv2d(2 * channels, channels, 3, padding=1)

    def modulate(self, feature: Tensor, share: Tensor) -> Tensor:
        """As the class says."""
        prompt = torch.einsum("bk,kchw->bchw", share, self.prompts)
        prompt = F.interpolate(prompt, feature.shape[-2:], mode="bilinear", align_corners=False)
        return feature + self.mix(torch.cat([feature, prompt], 1))


class Bands(Modulated):
    """y = x + a(p) * low(x) + b(p) * (x - low(x)), low a local mean: gains by frequency band (as AdaIR, ICLR 2025)."""

    def __init__(self, network, classifier, labels, *, steered):  # type: ignore[no-untyped-def]
        super().__init__(network, classifier, labels, steered=steered)
        self.gains = zero_linear(len(labels), 2 * network.feature_channels[-1])

    def modulate(self, feature: Tensor, share: Tensor) -> Tensor:
        """As the class says."""
        low = F.avg_pool2d(feature, BAND, stride=1, padding=BAND // 2, count_include_pad=False)
        of_low, of_high = self.gains(share)[:, :, None, None].chunk(2, 1)
        return feature + of_low * low + of_high * (feature - low)


def zero_linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer that starts at zero."""
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


# The class, and whether each label has an output convolution of its own.
STEERINGS = {
    "output": (UniversalRestorer, True),
    "none": (UniversalRestorer, False),
    "film": (Film, False),
    "prompt": (Prompt, False),
    "bands": (Bands, False),
}
