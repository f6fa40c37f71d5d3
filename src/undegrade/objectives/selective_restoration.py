"""Remove what is asked for, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from undegrade.batch import Batch
from undegrade.errors import check_at_least
from undegrade.networks import GuidedNetwork, UniversalRestorer
from undegrade.objectives.naming import naming_loss
from undegrade.objectives.restoration import frequency_loss, l1_loss, psnr_loss, rmse_loss


class SelectiveRestoration(nn.Module):
    """loss = distance(network(degraded, wanted), what is left) + naming_weight * naming_loss(classifier(features)).

    For networks that are guided by labels, on a mixture with `second`, `partly` and `untold`: a picture may be spoiled
    in two ways of which one is to stay, or asked for what is not there, and is then to stay as it is. Where nothing is
    said (`Batch.wanted` is 0), the degradation is named and nothing is drawn; elsewhere it is the reverse. So both take
    one pass.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """The PSNR of each picture by default."""

        psnr_floor: float = 1e-4  # pictures with a smaller mean squared error than this count less
        psnr_weight: float = 1.0  # of `psnr_loss`
        l1_weight: float = 0.0  # of `l1_loss`
        rmse_weight: float = 0.0  # of `rmse_loss`
        frequency_weight: float = 0.0  # of `frequency_loss`
        naming_weight: float = 1.0
        focal_gamma: float = 2.0
        label_weights: tuple[float, ...] = ()  # of the distance, by what is asked for, of several the least; 1 each

        def __post_init__(self) -> None:
            """Refuse negative weights, and a floor that is none."""
            check_at_least(self, {"psnr_weight": 0, "l1_weight": 0, "rmse_weight": 0, "frequency_weight": 0})
            check_at_least(self, {"focal_gamma": 0})
            if min(self.label_weights, default=0) < 0:
                raise ValueError(
                    f"SelectiveRestoration.Config.label_weights is {self.label_weights}; none may be below 0"
                )
            for name in ("psnr_floor", "naming_weight"):
                if getattr(self, name) <= 0:
                    raise ValueError(f"SelectiveRestoration.Config.{name} is {getattr(self, name)}; it must be above 0")

    def __init__(self, config: Config, model: UniversalRestorer) -> None:
        super().__init__()
        network = model.network
        if not (isinstance(network, GuidedNetwork) and network.guided_by_labels):
            name = type(network).__name__
            raise ValueError(f"SelectiveRestoration: {name} is not guided by labels; take one that is, or Restoration")
        if model.multi_label:
            raise ValueError("SelectiveRestoration: the model names several labels at once (multi_label); expected one")
        if config.label_weights and len(config.label_weights) != len(model.labels):
            raise ValueError(
                f"SelectiveRestoration.Config.label_weights has {len(config.label_weights)} numbers; expected one for "
                f"each of the {len(model.labels)} labels: {', '.join(model.labels)}"
            )
        self.config, self.model, self.network = config, model, network

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Scalars by name: "loss" is minimised, the others are only logged. Sides must fit the network's multiple."""
        config, wanted = self.config, batch.wanted
        assert wanted is not None  # mixtures give it with every batch
        told = wanted.sum(1) > 0
        guide = torch.where(told[:, None], wanted.to(batch.degraded.dtype), self.network.usual(batch.degraded))
        features = self.network.told_features(batch.degraded, guide)
        zero = wanted.new_zeros(())
        scalars = {"loss": zero, "distance": zero, "gain_db": zero, "naming": zero, "accuracy": zero}
        if told.any():
            picture = self.network.reconstruct(batch.degraded, features).float()[told]
            degraded, left = batch.degraded[told], batch.clean[told]
            distance = self._weighted(picture, left, wanted[told])
            gain = psnr_loss(degraded, left, config.psnr_floor) - psnr_loss(picture.detach(), left, config.psnr_floor)
            scalars |= {"loss": distance, "distance": distance.detach(), "gain_db": gain}
        if not told.all():
            logits = self.model.name(tuple(feature[~told] for feature in features))
            untold = batch.rows((~told).nonzero()[:, 0].tolist())
            naming, named = naming_loss(self.model, logits, untold, config.focal_gamma)
            scalars |= {"loss": scalars["loss"] + config.naming_weight * naming, **named}
        return scalars

    def _weighted(self, picture: Tensor, left: Tensor, wanted: Tensor) -> Tensor:
        """The mean of the distances of pictures of equal weight at a time, times it."""
        table = self.config.label_weights
        if not table:
            return self._distance(picture, left)
        weights = torch.where(wanted > 0, wanted.new_tensor(table), torch.inf).min(1).values
        total = picture.new_zeros(())
        for weight in weights.unique():
            of = weights == weight
            total = total + weight * of.float().mean() * self._distance(picture[of], left[of])
        return total

    def _distance(self, picture: Tensor, left: Tensor) -> Tensor:
        config = self.config
        distance = config.psnr_weight * psnr_loss(picture, left, config.psnr_floor)
        for weight, term in (
            (config.l1_weight, l1_loss),
            (config.rmse_weight, rmse_loss),
            (config.frequency_weight, frequency_loss),
        ):
            if weight:
                distance = distance + weight * term(picture, left)
        return distance
