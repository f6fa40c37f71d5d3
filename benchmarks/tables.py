"""Tables of results in Markdown, printed or put into a page between two marks."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """In Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_text(cell) for cell in line)} |" for line in lines)


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
    return str(cell)


def percent(share: object) -> str:
    """A share in words; nothing where there is none."""
    return "" if share is None else f"{100 * float(str(share)):.0f} %"


def machine(results: dict[str, Any]) -> str:
    """The facts of the machine, in one line."""
    facts = results["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    return f"*{facts['processor']}, {facts['cores']} cores, {facts['system']}, Python {facts['python']}; {versions}.*"


def put(parts: Sequence[str]) -> None:
    """Prints the parts, or puts them between the marks of the page that follows --into on the command line."""
    text = "\n\n".join(parts)
    if "--into" not in sys.argv:
        print(text)
        return
    put_named(Path(sys.argv[sys.argv.index("--into") + 1]), "tables", text)


def put_named(page: Path, name: str, text: str) -> None:
    """Puts the text between the marks of that name of a page.

    Raises:
        ValueError: the page has no such marks.
    """
    begin, end = (f"<!-- {name}: {word} -->" for word in ("begin", "end"))
    before, found, rest = page.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"{page}: has no {begin} and {end}; put them where the table belongs")
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")
