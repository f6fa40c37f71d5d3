"""Pairs of degraded and clean pictures, found in a folder by its layout."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from undegrade.data.layouts import LAYOUTS, is_beside
from undegrade.errors import UndegradeError
from undegrade.images import SUFFIXES

# Folders that part a set. What is trained on and what is measured on must not be mixed up.
SPLITS = {"train", "training", "test", "testing", "val", "valid", "validation", "our485", "eval15"}


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A degraded picture and its clean one, by their paths below the set's folder; a clean picture alone is both."""

    degraded: str
    clean: str
    label: str | None = None  # what was done to it, where the set says so


@dataclass(frozen=True, kw_only=True)
class Found:
    """What lies in a folder by a layout; pictures are paths below it, with slashes."""

    root: Path
    layout: str
    pairs: tuple[Pair, ...]  # in the order of the degraded pictures' paths
    unpaired: dict[str, str]  # degraded pictures without a clean one, or with several, and what is wrong with each
    unused: tuple[str, ...]  # clean pictures without a degraded one
    others: tuple[str, ...]  # pictures that belong to no pair by this layout

    @property
    def paired(self) -> bool:
        """Whether there are degraded pictures; otherwise all are clean."""
        return bool(LAYOUTS[self.layout].rules)


def parse_place(text: str) -> tuple[Path, str | None]:
    """A folder and its layout from DIR or DIR:LAYOUT.

    >>> parse_place("sets/gopro/train:gopro") == (Path("sets/gopro/train"), "gopro")
    True
    """
    folder, colon, layout = text.rpartition(":")
    if colon and folder and layout in LAYOUTS:
        return Path(folder), layout
    # A colon may be part of the name, or follow a drive's letter.
    if colon and len(folder) > 1 and "/" not in layout and "\\" not in layout and not Path(text).exists():
        raise UndegradeError(f"{text}: no such folder, and {layout!r} is no layout; known are {', '.join(LAYOUTS)}")
    return Path(text), None


def find(root: Path, layout: str | None = None) -> Found:
    """Everything in a folder and the folders below it, with what is wrong about names.

    Args:
        root: the folder.
        layout: a name of LAYOUTS; None finds out.

    Raises:
        UndegradeError: there is no such folder or layout, no picture, or none that the layout looks for.
    """
    if layout is not None and layout not in LAYOUTS:
        raise UndegradeError(f"unknown layout {layout!r}; known are {', '.join(LAYOUTS)}")
    names = list_pictures(root)
    if layout is None:
        return _detect(root, names)
    found = _sort(root, names, layout)
    if not found.pairs and not found.unpaired:
        raise UndegradeError(f"{root}: no pairs by the layout {layout}; looked for {LAYOUTS[layout].looked_for()}")
    return found


def find_whole(root: Path, layout: str | None = None) -> Found:
    """`find`, where every degraded picture must have its clean one.

    Raises:
        UndegradeError: as `find`; or a degraded picture has no clean one, or several; or the folder holds several
            splits of a set, such as train and test.
    """
    found = find(root, layout)
    for name, reason in found.unpaired.items():
        raise UndegradeError(f"{root / name}: {reason}; undegrade data check lists all such pictures")
    if found.paired:
        _refuse_splits(found)
    return found


def list_pictures(root: Path) -> list[str]:
    """The pictures in a folder and the folders below it, hidden ones left out: sorted paths with slashes.

    Raises:
        UndegradeError: there is no such folder, or no picture in it.
    """
    if not root.is_dir():
        raise UndegradeError(f"{root}: no such folder; expected one with pictures")
    try:
        names = sorted(_walk(root, PurePosixPath(), {root.resolve()}))
    except OSError as error:
        raise UndegradeError(f"{error.filename}: cannot be read ({error.strerror}); check its access rights") from None
    if not names:
        raise UndegradeError(f"{root}: no pictures in this folder; expected files ending in {', '.join(SUFFIXES)}")
    return names


def _walk(folder: Path, below: PurePosixPath, entered: set[Path]) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                real = Path(entry.path).resolve() if entry.is_symlink() else None
                if real not in entered:  # a link may lead back up
                    yield from _walk(Path(entry.path), below / entry.name, entered | ({real} if real else set()))
            elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:  # noqa: PTH122  a Path for each costs too much
                yield str(below / entry.name)


def _stem(name: str) -> str:
    return name[: name.rindex(".")]


def _folder_names(names: Iterable[str]) -> set[str]:
    return {part.casefold() for folder in {name.rpartition("/")[0] for name in names} for part in folder.split("/")}


def _sort(root: Path, names: list[str], layout: str) -> Found:
    """Which pictures are degraded, which clean, and which belong together."""
    rules = LAYOUTS[layout].rules
    if not rules:
        pairs = tuple(Pair(degraded=name, clean=name) for name in names)
        return Found(root=root, layout=layout, pairs=pairs, unpaired={}, unused=(), others=())
    folders = _folder_names(names)
    rules = tuple(rule for rule in rules if folders.issuperset(rule.folders)) or rules
    stems = {name: _stem(name) for name in names}
    by_stem: dict[str, list[str]] = defaultdict(list)
    for name, stem in stems.items():
        by_stem[stem.casefold()].append(name)
    found: list[Pair] = []
    unpaired: dict[str, str] = {}
    rest = []
    for name, stem in stems.items():
        fits = [fit for rule in rules if (fit := rule.clean_name(stem))]
        hits = [(hit, label) for clean, label in fits if (hit := by_stem.get(clean.casefold()))]
        if not fits:
            rest.append(name)
        elif not hits:
            wanted = ", ".join(dict.fromkeys(clean for clean, _ in fits))
            unpaired[name] = f"no clean picture for it; looked for {wanted}"
        elif len(hits[0][0]) > 1:
            unpaired[name] = f"several clean pictures for it: {', '.join(hits[0][0])}; keep one of them"
        else:
            found.append(Pair(degraded=name, clean=hits[0][0][0], label=hits[0][1]))
    used = {pair.clean for pair in found}
    rest = [name for name in rest if name not in used]
    unused = [name for name in rest if any(rule.is_clean(stems[name]) for rule in rules)]
    known = set(unused)
    others = tuple(name for name in rest if name not in known and not is_beside(LAYOUTS[layout], stems[name]))
    return Found(root=root, layout=layout, pairs=tuple(found), unpaired=unpaired, unused=tuple(unused), others=others)


def _detect(root: Path, names: list[str]) -> Found:
    """The layout with the most pairs; or one whose degraded half alone is there; or clean pictures."""
    folders = _folder_names(names)
    best: Found | None = None
    for layout, facts in LAYOUTS.items():
        if any(folders.issuperset(rule.folders) for rule in facts.rules):  # else it need not be tried
            found = _sort(root, names, layout)
            if len(found.pairs) > (len(best.pairs) if best else 0):
                best = found
    return best or _half(root, names) or _sort(root, names, "clean")


def _half(root: Path, names: list[str]) -> Found | None:
    """The pictures by a layout of which only the degraded folder is there: all will be reported as unpaired."""
    for layout, facts in LAYOUTS.items():
        halves = [rule for rule in facts.rules if len(rule.folders) == 2]
        if any(rule.clean_name(_stem(name)) for name in names for rule in halves):
            return _sort(root, names, layout)
    return None


def _refuse_splits(found: Found) -> None:
    splits: dict[str, str] = {}
    for pair in found.pairs:
        parts = PurePosixPath(pair.degraded).parts
        at = next((i for i, part in enumerate(parts[:-1]) if part.casefold() in SPLITS), None)
        if at is not None:
            splits.setdefault(parts[at].casefold(), "/".join(parts[: at + 1]))
    if len(splits) > 1:
        raise UndegradeError(
            f"{found.root}: holds several parts of a set, which must not be mixed; name one of "
            + ", ".join(str(found.root / folder) for folder in splits.values())
        )


def no_pairs(root: Path) -> UndegradeError:
    """The error of a folder in which pairs were expected."""
    looked = "; ".join(f"{name}: {layout.looked_for()}" for name, layout in LAYOUTS.items() if layout.rules)
    return UndegradeError(f"{root}: no pairs of degraded and clean pictures; looked for {looked}")


def label_counts(pairs: Iterable[Pair]) -> dict[str | None, int]:
    """How many pairs each label has, labels in alphabetical order."""
    counts: dict[str | None, int] = defaultdict(int)
    for pair in pairs:
        counts[pair.label] += 1
    return dict(sorted(counts.items(), key=lambda item: item[0] or ""))
