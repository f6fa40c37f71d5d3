"""A quick look at a model in training, on batches that never change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from undegrade.batch import CLEAN, Batch
from undegrade.networks import UniversalRestorer
from undegrade.objectives.naming import named_rightly

SHOWN = 12  # pictures of a sheet, at most


@torch.no_grad()
def validate(model: UniversalRestorer, held_out: Sequence[Batch], labels: Sequence[str]) -> dict[str, float]:
    """Mean PSNR gain in dB, over all and for each degradation, and the share named rightly; clipped, not quantised.

    Args:
        model: to measure.
        held_out: batches with their truth.
        labels: of the mixture, which the batches' labels are indices of.
    """
    was_training = model.training
    model.eval()
    device = str(next(model.parameters()).device)
    values: dict[str, list[float]] = defaultdict(list)
    for batch in (b.to(device) for b in held_out):
        picture, logits = model(batch.degraded.contiguous(memory_format=torch.channels_last))
        hit = named_rightly(model, logits, batch).float()
        before = (batch.degraded - batch.clean).square().mean((1, 2, 3))
        after = (picture.clamp(0, 1) - batch.clean).square().mean((1, 2, 3))
        gain = 10 * torch.log10((before + 1e-5) / (after + 1e-5))
        for i, label in enumerate(labels[k] for k in batch.label.tolist()):
            values["accuracy"].append(hit[i].item())
            values[f"named_{label}"].append(hit[i].item())
            values[f"gain_{label}_db"].append(gain[i].item())
            if label != CLEAN:
                values["gain_db"].append(gain[i].item())
    model.train(was_training)
    return {f"val_{name}": sum(v) / len(v) for name, v in values.items()}


@torch.no_grad()
def before_after(model: UniversalRestorer, batch: Batch) -> NDArray[np.float32]:
    """A sheet (3, H, W) in [0, 1]: from left to right each picture degraded, restored and clean; one row a label."""
    was_training = model.training
    model.eval()
    first = {label: place for place, label in reversed(list(enumerate(batch.label.tolist())))}
    chosen = [place for _, place in sorted(first.items())][:SHOWN]
    degraded, clean = batch.degraded[chosen], batch.clean[chosen]
    device = next(model.parameters()).device
    restored = model(degraded.to(device).contiguous(memory_format=torch.channels_last))[0].float().cpu().clamp(0, 1)
    model.train(was_training)
    rows = torch.cat([degraded, restored, clean], 3)  # three abreast
    sheet: NDArray[np.float32] = torch.cat(list(rows), 1).numpy()
    return sheet
