"""A client of `undegrade serve`; it needs nothing but the base install."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from undegrade.diagnosis import listed
from undegrade.errors import UndegradeError

BUSY = 429
LONGEST_WAIT = 30.0  # seconds between two tries


@dataclass(frozen=True, kw_only=True)
class Restored:
    """A picture that the service has worked on.

    Args:
        picture: the file's bytes.
        media_type: such as "image/jpeg".
        report: what was found and done.
    """

    picture: bytes
    media_type: str
    report: dict[str, Any]


class Client:
    """Sends pictures to a service.

    >>> Client("ftp://127.0.0.1")
    Traceback (most recent call last):
    undegrade.errors.UndegradeError: ftp://127.0.0.1: expected an address such as http://127.0.0.1:8642

    Args:
        url: of the service.
        token: that it asks for; None where it asks for none.
        patience: seconds to go on asking a service that is busy, and to wait for one answer.

    Raises:
        UndegradeError: the address is none.
    """

    def __init__(self, url: str = "http://127.0.0.1:8642", *, token: str | None = None, patience: float = 300) -> None:
        if not url.startswith(("http://", "https://")):
            raise UndegradeError(f"{url}: expected an address such as http://127.0.0.1:8642")
        self.url, self.token, self.patience = url.rstrip("/"), token, patience

    def restore(
        self,
        picture: bytes | str | Path,
        *,
        model: str | None = None,
        strength: float = 1.0,
        only: str | Sequence[str] = (),
        skip: str | Sequence[str] = (),
        force: bool = False,
        local: bool = False,
        form: str | None = None,
        quality: int | None = None,
        strip: bool = False,
        record: bool = False,
    ) -> Restored:
        """The picture repaired; one that the service makes a job of is waited for.

        Args:
            picture: a file's bytes, or its path; the options are those of `undegrade restore`.

        Raises:
            UndegradeError: the service cannot be reached, or says why not.
        """
        query = {
            "model": model,
            "strength": strength,
            "only": ",".join(listed(only)),
            "skip": ",".join(listed(skip)),
            "force": force,
            "local": local,
            "format": form,
            "quality": quality,
            "strip": strip,
            "record": record,
        }
        return self._picture(self._post("/v1/restore", picture, query))

    def diagnose(self, picture: bytes | str | Path, *, model: str | None = None) -> dict[str, Any]:
        """What is wrong with the picture; arguments and errors as for `restore`."""
        found: dict[str, Any] = json.loads(self._post("/v1/diagnose", picture, {"model": model}).body)
        return found

    def degrade(self, picture: bytes | str | Path, *specs: str, seed: int = 0, form: str | None = None) -> Restored:
        """The picture spoiled, as by `undegrade.degrade`; errors as for `restore`."""
        return self._picture(self._post("/v1/degrade", picture, {"as": specs, "seed": seed, "format": form}))

    def submit(
        self,
        picture: bytes | str | Path,
        *,
        model: str | None = None,
        strength: float = 1.0,
        only: str | Sequence[str] = (),
        skip: str | Sequence[str] = (),
        force: bool = False,
        form: str | None = None,
    ) -> str:
        """The id of a new job that restores the picture; arguments and errors as for `restore`."""
        query = {
            "model": model,
            "strength": strength,
            "only": ",".join(listed(only)),
            "skip": ",".join(listed(skip)),
            "force": force,
            "format": form,
            "wait": False,
        }
        return str(json.loads(self._post("/v1/restore", picture, query).body)["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        """How a job stands; errors as for `restore`."""
        found: dict[str, Any] = json.loads(self._ask("GET", f"/v1/jobs/{job_id}").body)
        return found

    def result(self, job_id: str) -> Restored:
        """The picture of a job, which is waited for; errors as for `restore`."""
        return self._picture(self._ask("GET", f"/v1/jobs/{job_id}/result"), f"/v1/jobs/{job_id}/result")

    def models(self) -> list[dict[str, Any]]:
        """The service's models; errors as for `restore`."""
        found: list[dict[str, Any]] = json.loads(self._ask("GET", "/v1/models").body)["models"]
        return found

    def _post(self, path: str, picture: bytes | str | Path, query: dict[str, Any]) -> _Answer:
        given = {name: _text(value) for name, value in query.items() if value not in (None, "")}
        body = picture if isinstance(picture, bytes) else _read(Path(picture))
        return self._ask("POST", f"{path}?{urlencode(given, doseq=True)}", body)

    def _picture(self, answer: _Answer, where: str = "") -> Restored:
        deadline = time.monotonic() + self.patience
        while answer.status == 202:
            where = where or json.loads(answer.body)["result"]
            if time.monotonic() > deadline:
                raise UndegradeError(f"{self.url}{where}: not done after {self.patience:g} s; ask again later")
            time.sleep(0.2)
            answer = self._ask("GET", where)
        report = json.loads(answer.headers.get("undegrade-report", "{}"))
        return Restored(picture=answer.body, media_type=answer.headers.get("content-type", ""), report=report)

    def _ask(self, method: str, path: str, body: bytes | None = None) -> _Answer:
        """The answer to one request, asked again while the service is busy."""
        headers = {"Content-Type": "application/octet-stream"} if body is not None else {}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        request = Request(self.url + path, body, headers, method=method)
        deadline = time.monotonic() + self.patience
        while True:
            try:
                with urlopen(request, timeout=self.patience) as response:
                    headers = {name.lower(): value for name, value in response.headers.items()}
                    return _Answer(status=response.status, headers=headers, body=response.read())
            except HTTPError as error:
                with error:
                    wait = min(LONGEST_WAIT, _seconds(error.headers.get("Retry-After")))
                    if error.code != BUSY or time.monotonic() + wait > deadline:
                        raise UndegradeError(f"{self.url}: {_said(error)}") from None
            except (URLError, OSError, HTTPException) as error:
                reason = getattr(error, "reason", error)
                raise UndegradeError(f"{self.url}: cannot be reached ({reason}); is undegrade serve running?") from None
            time.sleep(wait)


@dataclass(frozen=True, kw_only=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UndegradeError(f"{path}: cannot be read ({error.strerror})") from None


def _seconds(text: str | None) -> float:
    """What Retry-After says; 1 where it is a date, or nothing."""
    return float(text) if text and text.isdecimal() else 1.0


def _text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _said(error: HTTPError) -> str:
    try:
        return str(json.loads(error.read())["error"])
    except (ValueError, KeyError, TypeError):
        return f"{error.code} {error.reason}"
