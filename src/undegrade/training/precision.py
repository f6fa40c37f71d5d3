"""In what arithmetic is trained."""

from __future__ import annotations

import platform

import torch


def reduced(device: str, *, wanted: bool = True) -> torch.autocast:
    """Autocast to bfloat16 where it is wanted and the device has it, else none."""
    return torch.autocast(device, torch.bfloat16, enabled=wanted and has_bf16(device))


def has_bf16(device: str) -> bool:
    """Whether it pays: a processor without the instructions emulates it, and convolutions take three times as long."""
    if device != "cpu":
        return True
    if platform.machine() == "aarch64":
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
