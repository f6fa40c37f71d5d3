"""Remove what lies on the light alone, before anything else is drawn."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from undegrade.batch import Batch
from undegrade.networks import GuidedUNet, UniversalRestorer
from undegrade.objectives.restoration import psnr_loss


class Relighting(nn.Module):
    """loss = psnr_loss(network.relit(degraded, wanted), what is left), of the pictures of which something is wanted.

    For GuidedUNet. Its light takes a twentieth of the time of the whole and needs many pictures to learn to guess: it
    gets them here. No other weight moves; but what the rest takes from the light does, and has to be learned anew.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """The PSNR of each picture."""

        psnr_floor: float = 2e-4  # pictures with a smaller mean squared error than this count less

        def __post_init__(self) -> None:
            """Refuse a floor that is none."""
            if self.psnr_floor <= 0:
                raise ValueError(f"Relighting.Config.psnr_floor is {self.psnr_floor}; it must be above 0")

    def __init__(self, config: Config, model: UniversalRestorer) -> None:
        super().__init__()
        if not isinstance(model.network, GuidedUNet):
            raise ValueError(f"Relighting: {type(model.network).__name__} has no light of its own; take GuidedUNet")
        if model.multi_label:
            raise ValueError("Relighting: the model names several labels at once (multi_label); expected one")
        self.config, self.model, self.network = config, model, model.network

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Scalars by name: "loss" is minimised, the others are only logged. Sides must fit the network's multiple."""
        wanted, floor = batch.wanted, self.config.psnr_floor
        assert wanted is not None  # mixtures give it with every batch
        told = wanted.sum(1) > 0
        if not told.any():
            zero = self.network.relit(batch.degraded, wanted).sum() * 0  # all processes must have a gradient
            return {"loss": zero, "gain_db": zero.detach()}
        degraded, left = batch.degraded[told], batch.clean[told]
        loss = psnr_loss(self.network.relit(degraded, wanted[told]).float(), left, floor)
        return {"loss": loss, "gain_db": psnr_loss(degraded, left, floor) - loss.detach()}
