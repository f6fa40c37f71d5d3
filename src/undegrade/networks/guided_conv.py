"""A convolution whose kernel is another one for each of the kinds that it is guided by."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GuidedConv(nn.Conv2d):
    """y = (W + sum over labels of guide_k B_k A_k) * x + b, 3 x 3.

    The kernel is put together once a pass, so that it costs nothing in a pixel how many kinds there are: "CondConv:
    Conditionally Parameterized Convolutions for Efficient Inference", NeurIPS 2019. What a kind adds is the product of
    two thin matrices, as in "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022; at first nothing.

    Args:
        channels: of x and of y.
        degradations: columns of the guide.
        rank: of what a kind adds; 0: no kind adds anything.
    """

    def __init__(self, channels: int, degradations: int, rank: int) -> None:
        super().__init__(channels, channels, 3, padding=1)
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        nn.init.zeros_(self.bias)  # type: ignore[arg-type]
        self.rank = rank
        if rank:
            inner = 9 * channels
            self.own_in = nn.Parameter(torch.randn(degradations, rank, inner) / inner**0.5)  # A
            self.own_out = nn.Parameter(torch.zeros(degradations, channels, rank))  # B

    @property
    def added(self) -> tuple[nn.Parameter, ...]:
        """What the kinds add, (degradations, rows, columns) each."""
        return (self.own_in, self.own_out) if self.rank else ()

    def forward(self, x: Tensor, guide: Tensor) -> Tensor:  # type: ignore[override]
        """(B, C, H, W), (B or 1, degradations) -> same shape as x."""
        if not self.rank:
            return super().forward(x)
        # Weighed by the guide before they are multiplied: else an exported model would hold the products.
        weighed = (guide[:, :, None, None] * self.own_out).transpose(1, 2).flatten(2)  # (B or 1, C, K * rank)
        kernels = self.weight + (weighed @ self.own_in.flatten(0, 1)).unflatten(2, self.weight.shape[1:])
        if kernels.shape[0] == 1:
            return F.conv2d(x, kernels[0], self.bias, padding=1)
        number = x.shape[0]
        bias = self.bias.repeat(number)  # type: ignore[union-attr]
        return F.conv2d(x.flatten(0, 1)[None], kernels.flatten(0, 1), bias, padding=1, groups=number).view_as(x)
