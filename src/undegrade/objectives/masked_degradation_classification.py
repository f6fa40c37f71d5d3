"""Name the degradation of a picture of which half is hidden, and draw the clean picture from the same half."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from undegrade.batch import Batch
from undegrade.errors import check_at_least
from undegrade.networks import UniversalRestorer
from undegrade.objectives.masking import check_masking, check_patch, draw_masks
from undegrade.objectives.naming import naming_loss
from undegrade.objectives.restoration import l1_loss


class MaskedDegradationClassification(nn.Module):
    """MaskDCPT (2025, arXiv 2510.13282): two answers from one forward of the masked degraded picture.

    f = features(degraded, visible)
    loss = naming_weight * focal(classifier(f), label) + drawing_weight * mean |draw(f) - clean|

    The picture is drawn without the input being added to it, and judged everywhere: where it was hidden and where not.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """The paper's settings."""

        patch: int = 16  # side of the squares that are hidden or shown, pixels; a multiple of the network's
        ratio: float = 0.5  # share of the squares that is hidden
        focal_gamma: float = 2.0  # 0 is cross-entropy
        naming_weight: float = 1.0
        drawing_weight: float = 1.0

        def __post_init__(self) -> None:
            """Refuse numbers out of range."""
            check_at_least(self, {"focal_gamma": 0, "naming_weight": 0, "drawing_weight": 0})
            check_masking(self, self.patch, self.ratio)

    def __init__(self, config: Config, model: UniversalRestorer) -> None:
        super().__init__()
        check_patch(config.patch, model.network.size_multiple)
        self.config, self.model = config, model

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Scalars by name: "loss" is minimised, the others are only logged. Sides must be multiples of `patch`."""
        config, network = self.config, self.model.network
        visible = draw_masks(batch, config.patch, config.ratio)
        features = network.features(batch.degraded, visible)
        naming, scalars = naming_loss(self.model, self.model.name(features), batch, config.focal_gamma)
        drawing = l1_loss(network.draw(batch.degraded, features, visible).float(), batch.clean)
        return {
            "loss": config.naming_weight * naming + config.drawing_weight * drawing,
            "drawing": drawing.detach(),
            **scalars,
        }
