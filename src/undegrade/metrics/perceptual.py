"""LPIPS and DISTS: distances in the features of networks whose weights the user supplies, as none can be shipped.

torchvision's files of VGG16 and AlexNet (keys `features.0.weight` and so on) and the published small files of the two
measures fit as they are; nothing pickled in them is executed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from undegrade.errors import UndegradeError
from undegrade.metrics.metric import Metric

Pixels = NDArray[np.float32]

# Convolutions of a backbone: number in torchvision's `features`, stride, padding; and what is done before each stage.
VGG16 = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
ALEXNET = ((0,), (3,), (6,), (8,), (10,))
ALEXNET_STEPS = {0: (4, 2), 3: (1, 2), 6: (1, 1), 8: (1, 1), 10: (1, 1)}  # stride and padding
ALEXNET_POOLED = (3, 6)  # after a maximum over 3 x 3
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pictures
SMALL = 1e-6
LEAST_SIDE = 64  # pixels


@dataclass(frozen=True, kw_only=True, eq=False)
class Backbone:
    """The convolutions of VGG16 or AlexNet, read from a file.

    Args:
        name: "vgg16" or "alexnet".
        tensors: by torchvision's names.
    """

    name: str
    tensors: dict[str, Tensor]

    def features(self, x: Tensor, *, smooth: bool = False) -> list[Tensor]:
        """(1, 3, H, W) in [0, 1] -> five maps, after the last rectifier of each stage.

        Args:
            x: a picture.
            smooth: halve by the root of a Hann-weighted mean of squares (DISTS), not by the maximum.
        """
        x = (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]
        found = []
        for stage, numbers in enumerate(VGG16 if self.name == "vgg16" else ALEXNET):
            if self.name == "vgg16" and stage:
                x = _halved(x) if smooth else F.max_pool2d(x, 2)
            for number in numbers:
                if self.name == "alexnet" and number in ALEXNET_POOLED:
                    x = F.max_pool2d(x, 3, 2)
                stride, padding = (1, 1) if self.name == "vgg16" else ALEXNET_STEPS[number]
                weight, bias = (self.tensors[f"features.{number}.{part}"] for part in ("weight", "bias"))
                x = F.relu(F.conv2d(x, weight, bias, stride, padding))
            found.append(x)
        return found


def lpips_from(backbone: Path, linear: Path) -> Metric:
    """LPIPS (Zhang et al., CVPR 2018): sum over stages of the mean of w . (f - g)^2, f and g of unit length.

    Args:
        backbone: torchvision's weights of AlexNet or VGG16.
        linear: the published weights w of that backbone (`lin0.model.1.weight` and so on).

    Raises:
        UndegradeError: a file is missing or holds something else.
    """
    network, given = read_backbone(backbone), _read(linear)
    try:
        weights = [given[f"lin{stage}.model.1.weight"] for stage in range(5)]
    except KeyError as error:
        raise UndegradeError(f"{linear}: no key {error}; expected the linear weights of LPIPS") from None

    @torch.no_grad()
    def distance(picture: Pixels, clean: Pixels) -> float:
        total = 0.0
        for one, other, weight in zip(network.features(_tensor(picture)), network.features(_tensor(clean)), weights,
                                      strict=True):  # fmt: skip
            if weight.shape[1] != one.shape[1]:
                raise UndegradeError(f"{linear}: weights for another network than {network.name}")
            total += float(F.conv2d((_of_unit_length(one) - _of_unit_length(other)).square(), weight).mean())
        return total

    about = f"LPIPS 0.1 on {network.name}: weighted squared differences of features of unit length"
    return Metric(function=distance, unit="", higher_is_better=False, least_side=LEAST_SIDE, digits=4, about=about)


def dists_from(backbone: Path, weights: Path) -> Metric:
    """DISTS (Ding et al., 2020): 1 - sum of a l(f, g) + b s(f, g), means and covariances of VGG16's maps compared.

    l = (2 m_f m_g + c) / (m_f^2 + m_g^2 + c), s = (2 cov + c) / (var_f + var_g + c), c = 1e-6, over the channels of the
    picture and of the five stages; a and b sum to 1.

    Args:
        backbone: torchvision's weights of VGG16.
        weights: the published `alpha` and `beta`.

    Raises:
        UndegradeError: a file is missing or holds something else.
    """
    network, given = read_backbone(backbone), _read(weights)
    if network.name != "vgg16" or not {"alpha", "beta"} <= given.keys():
        raise UndegradeError(f"{weights}, {backbone}: expected alpha and beta of DISTS, and the weights of VGG16")
    alpha, beta = given["alpha"].flatten(), given["beta"].flatten()
    whole = alpha.sum() + beta.sum()

    @torch.no_grad()
    def distance(picture: Pixels, clean: Pixels) -> float:
        maps = [[image, *network.features(image, smooth=True)] for image in (_tensor(picture), _tensor(clean))]
        light, structure = [], []
        for one, other in zip(*maps, strict=True):
            f, g = one.flatten(2)[0].double(), other.flatten(2)[0].double()
            means = f.mean(1), g.mean(1)
            spreads = f.var(1, correction=0), g.var(1, correction=0)
            shared = (f * g).mean(1) - means[0] * means[1]
            light.append((2 * means[0] * means[1] + SMALL) / (means[0] ** 2 + means[1] ** 2 + SMALL))
            structure.append((2 * shared + SMALL) / (spreads[0] + spreads[1] + SMALL))
        if (likeness := torch.cat(light)).shape != alpha.shape:
            raise UndegradeError(f"{weights}: {len(alpha)} weights, where the maps have {len(likeness)} channels")
        return float(1 - (alpha @ likeness + beta @ torch.cat(structure)) / whole)

    about = "DISTS on VGG16: means (texture) and covariances (structure) of feature maps compared"
    return Metric(function=distance, unit="", higher_is_better=False, least_side=LEAST_SIDE, digits=4, about=about)


def read_backbone(path: Path) -> Backbone:
    """VGG16 or AlexNet, recognised by its keys.

    Raises:
        UndegradeError: the file is missing or holds something else.
    """
    tensors = _read(path)
    for name, stages in (("vgg16", VGG16), ("alexnet", ALEXNET)):
        if all(f"features.{number}.weight" in tensors for stage in stages for number in stage):
            return Backbone(name=name, tensors={key: value.float() for key, value in tensors.items()})
    raise UndegradeError(f"{path}: neither VGG16 nor AlexNet of torchvision; expected keys such as features.0.weight")


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise UndegradeError(f"{path}: no such file; LPIPS and DISTS need weights that you supply: docs/metrics.md")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
        return {str(key): value.double() for key, value in found.items()}
    except Exception as error:  # whatever lies there
        raise UndegradeError(f"{path}: is no file of weights ({type(error).__name__})") from None


def _tensor(picture: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(picture, dtype=np.float32))[None]


def _of_unit_length(features: Tensor) -> Tensor:
    """(1, C, H, W), as float64: each place's channels divided by their length."""
    features = features.double()
    return features / (features.square().sum(1, keepdim=True).sqrt() + 1e-10)


def _halved(x: Tensor) -> Tensor:
    """Root of the mean of squares by a Hann window of 3, every second place."""
    window = torch.hann_window(5, periodic=False)[1:-1]
    kernel = window[:, None] * window[None]
    kernel = (kernel / kernel.sum()).expand(x.shape[1], 1, 3, 3)
    return (F.conv2d(x.square(), kernel, stride=2, padding=1, groups=x.shape[1]) + 1e-12).sqrt()
