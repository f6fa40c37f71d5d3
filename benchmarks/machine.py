"""The facts of the machine that stand beside every measured number."""

from __future__ import annotations

from undegrade.evaluation.machine import machine, versions


def facts() -> dict[str, object]:
    """Processor, cores, system and versions."""
    return {**machine(), "versions": versions()}
