"""DiffIR: a small diffusion model guesses what a pair of pictures would tell, and a transformer restores with it.

Paper: "DiffIR: Efficient Diffusion Model for Image Restoration", ICCV 2023. Written from a description in prose and
checked against the published network's outputs; the state-dict names are the published ones. Published checkpoints of
the second stage also carry the condition and the denoiser twice, and tables of the diffusion, which follow from its
steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from undegrade.networks.base import GuidedNetwork, check_at_least
from undegrade.networks.blocks import Stage, hide
from undegrade.networks.levels import LEVELS, FourLevels, add_levels, check_levels, decode, encode
from undegrade.networks.transformer import (
    BlockStyle,
    ChannelAttention,
    GatedFeedForward,
    PixelNorm,
    check_style,
)

PRIOR = 256  # numbers
FOLD = 4  # of the clean picture, before it is encoded
WEAKEST, STRONGEST = 0.1, 0.99  # variance of the noise in the first and the last step
HEADS = ("same", "enlarging", "filling")
SOURCES = ("diffusion", "pair", "both")


def told(layer: nn.Module, x: Tensor, prior: Tensor, visible: Tensor | None) -> Tensor:
    """x * s + t, (s, t) = W z: what a layer is to see is told the prior z, channel by channel; W is its `kernel`."""
    scale, shift = layer.get_submodule("kernel")(prior)[:, :, None, None].chunk(2, 1)
    return hide(x * scale + shift, visible)


class PriorBlock(nn.Module):
    """y = x + attention(told(norm1(x))); z = y + feed_forward(told(norm2(y)))."""

    def __init__(self, channels: int, heads: int, style: BlockStyle) -> None:
        super().__init__()
        self.norm1, self.norm2 = PixelNorm(channels, style), PixelNorm(channels, style)
        self.attn, self.ffn = ChannelAttention(channels, heads, style), GatedFeedForward(channels, style)
        for layer in (self.attn, self.ffn):
            layer.add_module("kernel", nn.Sequential(nn.Linear(PRIOR, 2 * channels, bias=False)))

    def forward(self, x: Tensor, prior: Tensor, visible: Tensor | None) -> Tensor:
        """(B, C, H, W) and (B, 256) -> (B, C, H, W)."""
        x = x + self.attn(told(self.attn, self.norm1(x, visible), prior, visible), visible)
        return x + self.ffn(told(self.ffn, self.norm2(x, visible), prior, visible), visible)


class Residual(nn.Module):
    """y = x + conv(leaky(conv(x)))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.LeakyReLU(0.1), nn.Conv2d(channels, channels, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> same shape."""
        return x + self.body(x)


class PriorEncoder(nn.Module):
    """A folded picture, or two of them, (B, inputs, h, w) -> the prior (B, 256): convolutions, a mean, two layers."""

    def __init__(self, inputs: int, num_blocks: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(inputs, 64, 3, padding=1), nn.LeakyReLU(0.1)]
        layers += [Residual(64) for _ in range(num_blocks)]
        for before, after in ((64, 128), (128, 128), (128, PRIOR)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.LeakyReLU(0.1)]
        self.E = nn.Sequential(*layers)
        self.mlp = nn.Sequential(nn.Linear(PRIOR, PRIOR), nn.LeakyReLU(0.1), nn.Linear(PRIOR, PRIOR), nn.LeakyReLU(0.1))

    def forward(self, folded: Tensor) -> Tensor:
        """(B, inputs, h, w) -> (B, 256)."""
        return self.mlp(self.E(folded).mean((2, 3)))


class Layer(nn.Module):
    """y = leaky(W x + b)."""

    def __init__(self) -> None:
        super().__init__()
        self.resmlp = nn.Sequential(nn.Linear(PRIOR, PRIOR), nn.LeakyReLU(0.1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 256) -> same shape."""
        return self.resmlp(x)


class Denoiser(nn.Module):
    """[condition, share of the steps that are to come, noisy prior] -> the prior, by layers one after another."""

    def __init__(self, num_layers: int) -> None:
        super().__init__()
        layers = (Layer() for _ in range(num_layers))
        self.resmlp = nn.Sequential(nn.Linear(2 * PRIOR + 1, PRIOR), nn.LeakyReLU(0.1), *layers)

    def forward(self, noisy: Tensor, share: float, condition: Tensor) -> Tensor:
        """(B, 256), the step as a share of ten times their number, and (B, 256) -> (B, 256)."""
        return self.resmlp(torch.cat((condition, torch.full_like(noisy[:, :1], share), noisy), 1))


class Transformer(FourLevels):
    """Restormer's U whose blocks are told a prior; `up` is the head that enlarges four times, None the plain one."""

    def __init__(self, config: DiffIR.Config, inputs: int) -> None:
        super().__init__()
        c, heads = config.width, config.heads
        style = BlockStyle(expansion=config.expansion, bias=False, norm=config.norm, norm_eps=1e-5, attention="softmax")

        def stage(channels: int, level: int, number: int) -> Stage:
            return Stage(*(PriorBlock(channels, heads[level], style) for _ in range(number)))

        add_levels(self, config, stage, inputs=inputs)
        if config.head == "enlarging":
            twice = (nn.Conv2d(2 * c, 8 * c, 3, padding=1), nn.PixelShuffle(2))
            again = (nn.Conv2d(2 * c, 8 * c, 3, padding=1), nn.PixelShuffle(2))
            self.tail = nn.Sequential(nn.Sequential(*twice, *again), nn.Conv2d(2 * c, 3, 3, padding=1))
        else:
            self.output = nn.Conv2d(2 * c, 3, 3, padding=1, bias=False)

    def features(self, x: Tensor, prior: Tensor, visible: Tensor | None) -> tuple[Tensor, ...]:
        """(B, inputs, H, W) and (B, 256) -> (B, 4c, H / 4, W / 4), (B, 2c, H / 2, W / 2), (B, 2c, H, W)."""
        latent, skips = encode(self, x, prior, visible=visible)
        coarse, middle, fine = decode(self, latent, skips, prior, visible=visible)
        return coarse, middle, self.refinement(fine, prior, visible)


class DiffIR(GuidedNetwork):
    """`features` are the outputs of the decoder levels 3, 2 and of the refinement, told the prior of the picture.

    The prior is drawn from the picture alone by `prior`: c = condition(picture), then from pure noise step by step
    x <- a * denoise(x, t, c) + b * x, without further noise, as published. The noise that it begins with is drawn from
    `seed`, once for all pictures, so that the same picture gives the same answer. `prior_of_pair`, of the first stage
    of training, reads it off the picture and the clean one; `told_features` takes either.
    """

    start: Tensor

    @dataclass(frozen=True, kw_only=True)
    class Config:
        """The paper's network for motion blur by default."""

        width: int = 48  # channels of the finest level
        blocks: tuple[int, ...] = (3, 5, 6, 6)  # of each level, finest first
        refinement: int = 4  # blocks at full size before the output
        heads: tuple[int, ...] = (1, 2, 4, 8)  # of the attention at each level
        expansion: float = 2.0  # of the feed-forward network
        norm: str = "with_bias"  # or "bias_free", as for super-resolution
        head: str = "same"  # "enlarging": folded first, and enlarged 4 times; "filling": 4 channels in, the last a mask
        scale: int = 1  # how much larger the enlarging head makes the picture: 1, 2 or 4
        encoder_blocks: int = 5  # residual ones of the prior's encoder; 9 for super-resolution
        denoiser_layers: int = 1
        steps: int = 4  # of the diffusion
        source: str = "diffusion"  # of the prior; "pair" in the first stage of training; "both" to learn from that
        seed: int = 0  # of the noise that the diffusion begins with

        def __post_init__(self) -> None:
            """Refuse what cannot be built."""
            check_at_least(self, {"width": 1, "blocks": 0, "refinement": 0, "heads": 1, "expansion": 1, "seed": 0})
            check_at_least(self, {"encoder_blocks": 0, "denoiser_layers": 0, "steps": 1})
            check_levels(self)
            for name, known in (("head", HEADS), ("source", SOURCES)):
                if getattr(self, name) not in known:
                    raise ValueError(f"DiffIR.Config.{name} is {getattr(self, name)}; it must be {' or '.join(known)}")
            if self.scale not in ((1, 2, 4) if self.head == "enlarging" else (1,)):
                raise ValueError(f"DiffIR.Config.scale is {self.scale}; it must be 1, or 2 or 4 to be enlarging")
            check_style(self, tuple(self.width << level for level in range(LEVELS)), self.heads)

        @property
        def fold(self) -> int:
            """The picture is folded by it before the first convolution."""
            return FOLD // self.scale if self.head == "enlarging" else 1

        @property
        def encoder_fold(self) -> int:
            """The picture is folded by it for the prior."""
            return FOLD // self.scale if self.head == "enlarging" else FOLD

        @property
        def attention(self) -> str:
            """Of Restormer's blocks."""
            return "softmax"

    def __init__(self, config: Config) -> None:
        c, channels = config.width, 4 if config.head == "filling" else 3
        super().__init__(
            config,
            size_multiple=config.fold << (LEVELS - 1),
            feature_channels=(4 * c, 2 * c, 2 * c),
            feature_fold=config.fold,
            scale=config.scale,
            in_channels=channels,
            global_statistics=True,
        )
        self.G = Transformer(config, channels * config.fold**2)
        folded = channels * config.encoder_fold**2
        if config.source != "diffusion":
            self.E = PriorEncoder(folded + 3 * FOLD**2, config.encoder_blocks)
        if config.source != "pair":
            self.condition = PriorEncoder(folded, config.encoder_blocks)
            self.denoise = Denoiser(config.denoiser_layers)
        start = torch.randn(1, PRIOR, generator=torch.Generator().manual_seed(config.seed))
        self.register_buffer("start", start, persistent=False)

    def prior_of_pair(self, image: Tensor, clean: Tensor) -> Tensor:
        """(B, 3, H, W) twice, the clean one `scale` times as large -> (B, 256)."""
        folded = F.pixel_unshuffle(image, self.config.encoder_fold), F.pixel_unshuffle(clean, FOLD)
        return self.E(torch.cat(folded, 1))

    def prior(self, image: Tensor, begin: Tensor | None = None) -> tuple[Tensor, ...]:
        """(B, 3, H, W), and what to begin with, (B, 256) -> the prior after each step, the last one last."""
        condition = self.condition(F.pixel_unshuffle(image, self.config.encoder_fold))
        x = self.start.to(condition.dtype).expand_as(condition) if begin is None else begin
        found = []
        for step, (of_guess, of_noisy) in reversed(list(enumerate(posterior(self.config.steps)))):
            x = of_guess * self.denoise(x, step / (10 * self.config.steps), condition) + of_noisy * x
            found.append(x)
        return tuple(found)

    def usual(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> the prior (B, 256) by the picture alone."""
        return self.prior(image)[-1]

    def guide_of(self, degraded: Tensor, clean: Tensor, kinds: Tensor, numbers: tuple[int, ...]) -> Tensor:
        """The prior (B, 256): of the pairs in the first stage of training, else by the degraded pictures alone."""
        if self.config.source == "pair":
            return self.prior_of_pair(degraded, clean)
        return self.usual(degraded)

    def told_features(self, image: Tensor, guide: Tensor, visible: Tensor | None = None) -> tuple[Tensor, ...]:
        """(B, 3, H, W) and a prior (B, 256) -> features at a quarter, half and all of the folded picture's size."""
        return self.G.features(F.pixel_unshuffle(hide(image, visible), self.config.fold), guide, visible)

    def draw(self, image: Tensor, features: tuple[Tensor, ...], visible: Tensor | None = None) -> Tensor:
        """The head on the finest feature; (B, 3, H * scale, W * scale)."""
        return self.G.tail(features[-1]) if self.config.head == "enlarging" else self.G.output(features[-1])

    def reconstruct(self, image: Tensor, features: tuple[Tensor, ...]) -> Tensor:
        """The enlarged image + draw(image, features); where holes are filled, what is drawn alone."""
        drawn = self.draw(image, features)
        if self.config.head == "filling":
            return drawn
        return drawn + (image if self.scale == 1 else F.interpolate(image, scale_factor=self.scale, mode="nearest"))


def betas(steps: int) -> list[float]:
    """The noise's variance in each step, first to last: from 0.1 to 0.99, linear in its root."""
    roots = torch.linspace(WEAKEST**0.5, STRONGEST**0.5, steps, dtype=torch.float64).tolist()
    return [root**2 for root in roots]


def noised(prior: Tensor, noise: Tensor, steps: int) -> Tensor:
    """What the diffusion begins with in training: sqrt(A) z + sqrt(1 - A) n, A the product of 1 - beta over all steps.

    Args:
        prior: z, (B, 256).
        noise: n, normal, of the same shape.
        steps: number of them.
    """
    kept = math.prod(1 - beta for beta in betas(steps))
    return math.sqrt(kept) * prior + math.sqrt(1 - kept) * noise


def posterior(steps: int) -> Iterator[tuple[float, float]]:
    """How much of the guessed and of the noisy prior make the less noisy one, step by step from the last to be done.

    A_t = product of 1 - beta up to t; beta_t sqrt(A_(t-1)) / (1 - A_t) and
    (1 - A_(t-1)) sqrt(1 - beta_t) / (1 - A_t) (Ho et al., "Denoising Diffusion Probabilistic Models", NeurIPS 2020).

    >>> [(round(a, 3), round(b, 3)) for a, b in posterior(2)]
    [(1.0, 0.0), (0.948, 0.01)]
    """
    before = 1.0
    for beta in betas(steps):
        after = before * (1 - beta)
        yield beta * before**0.5 / (1 - after), (1 - before) * (1 - beta) ** 0.5 / (1 - after)
        before = after
