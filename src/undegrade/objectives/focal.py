"""The focal loss."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def focal_loss(logits: Tensor, label: Tensor, gamma: float) -> Tensor:
    """mean of -(1 - p) ** gamma * log(p), p the softmax probability of the true class; gamma 0 is cross-entropy.

    Lin et al., "Focal Loss for Dense Object Detection", 2017. `logits` (B, K), `label` (B,) in 0..K-1.
    """
    log_p = -F.cross_entropy(logits, label, reduction="none")
    return ((1 - log_p.exp()).clamp_min(0) ** gamma * -log_p).mean()
