"""Time of a pass and of a training step of each network, beside the layers arranged as they were published.

    OMP_NUM_THREADS=1 python benchmarks/networks.py > benchmarks/results/networks.json

The published arrangement is that of the descriptions in prose which the networks were written from: norms written out,
attention in the order of its formula, each sorted map gathered and put back by itself, masks made picture by picture,
all maps with their pixels last. Here it stands in place of our layers, with the same weights; what else a network
consists of (convolutions, the U) is the same in both. `difference` is between the two answers, as a share of the
largest value. Both take turns on one thread, the processor's time counts, and the ratios are medians over the turns.

Networks have their papers' widths, and fewer blocks than there, for these differ in nothing else.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from machine import facts
from undegrade.networks import NETWORKS, AdaIR, DiffIR, DWFormer, HOGformer, PIPRestormer, Restormer, TextPromptIR
from undegrade.networks import hogformer as hog
from undegrade.networks.adair import FrequencyModulation
from undegrade.networks.dwformer import Gate
from undegrade.networks.pip import TOP, TopCrossAttention
from undegrade.networks.transformer import ChannelAttention, CrossAttention, PixelNorm

SIDE, PATCH, BATCH = 128, 64, 2  # pixels of the picture, and of the patches of a training step
U = {"blocks": (1, 1, 1, 2), "refinement": 1}
CASES: dict[str, tuple[str, Any]] = {
    "Restormer": ("restormer", Restormer.Config(**U)),
    "AdaIR": ("adair", AdaIR.Config(**U)),
    "AdaIR, low frequencies": ("adair", AdaIR.Config(**U, frequency_divisor=8)),
    "HOGformer": ("hogformer", HOGformer.Config(**U)),
    "PIP on Restormer": ("pip_restormer", PIPRestormer.Config(**U)),
    "TextPromptIR": ("textpromptir", TextPromptIR.Config(**U)),
    "DiffIR": ("diffir", DiffIR.Config(**U)),
    "DWFormer": ("dwformer", DWFormer.Config(blocks=(2, 2, 2, 2, 2))),
}


def pixel_norm(self: PixelNorm, x: Tensor, visible: Tensor | None = None) -> Tensor:
    """Written out, over (B, pixels, C)."""
    rows = x.flatten(2).transpose(1, 2)
    deviation = (rows.var(-1, keepdim=True, unbiased=False) + self.eps).sqrt()
    if "bias" in self.body:
        rows = (rows - rows.mean(-1, keepdim=True)) / deviation * self.body["weight"] + self.body["bias"]
    else:
        rows = rows / deviation * self.body["weight"]
    return rows.transpose(1, 2).unflatten(2, x.shape[-2:])


def hog_norm(x: Tensor, style: str, visible: Tensor | None) -> Tensor:
    """The same without weights."""
    rows = x.flatten(2).transpose(1, 2)
    deviation = (rows.var(-1, keepdim=True, unbiased=False) + hog.EPS).sqrt()
    rows = (rows - rows.mean(-1, keepdim=True) if style == "with_bias" else rows) / deviation
    return rows.transpose(1, 2).unflatten(2, x.shape[-2:])


def parted(x: Tensor, heads: int) -> Tensor:
    """(B, C, H, W) -> (B, heads, C / heads, H * W)."""
    return x.flatten(2).unflatten(1, (heads, -1))


def scores_of(query: Tensor, key: Tensor, temperature: Tensor) -> Tensor:
    """Of queries and keys made as long as one, pixel by pixel."""
    return F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(-2, -1) * temperature


def channel_attention(self: ChannelAttention, x: Tensor, visible: Tensor | None = None) -> Tensor:
    """In the order of the formula."""
    heads = len(self.temperature)
    query, key, value = (parted(part, heads) for part in self.qkv_dwconv(self.qkv(x)).chunk(3, 1))
    mixed = self.weigh(scores_of(query, key, self.temperature)) @ value
    return self.project_out(mixed.flatten(1, 2).unflatten(2, x.shape[-2:]))


def asked(self: CrossAttention, asking: Tensor, answering: Tensor) -> tuple[Tensor, Tensor]:
    """Scores and values of an attention between two maps."""
    heads = len(self.temperature)
    query = parted(self.q_dwconv(self.q(asking)), heads)
    key, value = (parted(part, heads) for part in self.kv_dwconv(self.kv(answering)).chunk(2, 1))
    return scores_of(query, key, self.temperature), value


def cross_attention(self: CrossAttention, asking: Tensor, answering: Tensor, visible: Tensor | None = None) -> Tensor:
    """In the order of the formula."""
    scores, value = asked(self, asking, answering)
    mixed = scores.softmax(-1) @ value
    return self.project_out(mixed.flatten(1, 2).unflatten(2, answering.shape[-2:]))


def top_attention(self: TopCrossAttention, asking: Tensor, answering: Tensor, visible: Tensor | None = None) -> Tensor:
    """Four attentions over all pixels, of the m largest scores each, and their sum."""
    scores, value = asked(self, asking, answering)
    mixed = torch.zeros_like(value)
    for share, (part, whole) in zip((self.attn1, self.attn2, self.attn3, self.attn4), TOP, strict=True):
        largest = scores.topk(scores.shape[-1] * part // whole).indices
        mask = torch.zeros_like(scores).scatter_(-1, largest, 1.0)
        mixed = mixed + share * (scores.masked_fill(mask == 0, float("-inf")).softmax(-1) @ value)
    return self.project_out(mixed.flatten(1, 2).unflatten(2, answering.shape[-2:]))


def frequencies(self: FrequencyModulation, a: Tensor) -> tuple[Tensor, Tensor]:
    """Both parts through Fourier's transform, by a mask that is made for one picture after the other."""
    height, width = a.shape[-2:]
    shares = self.rate_conv(F.adaptive_avg_pool2d(a, 1)).sigmoid()
    mask = torch.zeros_like(a)
    for number, (down, across) in enumerate(shares[:, :, 0, 0]):
        h, w = int(height // self.divisor * down), int(width // self.divisor * across)
        mask[number, :, height // 2 - h : height // 2 + h, width // 2 - w : width // 2 + w] = 1
    spectrum = torch.fft.fft2(a, norm="forward").roll((height // 2, width // 2), (2, 3))
    back = (-(height // 2), -(width // 2))
    low, high = (
        torch.fft.ifft2((spectrum * part).roll(back, (2, 3)), norm="forward").abs() for part in (mask, 1 - mask)
    )
    return low, high


def sobel_edges(x: Tensor) -> tuple[Tensor, Tensor]:
    """By two depthwise convolutions with Sobel's filters."""
    filters = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    gx, gy = (
        F.conv2d(x, f.expand(x.shape[1], 1, 3, 3).contiguous(), padding=1, groups=x.shape[1])
        for f in (filters, filters.T)
    )
    strength = (gx.square() + gy.square() + hog.LEAST).sqrt()
    return strength, (torch.atan2(gy, gx) + torch.pi) / (2 * torch.pi)


def put_back(x: Tensor, order: Tensor) -> Tensor:
    """y[order[i]] = x[i] into a new map."""
    return torch.zeros_like(x).scatter_(-1, order.expand_as(x), x)


def patched(x: Tensor) -> Tensor:
    """(B, C, H, W), sides multiples of 8 -> (B, C, patches, 64)."""
    return F.pixel_unshuffle(x, hog.CELL).unflatten(1, (-1, hog.CELL**2)).flatten(3).transpose(2, 3)


def unpatched(x: Tensor, height: int, width: int) -> Tensor:
    """The inverse of `patched`."""
    grid = hog.grid_of(height, width)
    return F.pixel_shuffle(x.transpose(2, 3).flatten(1, 2).unflatten(2, grid), hog.CELL)


def sorted_in_patches(self: hog.HistogramAttention, u: Tensor) -> tuple[Tensor, Tensor]:
    """With the patches' pixels last, each channel gathered along them."""
    strength, direction = sobel_edges(u)
    bins = patched((direction * hog.BINS).trunc() % hog.BINS)
    strong, patches = patched(strength), patched(u)
    order = ((bins + 1) * strong).sum(1, keepdim=True).sort(dim=-1).indices
    histogram = torch.stack([(strong * (bins == number)).mean((1, 3)) for number in range(hog.BINS)], 1)
    histogram = histogram / (histogram.sum(1, keepdim=True) + 1e-8)
    told = self.bin_proj(histogram.unflatten(2, hog.grid_of(*u.shape[-2:])))
    told = F.interpolate(told, u.shape[-2:], mode="bilinear")
    return unpatched(torch.gather(patches, -1, order.expand_as(patches)), *u.shape[-2:]) + told, order


def histogram_attention(self: hog.HistogramAttention, x: Tensor, visible: Tensor | None = None) -> Tensor:
    """Each of five maps gathered by itself, and both branches put back before they are multiplied."""
    half, size = x.shape[1] // 2, x.shape[-2:]
    first, order = sorted_in_patches(self, x[:, :half])
    maps = self.qkv_dwconv(self.qkv(torch.cat((first, x[:, half:]), 1))).chunk(5, 1)
    strength, direction = sobel_edges(maps[4])
    places = (strength * direction).sum(1).flatten(1).sort(dim=1).indices[:, None]
    q1, k1, q2, k2, v = (torch.gather(part.flatten(2), 2, places.expand(-1, x.shape[1], -1)) for part in maps)
    both = [sorted_branch(self, q, k, v, runs=runs) for q, k, runs in ((q1, k1, True), (q2, k2, False))]
    mixed = put_back(both[0], places) * put_back(both[1], places)
    y = self.project_out(mixed.unflatten(2, size))
    return torch.cat((unpatched(put_back(patched(y[:, :half]), order), *size), y[:, half:]), 1)


def sorted_branch(self: hog.HistogramAttention, query: Tensor, key: Tensor, value: Tensor, *, runs: bool) -> Tensor:
    """In the order of the formula."""
    heads, number = len(self.temperature), value.shape[2]

    def boxed(x: Tensor) -> Tensor:
        x = F.pad(x, (0, -number % heads)).unflatten(1, (heads, -1))
        x = x.unflatten(3, (heads, -1)) if runs else x.unflatten(3, (-1, heads)).transpose(3, 4)
        return x.flatten(2, 3)

    scores = scores_of(boxed(query), boxed(key), self.temperature).exp()
    mixed = (scores / (scores.sum(-1, keepdim=True) + 1) @ boxed(value)).unflatten(2, (-1, heads))
    return (mixed if runs else mixed.transpose(3, 4)).flatten(3).flatten(1, 2)[..., :number]


def gate(self: Gate, x: Tensor) -> Tensor:
    """A sum by a product with weights, each the softmax of a single number."""
    weights = F.conv2d(x, x.new_ones(1, x.shape[1], 1, 1)).flatten(2).softmax(1)
    pooled = (x.flatten(2) @ weights.transpose(1, 2))[:, :, 0]
    return x * self.mlp(pooled).sigmoid()[:, :, None, None]


PUBLISHED: tuple[tuple[object, str, Callable[..., Any]], ...] = (
    (PixelNorm, "forward", pixel_norm),
    (ChannelAttention, "forward", channel_attention),
    (CrossAttention, "forward", cross_attention),
    (TopCrossAttention, "forward", top_attention),
    (FrequencyModulation, "parted", frequencies),
    (hog, "normed", hog_norm),
    (hog, "edges", sobel_edges),
    (hog.HistogramAttention, "forward", histogram_attention),
    (Gate, "forward", gate),
)


@contextmanager
def as_published() -> Iterator[None]:
    """Within, the layers are arranged as published."""
    with ExitStack() as stack:
        for owner, name, replacement in PUBLISHED:
            stack.enter_context(patch.object(owner, name, replacement))
        yield


Arm = tuple[nn.Module, Any, torch.memory_format]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--networks", nargs="+", choices=CASES, default=list(CASES))
    options = parser.parse_args()
    torch.set_num_threads(1)  # the processor's time is then that of the work
    rows = {}
    for name in options.networks:
        rows[name] = compared(*CASES[name], options.turns)
        print(name, rows[name], file=sys.stderr, flush=True)
    sizes = {"side": SIDE, "patch": PATCH, "batch": BATCH}
    print(json.dumps({**sizes, "networks": rows, "machine": facts()}, indent=1))


def compared(name: str, config: Any, turns: int) -> dict[str, float]:
    """Milliseconds and ratios, published / ours: above 1, ours is faster."""
    torch.manual_seed(0)
    network = NETWORKS[name](config)  # type: ignore[call-arg]
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))  # no branch is left switched off
    ours: Arm = (network.to(memory_format=torch.channels_last), nullcontext, torch.channels_last)
    theirs: Arm = (
        copy.deepcopy(network).to(memory_format=torch.contiguous_format),
        as_published,
        torch.contiguous_format,
    )
    answers = [passed(arm)[1] for arm in (ours, theirs)]
    found = {"difference": float((answers[0] - answers[1]).abs().max() / answers[0].abs().max())}
    for what, measure in (("pass", lambda arm: passed(arm)[0]), ("step", stepped)):
        pairs = [(measure(ours), measure(theirs)) for _ in range(turns + 1)][1:]  # the first turn warms up
        ratios = sorted(published / own for own, published in pairs)
        found |= {
            f"{what}_ms": round(1000 * statistics.median(own for own, _ in pairs), 1),
            f"{what}_ms_published": round(1000 * statistics.median(published for _, published in pairs), 1),
            f"{what}_ratio": round(statistics.median(ratios), 2),
            f"{what}_ratio_least": round(ratios[0], 2),
            f"{what}_ratio_most": round(ratios[-1], 2),
        }
    return {**found, "turns": turns}


@torch.no_grad()
def passed(arm: Arm) -> tuple[float, Tensor]:
    """Seconds of a pass, and what it answers."""
    network, arranged, layout = arm
    image = picture(1, SIDE, layout)
    with arranged():
        began = time.process_time()
        answer = network.eval()(image)
        return time.process_time() - began, answer


def stepped(arm: Arm) -> float:
    """Seconds of a training step: pass, mean absolute error, gradients. (The optimiser's is the same in both.)"""
    network, arranged, layout = arm
    image, clean = picture(BATCH, PATCH, layout), picture(BATCH, PATCH, layout, seed=1)
    network.train().zero_grad(set_to_none=True)
    with arranged():
        began = time.process_time()
        F.l1_loss(network(image), clean).backward()
        return time.process_time() - began


def picture(batch: int, side: int, layout: torch.memory_format, seed: int = 0) -> Tensor:
    """Smooth noise in [0, 1]."""
    small = torch.rand(batch, 3, side // 4, side // 4, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(small, (side, side), mode="bicubic").clamp(0, 1).contiguous(memory_format=layout)


if __name__ == "__main__":
    main()
