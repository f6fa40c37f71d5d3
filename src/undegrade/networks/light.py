"""What haze and darkness did to a picture's light, undone by a straight line for each colour."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.networks.statistics import LocalMean

BINS = 16  # of each histogram
SHRUNK = 4  # what is seen of the whole is taken of the picture, smaller by this factor a side
LOCAL = 16  # pixels a side of the squares that have a line each
CHANNELS = 24  # of the maps of squares
STEEP = 4.0  # a gain's parameters move as much faster
MAPS = 5  # three colours, the darkest and the brightest value


class Light(nn.Module):
    """y = x + STEEP * gain * x + offset: a line for each colour, a little different from square to square.

    Koschmieder's law, x * t + A * (1 - t), is such a line, and its inverse is; so, nearly, is a longer exposure. Which
    one it is can be read off how dark the darkest and how bright the brightest parts are: "Single Image Haze Removal
    Using Dark Channel Prior", CVPR 2009, by a rule, this by what it has learned. It sees soft histograms over the whole
    picture of its colours, of the darkest value among the colours of a pixel and of the brightest; and around each
    square the mean colours, its darkest and its brightest value. Between the middles of squares lines are interpolated.
    Where nothing is to be removed, y = x. Hidden squares are black to it.

    Args:
        degradations: columns of the guide.
        numbers: that say what is seen of the whole.
    """

    def __init__(self, degradations: int, numbers: int) -> None:
        super().__init__()
        self.mean = LocalMean(MAPS * BINS)
        self.whole1 = nn.Linear(MAPS * BINS, numbers)
        self.whole2 = nn.Linear(numbers, numbers)
        self.told = nn.Linear(degradations, numbers, bias=False)
        # Zeros beyond the border would be darkness.
        self.squares = nn.Conv2d(MAPS, CHANNELS, 3, padding=1, padding_mode="replicate")
        self.shift = nn.Linear(numbers, CHANNELS)
        self.whole_lines = nn.Parameter(torch.zeros(degradations, numbers, 6))
        self.square_lines = nn.Parameter(torch.zeros(degradations, CHANNELS, 6))

    def forward(self, image: Tensor, folded: Tensor, guide: Tensor, fold: int) -> tuple[Tensor, Tensor]:
        """What is to be added, and what was seen.

        Args:
            image: (B, 3, H, W), sides multiples of `LOCAL`.
            folded: (B, 3 * f * f, H / f, W / f), the same, folded.
            guide: (B or 1, degradations).
            fold: f.

        Returns:
            y - x, of the shape of `folded`, and (B, numbers).
        """
        small = _maps(image, SHRUNK)
        seen = F.relu(self.whole1(self.mean(_histograms(small)).flatten(1)) + self.told(guide))
        seen = F.relu(self.whole2(seen))
        squares = torch.cat(
            [
                F.avg_pool2d(small[:, :3], LOCAL // SHRUNK),
                -F.max_pool2d(-small[:, 3:4], LOCAL // SHRUNK),
                F.max_pool2d(small[:, 4:], LOCAL // SHRUNK),
            ],
            1,
        )
        squares = F.relu(self.squares(squares) + self.shift(seen)[:, :, None, None])
        whole, local = (
            (guide @ lines.flatten(1)).unflatten(1, lines.shape[1:])  # (B or 1, numbers or channels, 6)
            for lines in (self.whole_lines, self.square_lines)
        )
        lines = (local[:, :, :, None, None] * squares[:, :, None]).sum(1) + (seen[:, None] @ whole)[:, 0, :, None, None]
        lines = F.interpolate(lines, folded.shape[2:], mode="bilinear")
        gain, offset = (line.repeat_interleave(fold**2, 1) for line in lines.chunk(2, 1))
        return STEEP * gain * folded + offset, seen


def _maps(image: Tensor, side: int) -> Tensor:
    """(B, 3, H, W) -> (B, MAPS, H / side, W / side): the mean colours, the darkest and the brightest of all values."""
    darkest = -F.max_pool2d(-image.amin(1, keepdim=True), side)
    brightest = F.max_pool2d(image.amax(1, keepdim=True), side)
    return torch.cat([F.avg_pool2d(image, side), darkest, brightest], 1)


def _histograms(maps: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, C * BINS, h, w): how near each value's root is to the middles of the bins, 1 at most.

    The root has most bins where darkness leaves the values; at 0 it would have no slope.
    """
    places = maps.clamp(1e-6, 1).sqrt() * (BINS - 1)
    middles = torch.arange(BINS, dtype=maps.dtype, device=maps.device)[:, None, None]
    return F.relu(1 - (places[:, :, None] - middles).abs()).flatten(1, 2)
