"""What a service takes on, and what it refuses."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from undegrade.errors import UndegradeError, check_at_least
from undegrade.inference.models import DEFAULT_MODEL

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def state_folder() -> Path:
    """Where a service keeps its jobs unless told: `$XDG_STATE_HOME/undegrade`, else `~/.local/state/undegrade`."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "undegrade"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of one service.

    Raises:
        ValueError: a field is out of range.
    """

    host: str = "127.0.0.1"
    port: int = 8642  # 0 takes a free one
    hosts: tuple[str, ...] = ()  # further names under which the service may be addressed
    models: tuple[str, ...] = (DEFAULT_MODEL,)  # each has a process of its own; the first is the default
    state: Path | None = None  # folder of jobs and uploads; None: `state_folder()`
    token: str | None = None  # asked of every request but those of health, where there is one
    queue: int = 32  # pictures that are worked on or wait; more are refused with 429
    jobs: int = 1000  # jobs that wait; more are refused with 429
    at_once: int = 24_000_000  # pixels; larger pictures become jobs
    max_bytes: int = 256 << 20  # of a picture file
    max_pixels: int = 200_000_000  # of a picture
    memory: int = 2 << 30  # bytes that a worker's tiles are chosen for; at half as much again it is refused more
    upload_seconds: float = 60.0  # in which a picture has to arrive
    header_seconds: float = 15.0  # in which the head of a request has to arrive
    work_seconds: float = 120.0  # for a picture; its worker is then replaced
    job_seconds: float = 3600.0  # for the picture of a job
    keep_seconds: float = 3600.0  # after which the result of a job is gone
    fetch_seconds: float = 600.0  # in which an answer has to be fetched
    grace_seconds: float = 30.0  # for requests at work when the service is asked to end

    def __post_init__(self) -> None:
        check_at_least(self, {"port": 0, "queue": 1, "jobs": 1, "at_once": 1, "max_bytes": 1, "max_pixels": 1})
        check_at_least(self, {"memory": 256 << 20, "upload_seconds": 0, "header_seconds": 0, "work_seconds": 0})
        check_at_least(self, {"job_seconds": 0, "keep_seconds": 1, "fetch_seconds": 0, "grace_seconds": 0})
        if not self.models or len(set(self.models)) != len(self.models):
            raise ValueError(f"Settings.models is {self.models}; expected at least one, each once")
        if self.token is not None and (len(self.token) < 16 or not self.token.isascii() or " " in self.token):
            raise ValueError("Settings.token: expected at least 16 ASCII characters without spaces")

    @property
    def folder(self) -> Path:
        """The folder of jobs and uploads."""
        return self.state or state_folder()

    @property
    def names(self) -> frozenset[str]:
        """The host names under which the service answers; none: under any, where it is open to a network."""
        if self.host not in LOOPBACK and not self.hosts:
            return frozenset()
        return frozenset(name.lower() for name in (*LOOPBACK, self.host, *self.hosts))


def read_token(path: Path) -> str:
    """The token in a file, without the spaces around it.

    Raises:
        UndegradeError: there is no such file, or it is empty.
    """
    try:
        token = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UndegradeError(f"{path}: the token cannot be read ({error}); expected a text file with it") from None
    if not token:
        raise UndegradeError(f"{path}: is empty; expected a token of at least 16 characters")
    return token
