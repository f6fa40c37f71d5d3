"""SwinIR: attention in windows that shift from block to block, all at the picture's full size.

Paper: "SwinIR: Image Restoration Using Swin Transformer", ICCV workshops 2021. The copy of DCPT (ICLR 2025), which is
the default here, has neither position bias nor border mask; the masked copy of MaskDCPT (2025) is `visible`. Written
from a description in prose and checked against the published networks' outputs; the state-dict names are the
original's, the index tables and masks among them are computed, not stored.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.networks.base import RestorationNetwork, check_at_least
from undegrade.networks.blocks import ChannelLayerNorm, Stage, hide

MEAN = (0.4488, 0.4371, 0.4040)  # RGB, of DIV2K
NORM_EPS = 1e-5
# By how much each head may enlarge; None: by any whole number from 2.
HEADS: dict[str, tuple[int, ...] | None] = {
    "none": (1,),
    "pixelshuffle": (2, 3, 4, 8),
    "pixelshuffledirect": None,
    "nearest+conv": (2, 4),
}
RESIDUALS = ("1conv", "3conv")


def position_rows(window: int) -> Tensor:
    """(L, L), L = window**2: the row of the bias table for each query and key of a window, by their distance."""
    y, x = (axis.flatten() for axis in torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij"))
    down, right = y[:, None] - y + window - 1, x[:, None] - x + window - 1
    return down * (2 * window - 1) + right


def border_masks(window: int, shift: int) -> Tensor:
    """(2, 2, L, L), added to the scores of a shifted picture's windows: [is in the last row, is in the last column].

    Only the last windows hold pixels of two opposite borders, which must not look at each other; so four masks serve
    pictures of any size. -100 as published, where a pair is apart both ways -200: e^-100 is nothing beside 1.
    """
    wrapped = torch.arange(window) >= window - shift
    y, x = (axis.flatten() for axis in torch.meshgrid(wrapped, wrapped, indexing="ij"))
    down, right = (-100.0 * (half[:, None] != half) for half in (y, x))
    none = torch.zeros_like(down)
    return torch.stack([torch.stack([none, right]), torch.stack([down, down + right])])


class WindowAttention(nn.Module):
    """Several heads of softmax(q k^T / sqrt(d) + bias + mask) v, in each window for itself.

    Args:
        width: channels.
        heads: among which the channels are divided.
        window: side, pixels.
        shift: by which the picture was rolled; 0 = not at all.
        relative_positions: whether there are bias and mask.
    """

    def __init__(self, width: int, heads: int, window: int, shift: int, *, relative_positions: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.relative_position_bias_table: nn.Parameter | None = None
        self.position_rows: Tensor | None
        self.border_masks: Tensor | None
        if relative_positions:
            self.relative_position_bias_table = nn.Parameter(torch.empty((2 * window - 1) ** 2, heads))
            nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        rows = position_rows(window) if relative_positions else None
        masks = border_masks(window, shift) if relative_positions and shift else None
        self.register_buffer("position_rows", rows, persistent=False)
        self.register_buffer("border_masks", masks, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, rows, columns, L, C), the windows of a picture -> same shape."""
        qkv = self.qkv(x).unflatten(-1, (3, self.heads, -1)).transpose(3, 5)  # (B, rows, columns, heads, 3, L, d)
        if self.relative_position_bias_table is None:
            return self.proj(self._attend(qkv, None))
        bias = self.relative_position_bias_table[self.position_rows].permute(2, 0, 1)
        if self.border_masks is None:
            return self.proj(self._attend(qkv, bias))
        # Each kind of window by itself: a mask for every window would take as much memory as the scores.
        parts = (slice(None, -1), slice(-1, None))
        rows = (
            torch.cat([self._attend(qkv[:, y, x], bias + mask) for x, mask in zip(parts, masks, strict=True)], 2)
            for y, masks in zip(parts, self.border_masks, strict=True)
        )
        return self.proj(torch.cat(list(rows), 1))

    @staticmethod
    def _attend(qkv: Tensor, bias: Tensor | None) -> Tensor:
        """(B, rows, columns, heads, 3, L, d) and (heads, L, L) -> (B, rows, columns, L, C)."""
        q, k, v = qkv.flatten(0, 2).unbind(2)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=None if bias is None else bias[None])
        return mixed.transpose(1, 2).flatten(2).unflatten(0, qkv.shape[:3])


class SwinBlock(nn.Module):
    """y = x + attention(norm1(x)) in windows, z = y + mlp(norm2(y)); every second block's windows are shifted."""

    def __init__(
        self, width: int, heads: int, window: int, shift: int, *, hidden: int, relative_positions: bool
    ) -> None:
        super().__init__()
        self.window, self.shift = window, shift
        self.norm1, self.norm2 = ChannelLayerNorm(width, NORM_EPS), ChannelLayerNorm(width, NORM_EPS)
        self.attn = WindowAttention(width, heads, window, shift, relative_positions=relative_positions)
        self.mlp = nn.Sequential(OrderedDict(fc1=nn.Linear(width, hidden), act=nn.GELU(), fc2=nn.Linear(hidden, width)))
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, C, H, W), sides multiples of the window -> same shape; hidden pixels count as zeros and stay zeros."""
        x = x + self._attend(self.norm1(x, visible).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        x = x + self.mlp(self.norm2(x, visible).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return hide(x, visible)

    def _attend(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> same shape."""
        w, shift = self.window, self.shift
        if shift:
            x = x.roll((-shift, -shift), (1, 2))
        windows = x.unflatten(2, (-1, w)).unflatten(1, (-1, w)).transpose(2, 3).flatten(3, 4)
        x = self.attn(windows).unflatten(3, (w, w)).transpose(2, 3).flatten(3, 4).flatten(1, 2)
        return x.roll((shift, shift), (1, 2)) if shift else x


def residual_conv(width: int, kind: str) -> nn.Module:
    """One 3x3 convolution, or three that pass through a quarter of the channels."""
    if kind == "1conv":
        return nn.Conv2d(width, width, 3, padding=1)
    narrow = width // 4
    return nn.Sequential(
        nn.Conv2d(width, narrow, 3, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(narrow, narrow, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(narrow, width, 3, padding=1),
    )


class ResidualSwinStage(nn.Module):
    """x + conv(blocks(x))."""

    def __init__(self, blocks: Stage, conv: nn.Module) -> None:
        super().__init__()
        self.residual_group = nn.ModuleDict({"blocks": blocks})
        self.conv = conv

    def forward(self, x: Tensor, visible: Tensor | None = None) -> Tensor:
        """(B, C, H, W) -> same shape."""
        return x + hide(self.conv(self.residual_group["blocks"](x, visible)), visible)


class SwinIR(RestorationNetwork):
    """Residual Swin stages between two convolutions; `features` are the second half of the stages, all of full size.

    What the stages draw is added to the picture, or, by the heads that enlarge, to the mean colour.
    """

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """DCPT's network by default (11.456 M parameters); the comments say what the others have."""

        width: int = 180  # channels of all stages
        depths: tuple[int, ...] = (6, 6, 6, 6, 6, 6)  # blocks of each stage
        heads: tuple[int, ...] = (6, 6, 6, 6, 6, 6)  # of the attention of each stage; they divide the width
        window: int = 8  # side, pixels; for JPEG 7, so that windows do not fall in with its blocks
        mlp_ratio: float = 2.0  # hidden channels of the two-layer networks, in widths
        relative_positions: bool = False  # position bias, and no attention across opposite borders; the original: True
        residual: str = "1conv"  # at the end of a stage; "3conv" in the large real-world network
        head: str = "none"  # or "pixelshuffle" (classical), "pixelshuffledirect" (light), "nearest+conv" (real-world)
        head_width: int = 64  # channels inside "pixelshuffle" and "nearest+conv"
        scale: int = 1  # how much larger the head makes the picture
        in_channels: int = 3  # 1 for gray pictures
        image_range: float = 1.0  # a picture in [0, 1] is multiplied by it inside; JPEG: 255

        def __post_init__(self) -> None:
            """Refuse what cannot be built."""
            check_at_least(self, {"width": 1, "depths": 1, "heads": 1, "window": 2, "head_width": 1, "in_channels": 1})
            check_at_least(self, {"scale": 1})
            name = type(self).__qualname__
            if not self.depths or len(self.heads) != len(self.depths):
                raise ValueError(
                    f"{name}.heads has {len(self.heads)} stages; it must have as many as depths "
                    f"({len(self.depths)}), at least 1"
                )
            if any(self.width % heads for heads in self.heads):
                raise ValueError(f"{name}.width is {self.width}; it must be a multiple of each of heads {self.heads}")
            if not self.mlp_ratio * self.width >= 1:
                raise ValueError(f"{name}.mlp_ratio is {self.mlp_ratio}; it must be at least 1 / width")
            if not self.image_range > 0:
                raise ValueError(f"{name}.image_range is {self.image_range}; it must be above 0")
            if self.residual not in RESIDUALS:
                raise ValueError(f"{name}.residual is {self.residual}; it must be {' or '.join(RESIDUALS)}")
            if self.residual == "3conv" and self.width < 4:
                raise ValueError(f"{name}.width is {self.width}; it must be at least 4 with residual 3conv")
            self._check_head(name)

        def _check_head(self, name: str) -> None:
            if self.head not in HEADS:
                raise ValueError(f"{name}.head is {self.head}; it must be one of {', '.join(HEADS)}")
            scales = HEADS[self.head]
            if self.scale not in scales if scales else self.scale < 2:
                permitted = " or ".join(map(str, scales)) if scales else "at least 2"
                raise ValueError(f"{name}.scale is {self.scale}; with head {self.head} it must be {permitted}")

    def __init__(self, config: Config) -> None:
        width, channels = config.width, config.in_channels
        super().__init__(
            config,
            size_multiple=config.window,
            feature_channels=(width,) * -(-len(config.depths) // 2),
            # Without the mask the shifted windows at a border see the opposite border, however far it is.
            global_statistics=not config.relative_positions,
            scale=config.scale,
            in_channels=channels,
        )
        mean = torch.tensor(MEAN if channels == len(MEAN) else (0.0,) * channels)
        self.mean: Tensor
        self.register_buffer("mean", mean[:, None, None], persistent=False)
        self.conv_first = nn.Conv2d(channels, width, 3, padding=1)
        self.patch_embed = nn.ModuleDict({"norm": ChannelLayerNorm(width, NORM_EPS)})
        self.layers = nn.ModuleList(
            ResidualSwinStage(self._blocks(depth, heads), residual_conv(width, config.residual))
            for depth, heads in zip(config.depths, config.heads, strict=True)
        )
        self.norm = ChannelLayerNorm(width, NORM_EPS)
        self.conv_after_body = residual_conv(width, config.residual)
        self._build_head()

    def _blocks(self, depth: int, heads: int) -> Stage:
        config: SwinIR.Config = self.config
        hidden, positions = int(config.width * config.mlp_ratio), config.relative_positions
        return Stage(
            *(
                SwinBlock(
                    config.width,
                    heads,
                    config.window,
                    config.window // 2 if odd else 0,
                    hidden=hidden,
                    relative_positions=positions,
                )
                for odd in (j % 2 for j in range(depth))
            )
        )

    def _build_head(self) -> None:
        config: SwinIR.Config = self.config
        width, channels, inner, scale = config.width, config.in_channels, config.head_width, config.scale
        if config.head == "none":
            self.conv_last = nn.Conv2d(width, channels, 3, padding=1)
            return
        if config.head == "pixelshuffledirect":
            self.upsample = enlarging(width, channels, (scale,))
            return
        self.conv_before_upsample = nn.Sequential(nn.Conv2d(width, inner, 3, padding=1), nn.LeakyReLU(0.01))
        if config.head == "pixelshuffle":
            self.upsample = enlarging(inner, inner, (3,) if scale == 3 else (2,) * (scale.bit_length() - 1))
        else:
            self.conv_up1 = nn.Conv2d(inner, inner, 3, padding=1)
            if scale == 4:
                self.conv_up2 = nn.Conv2d(inner, inner, 3, padding=1)
            self.conv_hr = nn.Conv2d(inner, inner, 3, padding=1)
        self.conv_last = nn.Conv2d(inner, channels, 3, padding=1)

    def _head(self, x: Tensor) -> Tensor:
        """(B, width, H, W) -> (B, in_channels, H * scale, W * scale)."""
        config: SwinIR.Config = self.config
        if config.head == "none":
            return self.conv_last(x)
        if config.head == "pixelshuffledirect":
            return self.upsample(x)
        x = self.conv_before_upsample(x)
        if config.head == "pixelshuffle":
            return self.conv_last(self.upsample(x))
        for conv in (self.conv_up1, self.conv_up2) if config.scale == 4 else (self.conv_up1,):
            x = F.leaky_relu(conv(F.interpolate(x, scale_factor=2.0, mode="nearest")), 0.2)
        return self.conv_last(F.leaky_relu(self.conv_hr(x), 0.2))

    def pad(self, image: Tensor) -> Tensor:
        """The picture mirrored at its right and lower border, as the original does, up to multiples of the window.

        Where a picture has fewer pixels than are missing it is mirrored again and again; a single row is repeated.
        """
        for axis in (2, 3):
            length = image.shape[axis]
            if missing := -length % self.size_multiple:
                period = max(2 * (length - 1), 1)
                there = torch.arange(length + missing, device=image.device) % period
                image = image.index_select(axis, torch.minimum(there, period - there))
        return image

    def _shallow(self, image: Tensor, visible: Tensor | None) -> Tensor:
        """The first convolution, so cheap that it is computed anew where it is needed again."""
        # The masked copy does not subtract the mean: zeros shall stand for what is hidden.
        centred = image - self.mean if visible is None else hide(image, visible)
        return hide(self.conv_first(self.config.image_range * centred), visible)

    def features(self, image: Tensor, visible: Tensor | None = None) -> tuple[Tensor, ...]:
        """(B, in_channels, H, W) -> the second half of the stages in their order, each (B, width, H, W)."""
        x = self.patch_embed["norm"](self._shallow(image, visible), visible)
        features = []
        for stage in self.layers:
            x = stage(x, visible)
            features.append(x)
        return tuple(features[-self.num_tapped :])

    def draw(self, image: Tensor, features: tuple[Tensor, ...], visible: Tensor | None = None) -> Tensor:
        """(B, in_channels, H * scale, W * scale) from the last feature and the first convolution."""
        deep = hide(self.conv_after_body(self.norm(features[-1], visible)), visible)
        return self._head(deep + self._shallow(image, visible)) / self.config.image_range

    def reconstruct(self, image: Tensor, features: tuple[Tensor, ...]) -> Tensor:
        """The picture, or with a head that enlarges it the mean colour, plus what the features draw; not clipped."""
        return (image if self.config.head == "none" else self.mean) + self.draw(image, features)


def enlarging(inputs: int, outputs: int, factors: tuple[int, ...]) -> nn.Sequential:
    """A 3x3 convolution and a pixel shuffle for each factor."""
    layers: list[nn.Module] = []
    for factor in factors:
        layers += [nn.Conv2d(inputs, outputs * factor**2, 3, padding=1), nn.PixelShuffle(factor)]
        inputs = outputs
    return nn.Sequential(*layers)
