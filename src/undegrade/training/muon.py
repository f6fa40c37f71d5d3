"""Muon for the kernels of the convolutions, AdamW for the rest."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from undegrade.training.processes import shared_like, whole

# Of a x + b x^3 + c x^5, Jordan's, which pulls (0, 1] to about 1 in five turns.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
TURNS = 5
SHARE = 0.2  # of a step's root mean square, as AdamW's have, so that one rate serves both


class Muon(torch.optim.AdamW):
    """Groups with "kernels" move by orthogonal steps, w -= lr * SHARE * sqrt(max(rows, columns)) * O; others as AdamW.

    O is the orthogonal matrix nearest to the gradient with Nesterov's momentum, each kernel taken as a matrix of
    (channels out, channels in * height * width), and one of three dimensions as so many matrices, of which
    those without a gradient stay. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; the
    scale is that of Liu et al., "Muon is Scalable for LLM Training", 2025. PyTorch's own takes matrices alone.

    Args:
        groups: as of AdamW, each with "kernels", whether it moves so.
        lr: as of AdamW.
        betas: of AdamW's groups.
        momentum: of the kernels.
    """

    def __init__(
        self, groups: list[dict[str, Any]], lr: float, betas: tuple[float, float], momentum: float = 0.95
    ) -> None:
        super().__init__(groups, lr=lr, betas=betas, fused=True)
        self.momentum = momentum

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move everything that has a gradient."""
        groups = self.param_groups
        self.param_groups = [group for group in groups if not group["kernels"]]
        try:
            super().step(closure)
        finally:
            self.param_groups = groups
        for group in groups:
            for kernel in group["params"] if group["kernels"] else ():
                if kernel.grad is not None:
                    self._turn(kernel, kernel.grad, group["lr"], group["weight_decay"])

    def _turn(self, kernel: Tensor, gradient: Tensor, lr: float, decay: float) -> None:
        state = self.state[kernel]
        if not state:
            state["step"] = torch.zeros(())  # AdamW looks for it when a state is loaded
            state["momentum"] = torch.zeros_like(kernel)
        momentum: Tensor = state["momentum"]
        momentum.lerp_(gradient, 1 - self.momentum)
        ahead = torch.lerp(gradient, momentum, self.momentum)
        matrices = whole(ahead) if kernel.ndim == 3 else whole(ahead).flatten(1)
        turned = orthogonal(matrices).view(kernel.shape)
        if kernel.ndim == 3:  # what no picture has asked for stays, whatever its momentum says
            turned = turned * whole(gradient).any(2, keepdim=True).any(1, keepdim=True)
        step = shared_like(kernel, turned)
        scale = SHARE * max(matrices.shape[-2:]) ** 0.5
        kernel.mul_(1 - lr * decay).add_(step, alpha=-lr * scale)


def orthogonal(matrix: Tensor) -> Tensor:
    """The matrix with all its singular values moved to about 1 (0.7 to 1.2), by five Newton-Schulz turns in bfloat16.

    Args:
        matrix: (..., rows, columns); of several each.
    """
    a, b, c = COEFFICIENTS
    x = matrix.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    wide = x.mT if tall else x
    wide = wide / (torch.linalg.matrix_norm(wide, keepdim=True) + 1e-7)
    for _ in range(TURNS):
        square = wide @ wide.mT
        wide = a * wide + (b * square + c * square @ square) @ wide
    return (wide.mT if tall else wide).to(matrix.dtype)
