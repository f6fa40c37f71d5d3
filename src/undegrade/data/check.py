"""What is wrong with a data set: names, sizes, copies, damaged files."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from undegrade.data.decoding import check_sizes, map_ahead
from undegrade.data.pairs import Found, find, label_counts
from undegrade.errors import UndegradeError
from undegrade.images import decode_8bit

# What can be wrong, in the order of the report.
KINDS = {
    "unreadable": "files that cannot be decoded",
    "unpaired": "degraded pictures without a clean one",
    "unused": "clean pictures without a degraded one",
    "size": "pairs of two sizes",
    "identical": "pairs whose degraded picture is the clean one",
    "duplicate": "files with the same bytes as another",
}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong."""

    kind: str  # one of KINDS
    picture: str  # its path below the set's folder
    detail: str


@dataclass(frozen=True, kw_only=True)
class LabelRow:
    """The pairs of one label; those that cannot be decoded have no pixels."""

    label: str | None
    pairs: int
    pixels: int  # of the degraded pictures
    smallest: tuple[int, int]  # height and width of the picture with the fewest pixels; (0, 0) without any
    largest: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What was found."""

    layout: str
    paired: bool
    pictures: int  # files that belong to the set
    pixels: int  # of all of them
    rows: tuple[LabelRow, ...]
    problems: tuple[Problem, ...]
    others: tuple[str, ...]  # pictures that belong to no pair by this layout; no problem, but worth a look


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is kept of a decoded picture: its size, and digests of its bytes and of its pixels."""

    size: tuple[int, int]
    content: bytes
    pixels: bytes


def check(
    root: Path, layout: str | None = None, advance: Callable[[float, int], None] = lambda done, of: None
) -> Checked:
    """Decode every picture of a set once, and report all that is wrong.

    Args:
        root: the set's folder.
        layout: a name of LAYOUTS; None finds out.
        advance: told how many pictures of how many are done.

    Raises:
        UndegradeError: there is nothing to check.
    """
    found = find(root, layout)
    names = sorted({*(n for p in found.pairs for n in (p.degraded, p.clean)), *found.unpaired, *found.unused})
    seen: dict[str, _Seen] = {}
    problems = []
    for done, (name, look) in enumerate(zip(names, map_ahead(partial(_look, root), names), strict=True)):
        if isinstance(look, str):
            problems.append(Problem(kind="unreadable", picture=name, detail=look))
        else:
            seen[name] = look
        advance(done + 1, len(names))
    problems += [Problem(kind="unpaired", picture=name, detail=reason) for name, reason in found.unpaired.items()]
    unused = "no degraded picture belongs to it"
    problems += [Problem(kind="unused", picture=name, detail=unused) for name in found.unused]
    problems += [*_wrong_pairs(found, seen), *_copies(found, seen)]
    order = list(KINDS)
    problems.sort(key=lambda problem: order.index(problem.kind))  # stable: by name within a kind
    return Checked(
        layout=found.layout,
        paired=found.paired,
        pictures=len(names),
        pixels=sum(look.size[0] * look.size[1] for look in seen.values()),
        rows=tuple(_rows(found, seen)),
        problems=tuple(problems),
        others=found.others,
    )


def _look(root: Path, name: str) -> _Seen | str:
    """One picture, or why it cannot be decoded."""
    path = root / name
    try:
        data = path.read_bytes()
        if not data:
            return "the file is empty (0 bytes)"
        pixels = decode_8bit(data, path)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except UndegradeError as error:
        return str(error).removeprefix(f"{path}: ")
    digests = (hashlib.blake2b(values, digest_size=16).digest() for values in (data, np.ascontiguousarray(pixels).data))
    return _Seen((pixels.shape[1], pixels.shape[2]), *digests)


def _wrong_pairs(found: Found, seen: dict[str, _Seen]) -> Iterator[Problem]:
    for pair in found.pairs if found.paired else ():
        if pair.degraded not in seen or pair.clean not in seen:
            continue
        degraded, clean = seen[pair.degraded], seen[pair.clean]
        try:
            check_sizes((pair.degraded, degraded.size), (pair.clean, clean.size))
        except UndegradeError as error:
            detail = str(error).removeprefix(f"{pair.degraded}: ")
            yield Problem(kind="size", picture=pair.degraded, detail=detail)
        if degraded.pixels == clean.pixels and degraded.size == clean.size:
            yield Problem(kind="identical", picture=pair.degraded, detail=f"the same pixels as {pair.clean}")


def _copies(found: Found, seen: dict[str, _Seen]) -> Iterator[Problem]:
    """Files with the bytes of an earlier one; that the two of a pair are alike is said already."""
    partner = {pair.degraded: pair.clean for pair in found.pairs if found.paired}
    first: dict[bytes, str] = {}
    for name, look in seen.items():
        other = first.setdefault(look.content, name)
        if other != name and partner.get(name) != other and partner.get(other) != name:
            yield Problem(kind="duplicate", picture=name, detail=f"the same bytes as {other}")


def _rows(found: Found, seen: dict[str, _Seen]) -> Iterator[LabelRow]:
    sizes: dict[str | None, list[tuple[int, int]]] = defaultdict(list)
    for pair in found.pairs:
        if pair.degraded in seen:
            sizes[pair.label].append(seen[pair.degraded].size)
    for label, count in label_counts(found.pairs).items():
        by_area = sorted(sizes[label], key=lambda size: size[0] * size[1]) or [(0, 0)]
        pixels = sum(height * width for height, width in by_area)
        yield LabelRow(label=label, pairs=count, pixels=pixels, smallest=by_area[0], largest=by_area[-1])
