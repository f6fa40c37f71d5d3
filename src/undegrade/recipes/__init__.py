"""One file per result, and the catalogue of them all."""

from collections.abc import Callable

from undegrade.recipes.generated import (
    generated_5d,
    generated_5d_debug,
    generated_10d,
    generated_10d_debug,
    generated_mixed,
    generated_mixed_debug,
)
from undegrade.recipes.published import (
    published_3d,
    published_3d_debug,
    published_5d,
    published_5d_debug,
    published_10d,
    published_10d_debug,
    published_12d,
    published_12d_debug,
    published_cdd11,
    published_cdd11_debug,
)
from undegrade.recipes.release import (
    release_default,
    release_default_debug,
    release_quality,
    release_quality_debug,
)
from undegrade.recipes.restorers import (
    published_adair,
    published_adair_debug,
    published_diffir,
    published_diffir_debug,
    published_dwformer,
    published_dwformer_debug,
    published_hogformer,
    published_hogformer_debug,
    published_pip,
    published_pip_debug,
    published_textpromptir,
    published_textpromptir_debug,
)
from undegrade.recipes.universal_small import universal_small, universal_small_debug
from undegrade.training.recipe import Recipe

RECIPES: dict[str, Callable[[], Recipe]] = {
    "universal-small": universal_small,
    "universal-small-debug": universal_small_debug,
    "release-default": release_default,
    "release-default-debug": release_default_debug,
    "release-quality": release_quality,
    "release-quality-debug": release_quality_debug,
    "published-3d": published_3d,
    "published-3d-debug": published_3d_debug,
    "published-5d": published_5d,
    "published-5d-debug": published_5d_debug,
    "published-10d": published_10d,
    "published-10d-debug": published_10d_debug,
    "published-12d": published_12d,
    "published-12d-debug": published_12d_debug,
    "published-cdd11": published_cdd11,
    "published-cdd11-debug": published_cdd11_debug,
    "published-adair": published_adair,
    "published-adair-debug": published_adair_debug,
    "published-hogformer": published_hogformer,
    "published-hogformer-debug": published_hogformer_debug,
    "published-pip": published_pip,
    "published-pip-debug": published_pip_debug,
    "published-textpromptir": published_textpromptir,
    "published-textpromptir-debug": published_textpromptir_debug,
    "published-diffir": published_diffir,
    "published-diffir-debug": published_diffir_debug,
    "published-dwformer": published_dwformer,
    "published-dwformer-debug": published_dwformer_debug,
    "generated-5d": generated_5d,
    "generated-5d-debug": generated_5d_debug,
    "generated-10d": generated_10d,
    "generated-10d-debug": generated_10d_debug,
    "generated-mixed": generated_mixed,
    "generated-mixed-debug": generated_mixed_debug,
}
