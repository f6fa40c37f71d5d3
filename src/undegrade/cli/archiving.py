"""`undegrade restore --ray` and `undegrade diagnose --ray`: whole archives, on many machines."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from undegrade.cli.options import model_facts
from undegrade.cli.output import LINES_VERSION
from undegrade.errors import UndegradeError

if TYPE_CHECKING:
    from undegrade.archive.orders import Done, Order
    from undegrade.archive.run import Totals

TOLD = 20  # failures that are printed; all of them are in the dead-letter list
ALONE = {  # options that archives have not, and what stands for them
    "sheet": "--sheet",
    "preview": "--preview",
    "in_place": "--in-place",
    "dry_run": "--dry-run",
    "where": "--map",
}


def restore_archive(wish: dict[str, Any], options: dict[str, Any], *, debug: bool) -> None:
    """Restore an archive.

    Args:
        wish: the options of `undegrade restore`.
        options: all that a result depends on beside its input.
        debug: let an internal error through.
    """
    _check(wish)
    from undegrade.images import LIMITS, Limits, check_target
    from undegrade.inference.batch import Output
    from undegrade.inference.extras import needs_ray
    from undegrade.inference.memory import parse_size

    if wish["form"]:
        check_target(Path(f"a.{wish['form']}"), wish["quality"])
    output = Output(
        strip=wish["strip"],
        quality=wish["quality"],
        record=model_facts(Path(wish["model"]).name, wish["model"]) if wish["keep"] else None,
        strength=wish["strength"],
        local=wish["local"],
    )
    with needs_ray("--ray"):
        from undegrade.archive.orders import Order

        order = Order(
            verb="restore",
            source=wish["inputs"][0],
            out=wish["out"],
            options=options,
            model=wish["model"],
            device=wish["device"] or "auto",
            precision=wish["precision"],
            memory=parse_size(wish["memory"]) if wish["memory"] else None,
            only=wish["only"],
            skip=wish["skip"],
            force=wish["force"],
            say=wish["say"],
            form=wish["form"],
            output=output,
            limits=Limits(max_pixels=wish["max_pixels"]) if wish["max_pixels"] else LIMITS,
        )
        _carry_out(order, wish, overwrite=wish["overwrite"], debug=debug)


def diagnose_archive(wish: dict[str, Any], *, debug: bool) -> None:
    """Diagnose an archive; arguments as for `restore_archive`."""
    _check(wish)
    from undegrade.inference.extras import needs_ray

    with needs_ray("--ray"):
        from undegrade.archive.orders import Order
        from undegrade.inference.models import identity_of

        order = Order(
            verb="diagnose",
            source=wish["inputs"][0],
            out=wish["out"],
            options={"model": identity_of(wish["model"])},
            model=wish["model"],
        )
        _carry_out(order, wish, overwrite=False, debug=debug)


def _check(wish: dict[str, Any]) -> None:
    """Refuse what archives have not."""
    if len(wish["inputs"]) != 1 or wish["inputs"] == ["-"]:
        raise UndegradeError("--ray: takes one archive at a time; give one folder or URL")
    if not wish["out"] or wish["out"] == "-":
        raise UndegradeError("--ray: needs a place for results and manifest; add --out, a folder or URL")
    for name, option in ALONE.items():
        if wish.get(name):
            raise UndegradeError(f"{option}: archives have none; leave it out, or leave out --ray")


def _carry_out(order: Order, wish: dict[str, Any], *, overwrite: bool, debug: bool) -> None:
    """Go through the archive and say what came of it.

    Raises:
        typer.Exit: with code 1, some pictures failed, or nothing could be done.
    """
    from undegrade.archive.cluster import Crew, connected
    from undegrade.archive.manifest import FAILED
    from undegrade.archive.run import go_through
    from undegrade.archive.store import open_store

    told: Counter[str] = Counter()

    def complain(done: Done) -> None:
        told["failures"] += 1
        if told["failures"] <= TOLD:
            print(f"error: {done.reason}", file=sys.stderr)
        elif told["failures"] == TOLD + 1:
            print(f"error: more have failed; {open_store(order.out).name(FAILED)} lists them", file=sys.stderr)

    def tell(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    try:
        with connected(wish["ray"]):
            crew = Crew(order, wish["at_once"])
            totals = go_through(order, crew, overwrite=overwrite, on_failure=complain, tell=tell)
    except UndegradeError as error:
        if debug:
            raise
        # A cluster or a store that is away today may be there tomorrow: the same command then does what is missing.
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        raise typer.Exit(1) from None
    _summarise(totals, as_json=wish["as_json"])
    if not totals.listed:
        print(f"error: {order.source}: no pictures in it; check the name", file=sys.stderr)
    if told["failures"] or not totals.listed:
        raise typer.Exit(1)


def _summarise(totals: Totals, *, as_json: bool) -> None:
    if as_json:
        data = {"listed": totals.listed, **totals.counts, "megapixels": round(totals.pixels / 1e6, 3)}
        data |= {"bytes": totals.bytes_read, "seconds": round(totals.seconds, 3), "workers_lost": totals.lost}
        typer.echo(json.dumps({"version": LINES_VERSION, "summary": data}))
        return
    typer.echo(f"{totals.listed} pictures: {totals.sentence}")
