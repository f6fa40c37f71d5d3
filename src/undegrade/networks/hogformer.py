"""HOGformer: a U-shaped transformer that sorts pixels by the strength and direction of their edges before it attends.

Paper: "HOGformer", AAAI 2026. Written from a description in prose and checked against the published network's outputs;
the state-dict names are the published ones. Published checkpoints also carry the Sobel filters of each block, which
follow from its width.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.networks.base import RestorationNetwork, check_at_least
from undegrade.networks.blocks import Stage, hide
from undegrade.networks.levels import LEVELS, FourLevels, add_levels, check_levels, decode, encode
from undegrade.networks.transformer import NORMS, length

BINS = 9  # of directions
CELL = 8  # side of the patches in which pixels are sorted, and of the cells of a histogram
EPS = 1e-5  # of the norms
LEAST = 1e-6  # under the root of an edge's strength


def normed(x: Tensor, style: str, visible: Tensor | None) -> Tensor:
    """(x - mean) / sqrt(var + 1e-5) over the channels of each pixel; "bias_free": x / sqrt(var + 1e-5). No weights."""
    last = x.permute(0, 2, 3, 1)
    if style == "with_bias":
        last = F.layer_norm(last, last.shape[-1:], eps=EPS)
    else:
        last = last * (last.var(-1, keepdim=True, unbiased=False) + EPS).rsqrt()
    return hide(last.permute(0, 3, 1, 2), visible)


def edges(x: Tensor) -> tuple[Tensor, Tensor]:
    """(B, C, H, W) -> strength sqrt(gx^2 + gy^2 + 1e-6) and direction, a share of the turn, of the Sobel gradient."""
    x = F.pad(x, (1, 1, 1, 1))
    down = x[..., :-2, :] + 2 * x[..., 1:-1, :] + x[..., 2:, :]
    across = x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]
    gx, gy = down[..., 2:] - down[..., :-2], across[..., 2:, :] - across[..., :-2, :]
    strength = (gx.square() + gy.square() + LEAST).sqrt()
    return strength, (torch.atan2(gy, gx) + math.pi) / (2 * math.pi)


def grid_of(height: int, width: int) -> tuple[int, int]:
    """How many rows and columns of patches hold a map. (Exported models have no floor of negative numbers.)"""
    return (height + CELL - 1) // CELL, (width + CELL - 1) // CELL


def filled(x: Tensor, short: int, axis: int) -> Tensor:
    """x with so many zeros at the end of an axis. (Of an exported model the number is not known yet.)"""
    if not torch.jit.is_tracing() and not short:
        return x
    return F.pad(x, (0, 0) * (x.ndim - 1 - axis) + (0, short))


def cut(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, patches, 64, C), zeros to the right and below up to whole patches of 8 x 8."""
    height, width = x.shape[-2:]
    rows, columns = grid_of(height, width)
    x = filled(filled(x, columns * CELL - width, 3), rows * CELL - height, 2).permute(0, 2, 3, 1)
    return x.unflatten(1, (rows, CELL)).unflatten(3, (columns, CELL)).transpose(2, 3).flatten(3, 4).flatten(1, 2)


def joined(patches: Tensor, height: int, width: int) -> Tensor:
    """The inverse of `cut`; what lies beyond (height, width) is lost."""
    rows, columns = grid_of(height, width)
    x = patches.unflatten(1, (rows, columns)).unflatten(3, (CELL, CELL)).transpose(2, 3)
    return x.flatten(3, 4).flatten(1, 2)[:, :height, :width].permute(0, 3, 1, 2)


def ordered(x: Tensor, order: Tensor) -> Tensor:
    """(..., N, C), rows, in that order, (..., N): y[i] = x[order[i]]. Whole rows, as channels-last maps have them."""
    number = order.shape[-1]
    places = order.flatten(0, -2)
    first = torch.arange(places.shape[0], device=order.device)[:, None] * number
    return x.flatten(0, -2).index_select(0, (places + first).flatten()).view_as(x)


def unsorted(x: Tensor, order: Tensor) -> Tensor:
    """The inverse of `ordered`: y[order[i]] = x[i]."""
    return ordered(x, order.argsort(-1))


class HistogramAttention(nn.Module):
    """Sorts one half of the channels within patches and all pixels of the picture, attends, and sorts back (DHOGSA).

    The first half u of the channels: the pixels of each 8 x 8 patch by ascending sum over the channels of
    (bin + 1) * strength, bin one of 9 directions; to it is added a projection of the patch's histogram. Then all pixels
    by ascending sum over the channels of v's strength * direction, and y = project(A1 v * A2 v),
    A = exp(s) / (1 + sum exp(s)), s = q k^T * temperature: in A1 the sorted pixels are parted into as many runs as
    there are heads, in A2 every heads-th pixel belongs together. As published, of a map that is no multiple of 8 real
    pixels are lost to padding.
    """

    def __init__(self, channels: int, heads: int, bias: bool) -> None:
        super().__init__()
        c = channels
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(c, 5 * c, 1, bias=bias)
        self.qkv_dwconv = nn.Conv2d(5 * c, 5 * c, 3, padding=1, groups=5 * c, bias=bias)
        self.project_out = nn.Conv2d(c, c, 1, bias=bias)
        self.bin_proj = nn.Conv2d(BINS, c // 2, 1, bias=False)

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, C, H, W) -> same shape."""
        half, size = x.shape[1] // 2, x.shape[-2:]
        first, order = self._sorted_in_patches(x[:, :half])
        qkv = hide(self.qkv_dwconv(self.qkv(torch.cat((first, x[:, half:]), 1))), visible)
        strength, direction = edges(qkv[:, 4 * x.shape[1] :])
        places = (strength * direction).sum(1).flatten(1).sort(dim=1, stable=True).indices
        rows = ordered(qkv.permute(0, 2, 3, 1).flatten(1, 2), places)
        q1, k1, q2, k2, v = rows.transpose(1, 2).chunk(5, 1)
        mixed = self._attended(q1, k1, v, runs=True) * self._attended(q2, k2, v, runs=False)
        rows = unsorted(mixed.transpose(1, 2), places)
        y = self.project_out(rows.unflatten(1, size).permute(0, 3, 1, 2))
        first = joined(unsorted(cut(y[:, :half]), order), *size)
        return hide(torch.cat((first, y[:, half:]), 1), visible)

    def _sorted_in_patches(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """u sorted and with its histograms added, and the order (B, patches, 64)."""
        height, width = u.shape[-2:]
        strength, direction = edges(u)
        strong, bins = cut(strength), cut((direction * BINS).floor().remainder(BINS))
        order = ((bins + 1) * strong).sum(-1).sort(dim=-1, stable=True).indices
        none = torch.zeros_like(strong)
        histogram = torch.stack([torch.where(bins == number, strong, none).mean((2, 3)) for number in range(BINS)], 1)
        histogram = histogram / (histogram.sum(1, keepdim=True) + 1e-8)
        grid = histogram.unflatten(2, grid_of(height, width))
        told = F.interpolate(self.bin_proj(grid), (height, width), mode="bilinear")
        return joined(ordered(cut(u), order), height, width) + told, order

    def _attended(self, query: Tensor, key: Tensor, value: Tensor, *, runs: bool) -> Tensor:
        """(B, C, N) each, sorted -> same shape."""
        heads, number = len(self.temperature), query.shape[2]

        def parted(x: Tensor) -> Tensor:
            """(B, C, N) -> (B, heads, C, N / heads), zeros behind where N is no multiple."""
            x = filled(x, (number + heads - 1) // heads * heads - number, 2).unflatten(1, (heads, -1))
            x = x.unflatten(3, (heads, -1)) if runs else x.unflatten(3, (-1, heads)).transpose(3, 4)
            return x.flatten(2, 3)

        query, key, value = parted(query), parted(key), parted(value)
        lengths = length(query) * length(key).transpose(-2, -1)
        scores = (query @ key.transpose(-2, -1) / lengths * self.temperature).exp()
        mixed = (scores / (scores.sum(-1, keepdim=True) + 1)).to(value.dtype) @ value
        mixed = mixed.unflatten(2, (-1, heads))
        mixed = mixed if runs else mixed.transpose(3, 4)
        return mixed.flatten(3).flatten(1, 2)[..., :number]


class Sharpening(nn.Module):
    """y = project(z + scale * (z - gelu(mean'(z)))), z = mish(b) * a, a and b convolved halves at twice the size.

    mean' is a 1 x 1 convolution to a single channel; a's kernel is 5 x 5, b's 3 x 3 with gaps of one pixel.
    """

    def __init__(self, channels: int, expansion: float, bias: bool) -> None:
        super().__init__()
        hidden = int(channels * expansion)
        fine = hidden // 4
        self.project_in = nn.Conv2d(channels, 2 * hidden, 1, bias=bias)
        self.dwconv_5 = nn.Conv2d(fine, fine, 5, padding=2, groups=fine, bias=bias)
        self.dwconv_dilated2_1 = nn.Conv2d(fine, fine, 3, padding=2, dilation=2, groups=fine, bias=bias)
        self.decompose = nn.Conv2d(fine, 1, 1)
        self.sigma = nn.ParameterDict({"scale": nn.Parameter(torch.full((1, fine, 1, 1), 1e-5))})
        self.project_out = nn.Conv2d(hidden, channels, 1, bias=bias)

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, C, H, W) -> same shape."""
        a, b = F.pixel_shuffle(self.project_in(x), 2).chunk(2, 1)
        z = F.mish(self.dwconv_dilated2_1(b)) * self.dwconv_5(a)
        z = z + self.sigma["scale"] * (z - F.gelu(self.decompose(z)))
        return hide(self.project_out(F.pixel_unshuffle(z, 2)), visible)


class HistogramBlock(nn.Module):
    """y = x + attention(norm(x)); z = y + sharpening(norm(y))."""

    def __init__(self, channels: int, heads: int, expansion: float, bias: bool, norm: str) -> None:
        super().__init__()
        self.attn_g_spatial = HistogramAttention(channels, heads, bias)
        self.ffn = Sharpening(channels, expansion, bias)
        self.norm = norm

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, C, H, W) -> same shape."""
        x = x + self.attn_g_spatial(normed(x, self.norm, visible), visible)
        return x + self.ffn(normed(x, self.norm, visible), visible)


class Glance(nn.Module):
    """The picture at half its size: 2 x 2 means, a 1 x 1 and a depthwise 3 x 3 convolution."""

    def __init__(self, bias: bool) -> None:
        super().__init__()
        self.proj = nn.Sequential(
            nn.AvgPool2d(2), nn.Conv2d(3, 3, 1, bias=bias), nn.Conv2d(3, 3, 3, padding=1, groups=3, bias=bias)
        )

    def forward(self, image: Tensor, visible: Tensor | None) -> Tensor:
        """(B, 3, H, W) -> (B, 3, H / 2, W / 2)."""
        return hide(self.proj(image), visible)


class HOGformer(FourLevels, RestorationNetwork):
    """`features` are the outputs of the decoder levels 3, 2 and 1; refinement and output convolution draw.

    Pixels are sorted over the whole picture, so time and memory grow faster than it, and a rounding may exchange two
    neighbours in the order.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """The paper's all-in-one network by default (16.6 M parameters)."""

        width: int = 36  # channels of the finest level; 48 in the setting for all weathers
        blocks: tuple[int, ...] = (4, 4, 6, 8)  # of each level, finest first
        refinement: int = 4  # blocks at full size before the output
        heads: tuple[int, ...] = (1, 2, 4, 8)  # of the attention at each level
        expansion: float = 2.667  # of the feed-forward network; its hidden channels must be multiples of 4
        bias: bool = False  # of the convolutions in the blocks
        norm: str = "with_bias"  # or "bias_free"

        def __post_init__(self) -> None:
            """Refuse what cannot be built."""
            check_at_least(self, {"width": 1, "blocks": 0, "refinement": 0, "heads": 1, "expansion": 1})
            check_levels(self)
            if self.norm not in NORMS:
                raise ValueError(f"HOGformer.Config.norm is {self.norm!r}; it must be {' or '.join(NORMS)}")
            widths = [self.width << level for level in range(LEVELS)]
            if self.width % 2 or any(width % heads for width, heads in zip(widths, self.heads, strict=True)):
                raise ValueError(
                    f"HOGformer.Config.width is {self.width}; it must be even, and heads {self.heads} divide {widths}"
                )
            if any(int(width * self.expansion) % 4 for width in widths):
                raise ValueError(
                    f"HOGformer.Config.expansion is {self.expansion}; it must make multiples of 4 of {widths}"
                )

    def __init__(self, config: Config) -> None:
        c, heads, bias = config.width, config.heads, config.bias
        super().__init__(
            config,
            size_multiple=1 << (LEVELS - 1),
            feature_channels=(4 * c, 2 * c, 2 * c),
            global_statistics=True,
        )

        def stage(channels: int, level: int, number: int) -> Stage:
            made = (HistogramBlock(channels, heads[level], config.expansion, bias, config.norm) for _ in range(number))
            return Stage(*made)

        def mix(inputs: int, outputs: int) -> nn.Conv2d:
            return nn.Conv2d(inputs, outputs, 1, bias=bias)

        add_levels(self, config, stage, bias=bias)
        self.skip_patch_embed1, self.skip_patch_embed2, self.skip_patch_embed3 = (Glance(bias) for _ in range(3))
        self.reduce_chan_level_1, self.reduce_chan_level_2 = mix(2 * c + 3, 2 * c), mix(4 * c + 3, 4 * c)
        self.reduce_chan_level_3 = mix(8 * c + 3, 8 * c)
        self.output = nn.Conv2d(2 * c, 3, 3, padding=1, bias=bias)

    def features(self, image: Tensor, visible: Tensor | None = None) -> tuple[Tensor, ...]:
        """(B, 3, H, W) -> (B, 4c, H / 4, W / 4), (B, 2c, H / 2, W / 2), (B, 2c, H, W)."""
        image = hide(image, visible)
        half = self.skip_patch_embed1(image, visible)
        quarter = self.skip_patch_embed2(half, visible)
        eighth = self.skip_patch_embed3(quarter, visible)

        mixes = (self.reduce_chan_level_1, self.reduce_chan_level_2, self.reduce_chan_level_3)

        def entering(level: int, x: Tensor) -> Tensor:
            return hide(mixes[level - 2](torch.cat((x, (half, quarter, eighth)[level - 2]), 1)), visible)

        latent, skips = encode(self, image, visible=visible, entering=entering)
        return decode(self, latent, skips, visible=visible)

    def draw(self, image: Tensor, features: tuple[Tensor, ...], visible: Tensor | None = None) -> Tensor:
        """The finest feature refined, and one convolution; (B, 3, H, W)."""
        return self.output(self.refinement(features[-1], visible))
