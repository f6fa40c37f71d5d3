"""`undegrade import`: turn published weights into a checkpoint of undegrade."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from undegrade.cli.output import show
from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    from undegrade.networks import UniversalRestorer
    from undegrade.networks.published import Recognised


def import_(
    file: Annotated[Path, typer.Argument(help="Published weights: .pth, .pt, .ckpt or .safetensors.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="PATH", help="The .safetensors to write; else beside FILE.")
    ] = None,
    classifier: Annotated[
        Path | None, typer.Option(metavar="FILE", help="DCPT's classifier, where it lies in a file of its own.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(metavar="A,B,C", help="What the classifier's outputs stand for, in its order.")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="What the file cannot tell: heads=6,6,6,6 or image_range=255."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file to be written.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Turn published weights into a checkpoint, and say what they are. Nothing in FILE is executed. Needs PyTorch."""
    from undegrade.networks.checkpoint import save_checkpoint
    from undegrade.networks.published import build, read_published, recognise, with_head

    target = _target(file, out, force=force)
    found = recognise(read_published(file))
    if classifier is not None:
        found = with_head(found, read_published(classifier))
    config = _settled(found, setting or [])
    model = build(found, config, [label.strip() for label in labels.split(",")] if labels else [])
    record = {"input": str(file), "output": str(target), **_describe(found, config, model)}
    origin = {key: record[key] for key in ("layout", "wrapping", "set")}
    save_checkpoint(model, target, recipe={"kind": "import", "file": file.name, **origin}, half=False)
    rows = [(key, _text(value)) for key, value in record.items()]
    show([record], ("import", "what was found"), rows, as_json=as_json)


def _target(file: Path, out: Path | None, *, force: bool) -> Path:
    """The file to write, never the one that is read."""
    target = file.with_suffix(".safetensors") if out is None else out
    if target.is_dir():
        target = target / f"{file.stem}.safetensors"
    if target.suffix.lower() != ".safetensors":
        raise UndegradeError(f"{target}: unknown ending {target.suffix!r}; expected .safetensors")
    if target.exists():
        if file.exists() and target.samefile(file):
            raise UndegradeError(f"{target}: would overwrite the file that is imported; choose another name with -o")
        if not force:
            raise UndegradeError(f"{target}: exists already; choose another name with -o, or add --force")
    return target


def _settled(found: Recognised, settings: list[str]) -> Any:
    """The configuration with the user's settings."""
    from undegrade.training.recipe import override

    config = found.config
    for text in settings:
        config = override(config, text)
    given = {text.partition("=")[0] for text in settings}
    if missing := [name for name in found.unknown if name not in given]:
        example = ",".join("6" for _ in found.config.heads)
        raise UndegradeError(
            f"{found.weights.path}: {found.layout.name}; the file does not tell {', '.join(missing)}; add, for "
            f"example, --set {missing[0]}={example}"
        )
    return config


def _describe(found: Recognised, config: Any, model: UniversalRestorer) -> dict[str, Any]:
    """What was recognised, as JSON-like data."""
    from undegrade.inference.models import why_not_run

    usual = type(config)()
    values = {f.name: getattr(config, f.name) for f in fields(config)}
    set_by_user = {k: v for k, v in values.items() if v != getattr(found.config, k)}
    obstacle = why_not_run(model.network)
    number = len(found.head.get("fc.bias", ()))
    names = list(model.labels) or (f"left out: {number} classes, name them with --labels" if number else None)
    return {
        "layout": found.layout.name,
        "config": {k: v for k, v in values.items() if v != getattr(usual, k)},
        "assumed": {k: values[k] for k in found.assumed if k not in set_by_user},
        "set": set_by_user,
        "parameters": sum(p.numel() for p in model.network.parameters()),
        "wrapping": [*found.weights.wrappers, *found.prefixes],
        "averaged": "params_ema" in found.weights.wrappers,
        "numbers": list(found.weights.kinds),
        "unused": list(found.unused),
        "classifier": names,
        "restores": f"nothing yet: {obstacle}" if obstacle else "RGB pictures of any size",
    }


def _text(value: object) -> str:
    """A value for people."""
    if isinstance(value, dict):
        return ", ".join(f"{k}={v}" for k, v in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(map(str, value[:5])) + (f" (+{len(value) - 5} more)" if len(value) > 5 else "") or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
