"""What can be read off the features of a network that learns no more."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from undegrade.batch import Batch
from undegrade.errors import check_at_least
from undegrade.networks import UniversalRestorer
from undegrade.objectives.naming import naming_loss


class Probe(nn.Module):
    """loss = focal(classifier(features(degraded)), label), the network frozen and the classifier alone trained (DCPT).

    Its accuracy says how much a network knows of degradations: fresh, trained to restore, or pre-trained.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """Cross-entropy."""

        focal_gamma: float = 0.0  # 0 is cross-entropy

        def __post_init__(self) -> None:
            """Refuse a negative one."""
            check_at_least(self, {"focal_gamma": 0})

    def __init__(self, config: Config, model: UniversalRestorer) -> None:
        super().__init__()
        self.config, self.model = config, model

    def train(self, mode: bool = True) -> Probe:
        """Of the classifier alone."""
        super().train(mode)
        self.model.network.eval()
        return self

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Scalars by name: "loss" is minimised, the others are only logged. Sides must fit the network's multiple."""
        with torch.no_grad():
            features = self.model.network.features(batch.degraded)
        loss, scalars = naming_loss(self.model, self.model.name(features), batch, self.config.focal_gamma)
        return {"loss": loss, **scalars}
