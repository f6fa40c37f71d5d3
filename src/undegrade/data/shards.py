"""Shards: tar files in the WebDataset convention, read at random through an index of where each member lies.

A sample's members follow one another and share the name up to the first dot: `00000012.degraded.jpg`,
`00000012.clean.png` and `00000012.json`. The pictures are the original files' bytes.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from undegrade.atomic import folder_written_whole, written_whole
from undegrade.data.decoding import PixelCache, Pixels, check_sizes
from undegrade.data.pairs import Found, Pair
from undegrade.errors import UndegradeError
from undegrade.images import SUFFIXES, decode_8bit

INDEX = "shards.json"  # beside the tar files
FORMAT = "undegrade shards 1"
MB = 1_000_000  # bytes
BLOCK = tarfile.BLOCKSIZE  # of a header; contents fill whole blocks
END = 2 * BLOCK  # zeros at the end of a tar file


def write_shards(
    found: Found, target: Path, *, size_mb: float = 500, advance: Callable[[float], None] = lambda done: None
) -> int:
    """Copy the pictures of a set into tar files; a clean picture that serves several pairs is copied for each.

    Args:
        found: the set.
        target: the folder of the shards, which must not exist; it appears whole or not at all.
        size_mb: largest size of a shard, MB (10**6 bytes), unless one sample alone is larger.
        advance: told how many samples are done.

    Returns:
        How many shards were written.

    Raises:
        UndegradeError: a picture cannot be read, or the shards cannot be written.
    """
    number, shard = 0, None
    with folder_written_whole(target) as partial:
        try:
            for done, pair in enumerate(found.pairs):
                members = _members(found, pair)
                size = sum(BLOCK + _padded(len(content), BLOCK) for _, content in members)
                if shard is None or _padded(shard.offset + size + END, tarfile.RECORDSIZE) > size_mb * MB:
                    if shard is not None:
                        shard.close()
                    shard = tarfile.open(partial / f"{number:06d}.tar", "w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
                    number += 1
                for ending, content in members:
                    member = tarfile.TarInfo(f"{done:08d}.{ending}")  # without time or owner: the same set, same bytes
                    member.size = len(content)
                    shard.addfile(member, io.BytesIO(content))
                advance(done + 1)
        finally:
            if shard is not None:
                shard.close()
        _store(partial, _scan(partial))
    return number


def _padded(size: int, unit: int) -> int:
    """The size rounded up to whole units, bytes."""
    return -(-size // unit) * unit


def _members(found: Found, pair: Pair) -> list[tuple[str, bytes]]:
    """The endings and contents of one sample's members."""
    facts = {"label": pair.label, "clean": pair.clean}
    pictures = [("clean", pair.clean)]
    if found.paired:
        facts["degraded"] = pair.degraded
        pictures.insert(0, ("degraded", pair.degraded))
    members = [(f"{role}{PurePosixPath(name).suffix.lower()}", _read(found.root / name)) for role, name in pictures]
    return [*members, ("json", json.dumps(facts).encode())]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UndegradeError(f"{path}: cannot be read ({error.strerror}); check the disk") from None


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One sample: where its members lie."""

    shard: str  # name of the tar file
    pair: Pair
    degraded: tuple[int, int]  # offset and size in it, bytes; that of the clean picture where there is no other
    clean: tuple[int, int]


def is_sharded(folder: Path) -> bool:
    """Whether the folder holds shards; a tar file beside pictures or folders is only where these came from."""
    if (folder / INDEX).is_file() or not any(folder.glob("*.tar")):
        return (folder / INDEX).is_file()
    return not any(path.suffix.lower() in SUFFIXES or path.is_dir() for path in folder.iterdir())


class Shards:
    """The samples of a folder of shards, any of them at any time.

    The index is made once and stored beside the shards; where it cannot be stored, it is made each time.

    Args:
        folder: of tar files, written by `write_shards` or by others in the same convention.
        cache: for decoded pictures.

    Raises:
        UndegradeError: a shard is damaged, or a sample lacks its clean picture.
    """

    def __init__(self, folder: Path, cache: PixelCache) -> None:
        self.root, self._cache = folder, cache
        samples = _stored(folder)
        if samples is None:
            samples = _scan(folder)
            with suppress(UndegradeError):  # the folder may be there for reading only
                _store(folder, samples)
        if not samples:
            raise UndegradeError(f"{folder}: no samples in its tar files; expected NAME.clean.png and the like")
        self._samples = samples
        self.pairs = tuple(sample.pair for sample in samples)
        self.paired = any(sample.degraded != sample.clean for sample in samples)

    def load(self, index: int) -> tuple[Pixels, Pixels]:
        """The degraded and the clean picture of a pair, (3, H, W) each, RGB, 0 to 255.

        Raises:
            UndegradeError: a picture cannot be decoded, or the two differ in size.
        """
        sample = self._samples[index]
        clean = self._decode(sample.shard, sample.clean)
        if sample.degraded == sample.clean:
            return clean, clean
        degraded = self._decode(sample.shard, sample.degraded)
        names = (f"{self.root / sample.shard}: {name}" for name in (sample.pair.degraded, sample.pair.clean))
        check_sizes((next(names), degraded.shape[1:]), (next(names), clean.shape[1:]))
        return degraded, clean

    def _decode(self, shard: str, place: tuple[int, int]) -> Pixels:
        path, (offset, size) = self.root / shard, place

        def read() -> Pixels:
            with path.open("rb") as file:
                file.seek(offset)
                return decode_8bit(file.read(size), f"{path} at byte {offset}")

        return self._cache.get((path, offset), read)


def _shard_sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in sorted(folder.glob("*.tar"))}


def _scan(folder: Path) -> list[Sample]:
    """The samples of all shards, by the headers of their members."""
    samples = []
    for shard, size in _shard_sizes(folder).items():
        try:
            _check_end(folder / shard, size)
            with closing(tarfile.open(folder / shard, "r:")) as file:
                samples += [_sample(folder / shard, key, members) for key, members in _grouped(file)]
        except (tarfile.TarError, OSError, ValueError) as error:
            what = " ".join(str(error).split()) or type(error).__name__
            raise UndegradeError(f"{folder / shard}: damaged or cut short ({what}); copy it again") from None
    return samples


def _check_end(path: Path, size: int) -> None:
    """Refuse a tar file without its end, which `tarfile` takes for a shorter one."""
    with path.open("rb") as file:
        file.seek(max(0, size - END))
        if any(file.read()):
            raise tarfile.ReadError("its end is missing")


Member = tuple[str, int, int, dict[str, Any]]  # ending, offset, size; of a .json also its content


def _grouped(file: tarfile.TarFile) -> Iterator[tuple[str, list[Member]]]:
    """The members of each sample: those that follow one another with one name up to the first dot of the file's."""
    key, members = "", list[Member]()
    for member in file:
        folder, slash, name = member.name.rpartition("/")
        stem, _, ending = name.partition(".")
        if not member.isfile():
            continue
        if members and folder + slash + stem != key:
            yield key, members
            members = []
        key = folder + slash + stem
        content = json.load(file.extractfile(member)) if ending.lower() == "json" else {}  # type: ignore[arg-type]
        members.append((ending.lower(), member.offset_data, member.size, content))
    if members:
        yield key, members


def _sample(shard: Path, key: str, members: list[Member]) -> Sample:
    places: dict[str, tuple[str, int, int]] = {}
    facts: dict[str, Any] = {}
    for ending, offset, size, content in members:
        role, dot, suffix = ending.rpartition(".")
        facts.update(content if isinstance(content, dict) else {})
        if role in ("degraded", "clean") and dot + suffix in SUFFIXES:
            places[role] = f"{key}.{ending}", offset, size
    if "clean" not in places:
        raise UndegradeError(f"{shard}: the sample {key!r} has no clean picture; expected {key}.clean.png or the like")
    clean, degraded = places["clean"], places.get("degraded", places["clean"])
    label = facts.get("label")
    pair = Pair(
        degraded=str(facts.get("degraded", facts.get("clean", degraded[0]) if degraded == clean else degraded[0])),
        clean=str(facts.get("clean", clean[0])),
        label=None if label is None else str(label),
    )
    return Sample(shard=shard.name, pair=pair, degraded=degraded[1:], clean=clean[1:])


def _store(folder: Path, samples: list[Sample]) -> None:
    rows = [[s.shard, s.pair.degraded, s.pair.clean, s.pair.label, s.degraded, s.clean] for s in samples]
    index = {"format": FORMAT, "sizes": _shard_sizes(folder), "samples": rows}
    with written_whole(folder / INDEX) as partial:
        partial.write_text(json.dumps(index) + "\n")


def _stored(folder: Path) -> list[Sample] | None:
    """The index, if it is there and of these shards."""
    try:
        index = json.loads((folder / INDEX).read_text())
        if index["format"] != FORMAT or index["sizes"] != _shard_sizes(folder):
            return None
        return [
            Sample(
                shard=shard,
                pair=Pair(degraded=degraded, clean=clean, label=label),
                degraded=(degraded_at[0], degraded_at[1]),
                clean=(clean_at[0], clean_at[1]),
            )
            for shard, degraded, clean, label, degraded_at, clean_at in index["samples"]
        ]
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None
