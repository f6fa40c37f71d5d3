"""Folders and object stores, through pyarrow's file systems; HTTP, which is only read, through fsspec's."""

from __future__ import annotations

import hashlib
import os
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from pyarrow import fs

from undegrade.errors import UndegradeError

CHUNK = 16 << 20  # bytes: an object store is asked once for each
TRIES = 4  # of what may succeed the next time
PAUSE = 0.5  # seconds before the second try; twice as long before each further one
CONNECT, REQUEST = 10.0, 60.0  # seconds that an object store may take
SCHEMES = ("s3", "gs", "http", "https", "file")
OWN = "_undegrade"  # folder of the manifest, below the results; passed by where an archive has one
PARTS = f"{OWN}/parts"  # files until they are whole, where a file could be seen half written

T = TypeVar("T")

# By what the stores call it: what it means, what to do, and whether it may be gone the next time.
REASONS = (
    (
        r"NO_SUCH_BUCKET|NoSuchBucket|specified bucket does not exist",
        "no such bucket; create it, or check the name",
        False,
    ),
    (
        r"INVALID_ACCESS_KEY_ID|InvalidAccessKeyId|SIGNATURE_DOES_NOT_MATCH|SignatureDoesNotMatch|INVALID_CLIENT_TOKEN_ID"
        r"|InvalidToken|EXPIRED_TOKEN|ExpiredToken|UNRECOGNIZED_CLIENT",
        "wrong credentials; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile",
        False,
    ),
    (r"ACCESS_DENIED|AccessDenied|[Pp]ermission denied|\b403\b", "permission denied; ask for the right to it", False),
    (r"NO_SUCH_KEY|NoSuchKey|No such file|Path does not exist|RESOURCE_NOT_FOUND|\b404\b", "not there", False),
    (r"No space left|InsufficientStorage", "the disk is full", False),
    (
        r"NETWORK_CONNECTION|curlCode|Cannot connect|[Cc]onnection refused|timed? ?out|Timeout|REQUEST_TIMEOUT",
        "cannot be reached; check the address (AWS_ENDPOINT_URL) and the network",
        True,
    ),
)


class StoreError(UndegradeError):
    """What a store answered, in one line."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file or folder of a store.

    Args:
        path: below the root.
        folder: whether it is one.
        size: bytes; 0 where the store does not say.
        modified_ns: when it was written, nanoseconds since 1970; 0 where the store does not say.
    """

    path: str
    folder: bool
    size: int = 0
    modified_ns: int = 0

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True, eq=False)
class Store:
    """Everything below one URL or folder.

    Args:
        url: as given, without a slash at the end.
        files: the file system.
        root: where it lies there.
        whole: whether a file appears when it is closed, as in object stores; else it is written elsewhere and moved.
    """

    url: str
    files: fs.FileSystem
    root: str
    whole: bool

    def name(self, path: str) -> str:
        """What a file is called in messages."""
        return f"{self.url}/{path}".rstrip("/")

    def list(self, path: str = "") -> list[Entry]:
        """What lies directly in a folder, sorted by name; nothing where there is no such folder below the root.

        Raises:
            StoreError: it cannot be listed.
        """
        selector = fs.FileSelector(self._at(path), recursive=False, allow_not_found=bool(path))
        found = self._tried(lambda: self.files.get_file_info(selector), path)
        inside = len(self.root) + 1 if self.root else 0
        entries = [
            Entry(
                path=info.path.rstrip("/")[inside:],
                folder=info.type == fs.FileType.Directory,
                size=info.size or 0,
                modified_ns=info.mtime_ns or 0,
            )
            for info in found
            if len(info.path.rstrip("/")) > inside
        ]
        return sorted(entries, key=lambda entry: entry.path)

    def find(self, path: str = "") -> Entry | None:
        """The file or folder of that path; None where there is none.

        Raises:
            StoreError: the store does not say.
        """
        info = self._tried(lambda: self.files.get_file_info(self._at(path)), path)
        if info.type == fs.FileType.NotFound:
            return None
        folder = info.type == fs.FileType.Directory
        return Entry(path=path, folder=folder, size=info.size or 0, modified_ns=info.mtime_ns or 0)

    def fetch(self, path: str, target: Path) -> str:
        """Copy a file into one of this machine; returns the SHA-256 of its content.

        Raises:
            StoreError: it cannot be read.
        """

        def copy() -> str:
            digest = hashlib.sha256()
            with self.files.open_input_stream(self._at(path)) as stream, target.open("wb") as file:
                while block := stream.read(CHUNK):
                    digest.update(block)
                    file.write(block)
            return digest.hexdigest()

        return self._tried(copy, path)

    def put(self, source: Path, path: str) -> None:
        """Copy a file of this machine to that path, which then has it whole.

        Raises:
            StoreError: it cannot be written.
        """

        def copy(at: str) -> None:
            with self.files.open_output_stream(at) as stream, source.open("rb") as file:
                while block := file.read(CHUNK):
                    stream.write(block)

        self._tried(lambda: self._whole(self._at(path), copy), path)

    def write(self, content: bytes, path: str) -> None:
        """`put` for what is in memory."""

        def copy(at: str) -> None:
            with self.files.open_output_stream(at) as stream:
                stream.write(content)

        self._tried(lambda: self._whole(self._at(path), copy), path)

    def read(self, path: str) -> bytes:
        """The content of a file.

        Raises:
            StoreError: it cannot be read.
        """

        def take() -> bytes:
            with self.files.open_input_stream(self._at(path)) as stream:
                return bytes(stream.read())

        return self._tried(take, path)

    def remove(self, path: str) -> None:
        """Delete a file.

        Raises:
            StoreError: it cannot be deleted.
        """
        self._tried(lambda: self.files.delete_file(self._at(path)), path)

    def clear(self) -> None:
        """Delete what killed writers left unfinished.

        Raises:
            StoreError: it cannot be deleted.
        """
        if not self.whole and self.find(PARTS) is not None:
            self._tried(lambda: self.files.delete_dir(self._at(PARTS)), PARTS)

    def _at(self, path: str) -> str:
        return "/".join(part for part in (self.root, path) if part) if self.root != "/" else f"/{path}"

    def _whole(self, at: str, write: Callable[[str], None]) -> None:
        """Writes to that place at once, or elsewhere first where a file could be seen half written."""
        if self.whole:
            write(at)
            return
        folder = at.rpartition("/")[0]
        if not Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(self.root)):
            raise StoreError(f"{at}: a link leads out of {self.url}; delete it, or choose another output")
        parts = self._at(PARTS)
        for needed in (folder, parts):
            self.files.create_dir(needed, recursive=True)
        partial = f"{parts}/{uuid.uuid4().hex}"
        try:
            write(partial)
            self.files.move(partial, at)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise

    def _tried(self, work: Callable[[], T], path: str) -> T:
        """What `work` returns, at the latest try; errors of which another try could not make better are not tried."""
        for number in range(1, TRIES + 1):
            try:
                return work()
            except StoreError:
                raise
            except FileNotFoundError:
                raise StoreError(f"{self.name(path)}: not there; check the name") from None
            except (OSError, ValueError) as error:
                said, again = reason(error)
                if not again or number == TRIES:
                    raise StoreError(f"{self.name(path)}: {said}") from None
                time.sleep(PAUSE * 2 ** (number - 1))
            except Exception as error:  # fsspec's HTTP raises what its client raises
                raise StoreError(f"{self.name(path)}: {reason(error)[0]}") from None
        raise AssertionError("the last try returns or raises")


def reason(error: Exception) -> tuple[str, bool]:
    """What a store's error means, in one line, and whether it may be gone the next time.

    >>> reason(OSError("When listing objects: AWS Error NO_SUCH_BUCKET during ListObjectsV2 operation"))
    ('no such bucket; create it, or check the name', False)
    """
    text = " ".join(str(error).split())
    for pattern, said, again in REASONS:
        if re.search(pattern, text):
            return said, again
    return f"{type(error).__name__}: {text}"[:300], True


def open_store(url: str, *, writing: bool = False) -> Store:
    """The store behind a URL (s3://bucket/prefix, gs://..., http://..., file://...) or the path of a folder.

    S3 takes credentials as all programs of its kind do (environment, profile, the machine's role), and another server
    than Amazon's from AWS_ENDPOINT_URL.

    Raises:
        UndegradeError: a scheme that is not known, or one that is only read.
    """
    parts = urlsplit(url)
    if "://" not in url:
        folder = os.path.abspath(url)  # noqa: PTH100  links stay
        return Store(url=url.rstrip("/") or "/", files=fs.LocalFileSystem(), root=folder, whole=False)
    if parts.scheme not in SCHEMES:
        raise UndegradeError(f"{url}: unknown kind of place; expected a folder, or {'://, '.join(SCHEMES)}://")
    root, clean = f"{parts.netloc}{parts.path}".rstrip("/"), url.rstrip("/")
    if parts.scheme == "file":
        return Store(url=clean, files=fs.LocalFileSystem(), root=parts.path.rstrip("/") or "/", whole=False)
    if parts.scheme.startswith("http"):
        if writing:
            raise UndegradeError(f"{url}: HTTP is only read; choose a folder, s3:// or gs:// for what is written")
        return Store(url=clean, files=_http(parts.scheme), root=clean, whole=True)
    if not parts.netloc:
        raise UndegradeError(f"{url}: names no bucket; expected {parts.scheme}://BUCKET/PREFIX")
    files = _s3(parts.netloc, url) if parts.scheme == "s3" else fs.GcsFileSystem()
    return Store(url=clean, files=files, root=root, whole=True)


def _s3(bucket: str, url: str) -> fs.FileSystem:
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region and not endpoint:
        try:
            region = fs.resolve_s3_region(bucket)
        except OSError as error:
            raise StoreError(f"{url}: {reason(error)[0]}") from None
    server = urlsplit(endpoint)
    return fs.S3FileSystem(
        region=region or "us-east-1",
        scheme=server.scheme or "https",
        endpoint_override=server.netloc or None,
        connect_timeout=CONNECT,
        request_timeout=REQUEST,
        allow_delayed_open=True,  # one request for a small file, not three
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=3),
    )


def _http(scheme: str) -> fs.FileSystem:
    from undegrade.inference.extras import needs_ray

    with needs_ray("reading over HTTP"):
        import fsspec

        return fs.PyFileSystem(fs.FSSpecHandler(fsspec.filesystem(scheme, timeout=REQUEST)))
