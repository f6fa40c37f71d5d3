"""Guess what is hidden: the pre-training that knows nothing of degradations, as the baseline of those that do."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from undegrade.batch import Batch
from undegrade.networks import UniversalRestorer
from undegrade.objectives.masking import check_masking, check_patch, draw_masks

PICTURES = ("clean", "degraded")


class MaskedImageModelling(nn.Module):
    """SimMIM (Xie et al., CVPR 2022): loss = mean over the hidden pixels of |draw(features(x, visible)) - x|.

    x is the clean picture, or the degraded one; no label is seen.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """The squares of MaskDCPT, so that the two differ in nothing but what is asked for."""

        patch: int = 16  # side of the squares that are hidden or shown, pixels; a multiple of the network's
        ratio: float = 0.5  # share of the squares that is hidden
        picture: str = "clean"  # which one is masked and guessed: "clean" or "degraded"

        def __post_init__(self) -> None:
            """Refuse numbers out of range and another picture."""
            check_masking(self, self.patch, self.ratio)
            if self.picture not in PICTURES:
                raise ValueError(
                    f"MaskedImageModelling.Config.picture is {self.picture!r}; it must be {' or '.join(PICTURES)}"
                )

    def __init__(self, config: Config, model: UniversalRestorer) -> None:
        super().__init__()
        check_patch(config.patch, model.network.size_multiple)
        self.config, self.model = config, model

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Scalars by name: "loss" is minimised. Sides must be multiples of `patch`."""
        config, network = self.config, self.model.network
        picture = batch.clean if config.picture == "clean" else batch.degraded
        visible = draw_masks(batch, config.patch, config.ratio)
        drawn = network.draw(picture, network.features(picture, visible), visible).float()
        hidden = (~visible).repeat_interleave(config.patch, 2).repeat_interleave(config.patch, 3).to(drawn.dtype)
        return {"loss": ((drawn - picture).abs() * hidden).mean() / hidden.mean()}
