"""A network together with the head that names what is wrong: what is trained, stored and exported."""

from __future__ import annotations

from torch import Tensor, nn

from undegrade.networks.base import RestorationNetwork
from undegrade.networks.classifier import DegradationClassifier


class UniversalRestorer(nn.Module):
    """One pass over the picture, two answers: the restored picture and the name of the degradation.

    Args:
        network: draws the picture and provides the features.
        classifier: reads the features.
        labels: the names that the logits stand for, in order.
    """

    def __init__(
        self, network: RestorationNetwork, classifier: DegradationClassifier.Config, labels: tuple[str, ...]
    ) -> None:
        super().__init__()
        self.network = network
        self.classifier = DegradationClassifier(classifier, network.feature_channels, len(labels))
        self.labels = labels

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) in [0, 1], any size -> restored (B, 3, H, W), not clipped, and logits (B, num_labels)."""
        height, width = image.shape[-2:]
        padded = self.network.pad(image)
        features = self.network.features(padded)
        picture = self.network.reconstruct(padded, features)[..., :height, :width]
        return picture, self.classifier(features)
