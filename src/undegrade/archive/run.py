"""An archive gone through: pictures handed out in batches, results written down, losses made good."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from undegrade.archive.cluster import Crew, Returned
from undegrade.archive.manifest import Manifest
from undegrade.archive.orders import BEFORE, Done, Item, Order, Pace
from undegrade.archive.plan import Plan, check_apart, failed, open_archive
from undegrade.archive.store import open_store
from undegrade.errors import UndegradeError

FAILED = "failed"
# Pixels in a byte, by the end of the name, until the pictures themselves have shown it.
DENSITY = {".jpg": 3.0, ".jpeg": 3.0, ".webp": 8.0, ".avif": 12.0, ".heic": 8.0, ".png": 0.5, ".gif": 1.5}
FIRST_PIXELS = 2e5  # of the first batch of each worker; each later one has twice as many
DENSE = 0.3  # of all others, which are hardly compressed
UNSIZED = 1e6  # pixels of a file whose size is not known, over HTTP


@dataclass(kw_only=True)
class Totals:
    """What became of an archive so far; `listed` is the sum of `counts` once nothing is left."""

    listed: int = 0
    counts: Counter[str] = field(default_factory=Counter)  # by outcome
    pixels: int = 0  # of what was worked on
    bytes_read: int = 0
    lost: int = 0  # workers that died
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began

    @property
    def worked(self) -> int:
        """How many pictures were worked on in this run."""
        return sum(count for outcome, count in self.counts.items() if outcome not in (BEFORE, FAILED))

    @property
    def sentence(self) -> str:
        """For a line of progress."""
        parts = [f"{count} {outcome}" for outcome, count in self.counts.items()] or ["nothing done yet"]
        seconds = max(self.seconds, 1e-9)
        speed = f"{self.worked / seconds:.1f} images/s, {self.pixels / 1e6 / seconds:.2f} megapixels/s"
        lost = f"; {self.lost} workers lost" if self.lost else ""
        return f"{', '.join(parts)}; {speed}{lost}"


class Sizes:
    """Guesses how many pixels a file has, by its bytes, and learns from those that were decoded."""

    def __init__(self) -> None:
        self._pixels: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

    def guess(self, item: Item) -> float:
        """Pixels."""
        ending = PurePosixPath(item.source).suffix.lower()
        if not item.size:
            return UNSIZED
        if self._bytes[ending]:
            return item.size * self._pixels[ending] / self._bytes[ending]
        return item.size * DENSITY.get(ending, DENSE)

    def learn(self, item: Item, pixels: int) -> None:
        """A file that turned out to have so many."""
        ending = PurePosixPath(item.source).suffix.lower()
        if item.size:
            self._pixels[ending] += pixels
            self._bytes[ending] += item.size


@dataclass(kw_only=True, eq=False)
class Work:
    """A run while it is under way.

    Args:
        plan: pictures in the order of the archive; refusals among them.
        crew: the workers.
        manifest: where it is written down.
        pace: how it is cut.
        on_failure: told each picture that fails.
        tell: told how it stands, now and then.
    """

    plan: Iterator[Item | Done]
    crew: Crew
    manifest: Manifest
    pace: Pace
    on_failure: Callable[[Done], None]
    tell: Callable[[str], None]
    totals: Totals = field(default_factory=Totals)
    _sizes: Sizes = field(default_factory=Sizes)
    _again: deque[Item] = field(default_factory=deque)  # lost with their workers: each alone from now on
    _kept: Item | None = None  # the first of the next batch
    _batches: int = 0

    def carry_out(self) -> Totals:
        """Hand out batches while there are pictures; no more are listed than workers can take.

        Raises:
            UndegradeError: the output cannot be written, or no worker can be had.
        """
        told = seen = time.monotonic()
        exhausted = False
        while True:
            while self.crew.free and not exhausted:
                batch = self._batch()
                exhausted = not batch
                if batch:
                    self.crew.give(batch)
            if exhausted and not self.crew.working:
                break
            for returned in self.crew.wait(min(1.0, self.pace.tell_seconds)):
                self._take(returned)
            exhausted = exhausted and not self._again
            self.totals.lost = self.crew.deaths
            now = time.monotonic()
            seen = now if self.crew.present else seen
            if now - seen > self.pace.patience:
                raise UndegradeError(
                    f"no worker for {self.pace.patience:.0f} s: the cluster has no {self.crew.order.cores} free cores; "
                    "add machines, or lower --jobs"
                )
            if now - told >= self.pace.tell_seconds:
                told = now
                self.tell(f"{self.totals.sentence}; {self.crew.present} workers")
            self.manifest.flush_if_due()
        return self.totals

    def _batch(self) -> list[Item]:
        """The next pictures, for one worker; none when all are handed out."""
        if self._again:
            return [self._again.popleft()]
        batch, pixels = list[Item](), 0.0
        # The first ones are small, so that a small archive too is shared out, and sizes are soon learned.
        most = min(self.pace.batch_pixels, FIRST_PIXELS * 2.0 ** min(40, self._batches // self.crew.count))
        self._batches += 1
        while len(batch) < self.pace.batch_files:
            item, self._kept = self._kept or self._next(), None
            if item is None:
                break
            pixels += self._sizes.guess(item)
            if batch and pixels > most:
                self._kept = item
                break
            batch.append(item)
        return batch

    def _next(self) -> Item | None:
        """The next picture of the plan to be worked on; what needs no work is settled on the way."""
        for entry in self.plan:
            self.totals.listed += 1
            if isinstance(entry, Item):
                return entry
            self._settle(entry)
        return None

    def _take(self, returned: Returned) -> None:
        for done in returned.done:
            self.totals.bytes_read += done.item.size
            self._settle(done)
        for item in returned.items if returned.lost else ():
            deaths = item.deaths + (len(returned.items) == 1)
            if deaths >= self.pace.deaths:
                reason = f"{item.source}: {deaths} workers died of it ({returned.lost}); look at the file"
                self._settle(failed(replace(item, deaths=deaths), reason))
            else:
                self._again.append(replace(item, deaths=deaths))

    def _settle(self, done: Done) -> None:
        """Count a picture, once, and write it down."""
        self.totals.counts[done.outcome or FAILED] += 1
        if not done.outcome:
            self.manifest.fail(done.item.source, done.reason, done.item.deaths + 1)
            self.on_failure(done)
        elif done.row:
            self.totals.pixels += done.row["pixels"]
            self._sizes.learn(done.item, done.row["pixels"])
            self.manifest.add(done.row)


def go_through(
    order: Order,
    crew: Crew,
    *,
    overwrite: bool = False,
    pace: Pace | None = None,
    on_failure: Callable[[Done], None] = lambda done: None,
    tell: Callable[[str], None] = lambda text: None,
) -> Totals:
    """Restore or diagnose an archive.

    Args:
        order: what is to be done.
        crew: who does it.
        overwrite: replace results that exist.
        pace: how the work is cut.
        on_failure: told each picture, or folder, that fails.
        tell: told how it stands, now and then.

    Raises:
        UndegradeError: the output cannot be written or is no place for results, or no worker can be had.
    """
    pace = pace or Pace()
    (source, only), out = open_archive(order.source), open_store(order.out, writing=True)
    check_apart(source, out)
    manifest = Manifest(store=out, write_rows=pace.write_rows, write_seconds=pace.write_seconds)
    known = manifest.known()
    mark_ns = manifest.begin({"verb": order.verb, "source": order.source, "options": order.options})
    plan = Plan(order=order, source=source, out=out, only=only, known=known, mark_ns=mark_ns, overwrite=overwrite)
    work = Work(
        plan=plan.go_through(),
        crew=crew,
        manifest=manifest,
        pace=pace,
        on_failure=on_failure,
        tell=tell,
    )
    try:
        totals = work.carry_out()
    except BaseException:
        manifest.flush()  # what is done is done; the mark stays
        raise
    manifest.finish()
    return totals
