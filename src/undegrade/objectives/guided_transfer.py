"""Learn a new degradation under the eye of a classifier that learns no more."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from undegrade.batch import Batch
from undegrade.errors import UndegradeError, check_at_least
from undegrade.networks import UniversalRestorer
from undegrade.objectives.naming import naming_loss
from undegrade.objectives.restoration import l1_loss


class GuidedTransfer(nn.Module):
    """DCPT's transfer to another degradation: the pictures teach, a frozen classifier keeps the features telling.

    loss = mean |network(degraded) - clean| + guidance_weight * focal(classifier(features(degraded)), target)

    The classifier's weights and statistics stay as they are; its gradient reaches the features.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """The paper's settings: cross-entropy, weight 1."""

        guidance_weight: float = 1.0
        focal_gamma: float = 0.0  # 0 is cross-entropy
        target: str = ""  # the label that the features shall show; unless given, each picture's own

        def __post_init__(self) -> None:
            """Refuse negative weights."""
            check_at_least(self, {"guidance_weight": 0, "focal_gamma": 0})

    def __init__(self, config: Config, model: UniversalRestorer) -> None:
        super().__init__()
        if config.target and config.target not in model.labels:
            raise UndegradeError(
                f"objective.target is {config.target!r}; the classifier knows {', '.join(model.labels)}"
            )
        self.config, self.model = config, model

    def train(self, mode: bool = True) -> GuidedTransfer:
        """Of the network alone; the classifier keeps its statistics."""
        super().train(mode)
        self.model.classifier.eval()
        return self

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Scalars by name: "loss" is minimised, the others are only logged. Sides must fit the network's multiple."""
        network, classifier = self.model.network, self.model.classifier
        features = network.features(batch.degraded)
        distance = l1_loss(network.reconstruct(batch.degraded, features).float(), batch.clean)
        weights = {name: weight.detach() for name, weight in classifier.named_parameters()}
        logits = functional_call(classifier, weights, (features[: network.num_tapped],))
        if self.config.target:
            place = torch.full_like(batch.label, self.model.labels.index(self.config.target))
            batch = replace(batch, label=place, present=F.one_hot(place, len(self.model.labels)).float())
        guidance, scalars = naming_loss(self.model, logits, batch, self.config.focal_gamma)
        return {
            "loss": distance + self.config.guidance_weight * guidance,
            "distance": distance.detach(),
            "guidance": guidance.detach(),
            "accuracy": scalars["accuracy"],
        }
