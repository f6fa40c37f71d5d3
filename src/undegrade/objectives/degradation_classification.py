"""Name the degradation before learning to remove it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from undegrade.batch import Batch
from undegrade.errors import check_at_least
from undegrade.networks import UniversalRestorer
from undegrade.objectives.naming import naming_loss
from undegrade.objectives.restoration import l1_loss

DRAWN = ("clean", "degraded", "nothing")


class DegradationClassification(nn.Module):
    """Universal restoration pre-training (DCPT, ICLR 2025): two forwards, one backward.

    loss = naming_weight * naming_loss(classifier(features(degraded)))
         + drawing_weight * mean |network(x) - clean|, x the clean picture

    With `drawn="degraded"`, x is the degraded picture: naming and restoring are trained together, in one forward, which
    is the baseline that DCPT is compared with. With `drawn="nothing"`, the second term is left out.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """The paper's settings."""

        focal_gamma: float = 2.0  # 0 is cross-entropy
        naming_weight: float = 1.0
        drawn: str = "clean"  # from what the clean picture is drawn: "clean", "degraded" or "nothing"
        drawing_weight: float = 1.0  # keeps the network able to draw

        def __post_init__(self) -> None:
            """Refuse negative weights and something else to draw from."""
            check_at_least(self, {"focal_gamma": 0, "naming_weight": 0, "drawing_weight": 0})
            if self.drawn not in DRAWN:
                raise ValueError(
                    f"DegradationClassification.Config.drawn is {self.drawn!r}; it must be one of {', '.join(DRAWN)}"
                )

    def __init__(self, config: Config, model: UniversalRestorer) -> None:
        super().__init__()
        self.config, self.model = config, model

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Scalars by name: "loss" is minimised, the others are only logged. Sides must fit the network's multiple."""
        network = self.model.network
        features = network.features(batch.degraded)
        naming, scalars = naming_loss(self.model, self.model.name(features), batch, self.config.focal_gamma)
        loss = self.config.naming_weight * naming
        if self.config.drawn != "nothing":
            given = batch.clean if self.config.drawn == "clean" else batch.degraded
            if given is batch.clean:
                features = network.features(given)
            drawing = l1_loss(network.reconstruct(given, features).float(), batch.clean)
            loss = loss + self.config.drawing_weight * drawing
            scalars["drawing"] = drawing.detach()
        return {"loss": loss, **scalars}
