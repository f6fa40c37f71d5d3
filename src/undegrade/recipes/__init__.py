"""One file per result, and the catalogue of them all."""

from collections.abc import Callable

from undegrade.recipes.universal_small import universal_small, universal_small_debug
from undegrade.training.recipe import Recipe

RECIPES: dict[str, Callable[[], Recipe]] = {
    "universal-small": universal_small,
    "universal-small-debug": universal_small_debug,
}
