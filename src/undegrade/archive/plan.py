"""Which pictures an archive has, and what is left to be done with each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from undegrade.archive.manifest import Known
from undegrade.archive.orders import BEFORE, Done, Item, Order
from undegrade.archive.store import OWN, Entry, Store, StoreError, open_store
from undegrade.errors import UndegradeError
from undegrade.images import SUFFIXES
from undegrade.images.formats import READ_SUFFIXES


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is known before the work begins.

    Args:
        order: what is to be done.
        source: the archive.
        out: where results go.
        only: the one picture that is meant; empty: all.
        known: what was done before, by source.
        mark_ns: results that are not known and younger than this are of a run that was killed, nanoseconds since 1970.
        overwrite: replace results that exist.
    """

    order: Order
    source: Store
    out: Store
    only: str
    known: Mapping[str, Known]
    mark_ns: int
    overwrite: bool

    def go_through(self) -> Iterator[Item | Done]:
        """Every picture of the archive, folder by folder: to be done, done before, or refused.

        Of what was listed, one folder is held at a time. A folder that cannot be listed fails, the others go on.
        """
        if self.only:
            own = self.source.find(self.only)
            yield from self._folder("", [own] if own else [])
            return
        waiting, passed = [""], below(self.source, self.out)
        while waiting:
            folder = waiting.pop()
            try:
                entries = self.source.list(folder)
                inside = [e.path for e in entries if e.folder and e.name[:1] != "." and e.name != OWN]
                waiting += [path for path in reversed(inside) if path != passed]
                found = [e for e in entries if not e.folder and e.name[:1] != "." and _read(e.path)]
                yield from self._folder(folder, found)
            except StoreError as error:
                yield failed(Item(source=f"{folder}/", target="", size=0, modified_ns=0), str(error))

    def _folder(self, folder: str, entries: list[Entry]) -> Iterator[Item | Done]:
        there: dict[str, Entry] = {}
        if self.order.verb == "restore" and entries:
            there = {entry.path: entry for entry in self.out.list(folder) if not entry.folder}
        taken: dict[str, str] = {}
        for entry in entries:
            target = target_of(entry.path, self.order.form) if self.order.verb == "restore" else ""
            item = Item(source=entry.path, target=target, size=entry.size, modified_ns=entry.modified_ns)
            if target and target in taken:
                name = self.out.name(target)
                yield failed(item, f"{name}: would hold both {taken[target]} and {entry.path}; rename one")
                continue
            taken[target] = entry.path
            yield self._judged(item, there.get(target))

    def _judged(self, item: Item, there: Entry | None) -> Item | Done:
        """What is left to be done, where `there` lies in the place of the result."""
        known = self.known.get(item.source)
        same = known is not None and known.options == self.order.key
        if item.target:
            same = same and there is not None and known is not None and there.size == known.target_size
        if known is not None and same:
            unchanged = item.modified_ns and (item.size, item.modified_ns) == (known.size, known.modified_ns)
            if unchanged:
                return Done(item=item, outcome=BEFORE, row={})
            return Item(
                source=item.source,
                target=item.target,
                size=item.size,
                modified_ns=item.modified_ns,
                before=known.sha256,
                replace=self.overwrite or not item.target,
            )
        killed = known is None and there is not None and there.modified_ns >= self.mark_ns
        if there is not None and not self.overwrite and not killed:
            return failed(item, f"{self.out.name(item.target)}: exists already; --overwrite replaces it")
        return item


def failed(item: Item, reason: str) -> Done:
    """A picture that cannot be done."""
    return Done(item=item, row={}, reason=reason)


def target_of(source: str, form: str | None) -> str:
    """Where a result goes below the output: the same path, with the ending of its format.

    >>> target_of("1999/a.JPG", None), target_of("1999/a.nef", None), target_of("a.jpg", "webp")
    ('1999/a.JPG', '1999/a.png', 'a.webp')
    """
    path = PurePosixPath(source)
    if form is not None:
        return str(path.with_suffix(f".{form.lower()}"))
    return source if path.suffix.lower() in SUFFIXES else str(path.with_suffix(".png"))


def open_archive(url: str) -> tuple[Store, str]:
    """The store behind a URL, and the name of the one picture that is meant if it is that of a file, else nothing.

    Raises:
        UndegradeError: as `open_store`; or the store does not say what lies there.
    """
    store = open_store(url)
    if not _read(url):
        return store, ""
    entry = store.find()
    if entry is None or entry.folder:
        return store, ""
    folder, _, name = store.url.rpartition("/")
    return open_store(folder or "."), name


def _read(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in READ_SUFFIXES


def below(outer: Store, inner: Store) -> str | None:
    """The path of one store in another one; "" where they are the same, None where it is not inside."""
    if type(outer.files) is not type(inner.files):
        return None
    first, second = (os.path.realpath(s.root) if not s.whole else s.root for s in (outer, inner))
    if first == second:
        return ""
    prefix = f"{first.rstrip('/')}/"
    return second.removeprefix(prefix) if second.startswith(prefix) else None


def check_apart(source: Store, out: Store) -> None:
    """Refuse an output whose results could be originals.

    Raises:
        UndegradeError: the output is the archive, or the archive lies inside it.
    """
    if below(out, source) is not None:
        raise UndegradeError(
            f"{out.url}: the archive lies in it, and originals are never overwritten; choose another output"
        )
