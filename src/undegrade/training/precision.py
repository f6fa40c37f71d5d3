"""In what arithmetic is trained."""

from __future__ import annotations

import torch


def reduced(device: str, *, wanted: bool = True) -> torch.autocast:
    """Autocast to bfloat16 where it is wanted and the device has it, else none."""
    return torch.autocast(device, torch.bfloat16, enabled=wanted and has_bf16(device))


def has_bf16(device: str) -> bool:
    """Whether it pays: a processor without AVX-512 emulates it, and convolutions then take five times as long."""
    return device != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
