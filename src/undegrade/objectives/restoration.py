"""Draw the clean picture from the degraded one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.batch import Batch
from undegrade.errors import check_at_least
from undegrade.networks import GuidedNetwork, UniversalRestorer
from undegrade.networks.pip import Prompted
from undegrade.objectives.histogram import correlation_loss, histogram_loss
from undegrade.objectives.naming import naming_loss

LOSSES = ("l1", "smooth_l1", "psnr")


def l1_loss(picture: Tensor, clean: Tensor) -> Tensor:
    """mean |picture - clean|, over everything."""
    return (picture - clean).abs().mean()


def smooth_l1_loss(picture: Tensor, clean: Tensor) -> Tensor:
    """mean of d^2 / 2 where |d| < 1, else |d| - 1 / 2, d = picture - clean: between values in [0, 1], half the MSE."""
    return F.smooth_l1_loss(picture, clean)


def psnr_loss(picture: Tensor, clean: Tensor, floor: float) -> Tensor:
    """10 * log10(mse + floor), averaged over the pictures: minus the PSNR, a decibel being worth the same anywhere.

    The gradient of a picture goes with sqrt(mse) / (mse + floor): without a floor, clean and nearly clean pictures pull
    far harder than dark or hazy ones, and leaving everything alone is learned first. A few clean pictures taken for
    hazy ones are then enough to forbid the removal of haze; `rmse_loss`, whose gradient is the same for all, is not so.
    """
    mse = (picture - clean).square().mean((1, 2, 3))
    return (10 / math.log(10)) * torch.log(mse + floor).mean()


def rmse_loss(picture: Tensor, clean: Tensor) -> Tensor:
    """sqrt(mse + 1e-6) of each picture, averaged over the pictures."""
    return ((picture - clean).square().mean((1, 2, 3)) + 1e-6).sqrt().mean()


def frequency_loss(picture: Tensor, clean: Tensor) -> Tensor:
    """mean |Re d| + |Im d|, d the difference of the orthonormal Fourier transforms: each frequency counts alike.

    Cho et al., "Rethinking Coarse-to-Fine Approach in Single Image Deblurring" (MIMO-UNet), ICCV 2021.
    """
    difference = torch.fft.rfft2(picture - clean, norm="ortho")
    return (difference.real.abs() + difference.imag.abs()).mean()


def edge_loss(picture: Tensor, clean: Tensor) -> Tensor:
    """mean |d(x + 1) - d(x)| across and down, d = picture - clean: edges count, an even shift does not."""
    difference = picture - clean
    return difference.diff(dim=3).abs().mean() + difference.diff(dim=2).abs().mean()


class Restoration(nn.Module):
    """loss = distance(model(degraded), clean) + naming_weight * naming_loss(classifier(features)).

    The distance is L1 or the PSNR's, and by choice the root of the squared error, frequencies, edges, correlation and
    histograms of oriented gradients, and how alike the prompts of PIP are. The last term keeps the classifier of the
    pre-training alive, so that the restored model still names what it sees.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """L1 alone by default, as DCPT fine-tunes."""

        loss: str = "l1"  # "l1", "smooth_l1" (PIP), or "psnr": minus the PSNR of each picture, in dB
        psnr_floor: float = 1e-3  # of "psnr": pictures with a smaller mean squared error than this count less
        rmse_weight: float = 0.0  # of the root of each picture's mean squared error, added to the distance
        frequency_weight: float = 0.0  # of `frequency_loss`, added to the distance
        edge_weight: float = 0.0  # of `edge_loss`, added to the distance
        correlation_weight: float = 0.0  # of `correlation_loss`, added to the distance
        histogram_weight: float = 0.0  # of `histogram_loss`, added to the distance
        crowding_weight: float = 0.0  # of how alike PIP's prompts are, added to the distance; 0.002 in the paper
        naming_weight: float = 0.0  # of the classification; 0 does not train the classifier
        focal_gamma: float = 2.0
        sharpness: float = 1.0  # of the steering; see UniversalRestorer

        def __post_init__(self) -> None:
            """Refuse an unknown loss and weights out of range."""
            check_at_least(self, {"rmse_weight": 0, "frequency_weight": 0, "edge_weight": 0})
            check_at_least(self, {"correlation_weight": 0, "histogram_weight": 0})
            check_at_least(self, {"crowding_weight": 0, "naming_weight": 0, "focal_gamma": 0, "sharpness": 0})
            if self.loss not in LOSSES:
                raise ValueError(f"Restoration.Config.loss is {self.loss!r}; expected one of {', '.join(LOSSES)}")
            if self.psnr_floor <= 0:
                raise ValueError(f"Restoration.Config.psnr_floor is {self.psnr_floor}; it must be above 0")

    def __init__(self, config: Config, model: UniversalRestorer) -> None:
        super().__init__()
        if config.crowding_weight and not isinstance(model.network, Prompted):
            name = type(model.network).__name__
            raise ValueError(f"Restoration.Config.crowding_weight is {config.crowding_weight}; {name} has no prompts")
        self.config, self.model = config, model
        model.sharpness = config.sharpness

    def train(self, mode: bool = True) -> Restoration:
        """Of the parts to train; a classifier that is not trained keeps its statistics too."""
        super().train(mode)
        if not self.config.naming_weight:
            self.model.classifier.eval()
        return self

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Scalars by name: "loss" is minimised, the others are only logged. Sides must fit the network's multiple.

        "gain_db" is the fall of `psnr_loss` from input to picture, both with the floor.
        """
        network = self.model.network
        guide = None
        if isinstance(network, GuidedNetwork):
            kinds = batch.present if self.model.multi_label else F.one_hot(batch.label, len(self.model.labels) or -1)
            assert kinds is not None
            guide = network.guide_of(batch.degraded, batch.clean, kinds.to(batch.degraded.dtype), batch.numbers)
        answer, logits = self.model.answer(batch.degraded, guide)
        picture = answer.float()
        floor = self.config.psnr_floor
        if self.config.loss == "psnr":
            distance = psnr_loss(picture, batch.clean, floor)
        else:
            distance = (l1_loss if self.config.loss == "l1" else smooth_l1_loss)(picture, batch.clean)
        for weight, term in (
            (self.config.rmse_weight, rmse_loss),
            (self.config.frequency_weight, frequency_loss),
            (self.config.edge_weight, edge_loss),
            (self.config.correlation_weight, correlation_loss),
            (self.config.histogram_weight, histogram_loss),
        ):
            if weight:
                distance = distance + weight * term(picture, batch.clean)
        if self.config.crowding_weight:
            assert isinstance(network, Prompted)
            distance = distance + self.config.crowding_weight * network.crowding()
        with torch.no_grad():
            gain = psnr_loss(batch.degraded, batch.clean, floor) - psnr_loss(picture, batch.clean, floor)
        scalars = {"loss": distance, "distance": distance.detach(), "gain_db": gain}
        if self.config.naming_weight:
            naming, named = naming_loss(self.model, logits, batch, self.config.focal_gamma)
            scalars |= {"loss": scalars["loss"] + self.config.naming_weight * naming, **named}
        return scalars
