"""Sand and dust in the air."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undegrade.degradations.base import Degradation, severity, uniform
from undegrade.degradations.convolution import smooth_field
from undegrade.degradations.depth import scene_depth
from undegrade.degradations.veil import veil

WAVELENGTHS = (610.0, 550.0, 465.0)  # nanometres, of red, green and blue
PALE_SAND, RED_EARTH = (0.90, 0.77, 0.57), (0.78, 0.52, 0.29)  # display values


@dataclass(frozen=True, kw_only=True)
class Dust(Degradation):
    """A dust storm, Koschmieder's law in linear light: y_c = x_c * t_c + A_c * (1 - t_c), c a colour.

    t_c = exp(-density * d * p * (550 nm / wavelength_c) ** a): blue is lost most. The Angstrom exponent a is 0.3 to 1;
    the air light A lies between pale sand and red earth. d is a random depth that spans
    [1 - 0.8 * relief, 1], p a smooth unevenness of 0.8 to 1.2.
    """

    label = "dust"
    family = "weather"
    takes_depth = True
    density: tuple[float, float] = severity(0.4, 2.2, "optical depth at the farthest point", limits=(0, 10))
    relief: tuple[float, float] = severity(
        0.1, 0.7, "range of distances, 1 from near to the farthest point", limits=(0.01, 1), log=True
    )

    def apply(
        self, clean: Tensor, rng: torch.Generator, *, density: float, relief: float, depth: Tensor | None = None
    ) -> Tensor:
        """(..., 3, H, W) in [0, 1] -> same shape and range; a depth map is (..., 1, H, W) in [0, 1]."""
        shape = (*clean.shape[:-3], 1, *clean.shape[-2:])
        distance = 1 - relief * (1 - scene_depth(clean, rng, depth))
        unevenness = 0.8 + 0.4 * smooth_field(shape, rng, 4)
        extinction = (550 / torch.tensor(WAVELENGTHS)[:, None, None]) ** uniform(rng, 0.3, 1)
        airlight = torch.lerp(torch.tensor(PALE_SAND), torch.tensor(RED_EARTH), uniform(rng, 0, 1))
        airlight = airlight * uniform(rng, 0.9, 1.1)
        return veil(clean, density * distance * unevenness * extinction, airlight[:, None, None])
