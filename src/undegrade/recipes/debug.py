"""What every debug twin does to the recipe whose path it goes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from undegrade.training.recipe import Recipe


def debug(recipe: Recipe, network: Any = None) -> Recipe:
    """The same stages on the same kinds of data with a tiny network, three steps each: seconds on a CPU.

    Args:
        recipe: whose path is gone.
        network: its Config; None makes the recipe's own NAFNet narrow.
    """
    return replace(
        recipe,
        name=f"{recipe.name}-debug",
        begins_with="",
        network=network or replace(recipe.network, width=8, encoder=(1, 1, 1), middle=1, decoder=(1, 1, 1)),
        classifier=replace(recipe.classifier, max_channels=8),
        stages=tuple(replace(s, steps=3, batch=4, crop=32, warmup=1, bf16=False) for s in recipe.stages),
    )
