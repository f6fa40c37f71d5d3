"""How wrong a model's names are, for one label a picture or for several."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from undegrade.batch import Batch
from undegrade.networks import UniversalRestorer
from undegrade.objectives.focal import focal_loss


def naming_loss(
    model: UniversalRestorer, logits: Tensor, batch: Batch, gamma: float
) -> tuple[Tensor, dict[str, Tensor]]:
    """The focal loss of the names, and "naming" and "accuracy" for the log.

    One label a picture: `focal_loss`. Several (`model.multi_label`): `sigmoid_focal_loss` of what is present.

    Args:
        model: whose names they are.
        logits: (B, num_labels).
        batch: has the truth, `label` or `present`.
        gamma: of the focal loss; 0 is cross-entropy.
    """
    logits = logits.float()
    if model.multi_label:
        assert batch.present is not None  # mixtures give it with every batch
        loss = sigmoid_focal_loss(logits, batch.present, gamma)
    else:
        loss = focal_loss(logits, batch.label, gamma)
    return loss, {"naming": loss.detach(), "accuracy": named_rightly(model, logits, batch).float().mean()}


def named_rightly(model: UniversalRestorer, logits: Tensor, batch: Batch) -> Tensor:
    """(B,), true where the most probable label is the truth; or, of several, where the set above 1/2 is."""
    if model.multi_label:
        assert batch.present is not None
        return ((logits > 0) == (batch.present > 0)).all(1)
    return logits.argmax(1) == batch.label


def sigmoid_focal_loss(logits: Tensor, present: Tensor, gamma: float) -> Tensor:
    """mean over pictures and labels of -(1 - q) ** gamma * log(q), q = p where present and 1 - p where not.

    p is the sigmoid of the logit; Lin et al., "Focal Loss for Dense Object Detection", 2017, without its alpha. Both
    arguments are (B, K), `present` 0 or 1.
    """
    log_q = F.logsigmoid(torch.where(present > 0, logits, -logits))
    return ((1 - log_q.exp()).clamp_min(0) ** gamma * -log_q).mean()
