"""Teach DiffIR: first what a pair of pictures tells, then to guess it from the degraded one."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from undegrade.batch import Batch
from undegrade.errors import UndegradeError, check_at_least
from undegrade.networks import DiffIR, UniversalRestorer
from undegrade.networks.diffir import noised
from undegrade.objectives.restoration import l1_loss

LEARNED = ("pair", "diffusion")


class PriorDiffusion(nn.Module):
    """The two stages of "DiffIR: Efficient Diffusion Model for Image Restoration", ICCV 2023.

    "pair": loss = mean |G(degraded, z) - clean|, z = E(degraded, clean): the prior is what helps to restore.
    "diffusion": loss = picture_weight * mean |G(degraded, z') - clean| + prior_weight * mean |z' - z|, z of the frozen
    encoder E, z' what all steps make of z with the noise of the last one; the gradient goes through all of them.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """The second stage, both together; the paper begins with `picture_weight=0`."""

        learned: str = "diffusion"  # "pair", the first stage
        picture_weight: float = 1.0  # of the second stage
        prior_weight: float = 1.0  # of the second stage

        def __post_init__(self) -> None:
            """Refuse an unknown stage and weights below 0."""
            check_at_least(self, {"picture_weight": 0, "prior_weight": 0})
            if self.learned not in LEARNED:
                raise ValueError(f"PriorDiffusion.Config.learned is {self.learned!r}; expected {' or '.join(LEARNED)}")

    def __init__(self, config: Config, model: UniversalRestorer) -> None:
        super().__init__()
        network = model.network
        if not isinstance(network, DiffIR) or network.config.source != "both":
            raise UndegradeError(
                "objective: prior_diffusion teaches diffir with both its encoders; expected network=diffir and "
                'network.source="both"'
            )
        self.config, self.model = config, model

    def train(self, mode: bool = True) -> PriorDiffusion:
        """Of the network; a classifier keeps its statistics."""
        super().train(mode)
        self.model.classifier.eval()
        return self

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Scalars by name: "loss" is minimised, the others are only logged. Sides must fit the network's multiple."""
        network = self.model.network
        assert isinstance(network, DiffIR)
        degraded, config = batch.degraded, self.config
        if config.learned == "pair":
            distance = self._distance(network, batch, network.prior_of_pair(degraded, batch.clean))
            return {"loss": distance, "distance": distance.detach()}
        with torch.no_grad():
            known = network.prior_of_pair(degraded, batch.clean).float()
        begin = noised(known, _noise(batch, known.shape[1]).to(known.device), network.config.steps)
        guessed = network.prior(degraded, begin)[-1]
        apart = (guessed.float() - known).abs().mean()
        loss, scalars = config.prior_weight * apart, {"prior_distance": apart.detach()}
        if config.picture_weight:
            distance = self._distance(network, batch, guessed)
            loss, scalars = loss + config.picture_weight * distance, {**scalars, "distance": distance.detach()}
        return {"loss": loss, **scalars}

    def _distance(self, network: DiffIR, batch: Batch, prior: Tensor) -> Tensor:
        features = network.told_features(batch.degraded, prior)
        return l1_loss(network.reconstruct(batch.degraded, features).float(), batch.clean)


def _noise(batch: Batch, size: int) -> Tensor:
    """(B, size), normal, drawn for each picture from its number in the training data."""
    numbers = batch.numbers or range(len(batch.label))
    return torch.stack([torch.randn(size, generator=torch.Generator().manual_seed(number)) for number in numbers])
