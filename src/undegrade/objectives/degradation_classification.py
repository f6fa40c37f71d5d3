"""Name the degradation before learning to remove it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from undegrade.batch import Batch
from undegrade.errors import check_at_least
from undegrade.networks import UniversalRestorer
from undegrade.objectives.focal import focal_loss
from undegrade.objectives.restoration import l1_loss


class DegradationClassification(nn.Module):
    """Universal restoration pre-training (DCPT, ICLR 2025): two forwards, one backward.

    loss = naming_weight * focal(classifier(features(degraded)), label)
         + identity_weight * mean |network(clean) - clean|
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """The paper's settings."""

        focal_gamma: float = 2.0  # 0 is cross-entropy
        naming_weight: float = 1.0
        identity_weight: float = 1.0  # keeps the network able to draw clean pictures

        def __post_init__(self) -> None:
            """Refuse negative weights."""
            check_at_least(self, {"focal_gamma": 0, "naming_weight": 0, "identity_weight": 0})

    def __init__(self, config: Config, model: UniversalRestorer) -> None:
        super().__init__()
        self.config, self.model = config, model

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Scalars by name: "loss" is minimised, the others are only logged. Sides must fit the network's multiple."""
        network = self.model.network
        logits = self.model.name(network.features(batch.degraded)).float()
        naming = focal_loss(logits, batch.label, self.config.focal_gamma)
        loss = self.config.naming_weight * naming
        scalars = {"naming": naming.detach(), "accuracy": (logits.argmax(1) == batch.label).float().mean()}
        if self.config.identity_weight:
            identity = l1_loss(network.reconstruct(batch.clean, network.features(batch.clean)).float(), batch.clean)
            loss = loss + self.config.identity_weight * identity
            scalars["identity"] = identity.detach()
        return {"loss": loss, **scalars}
