"""What every request has to pass: who asks, under which name, how much is sent, how long that takes."""

from __future__ import annotations

import hmac
import json
import time
from asyncio import get_running_loop, timeout
from collections.abc import Callable, Container
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from undegrade.web.settings import Settings

OPEN = ("/healthz",)  # paths that ask for no token
METHODS = ("GET", "POST", "DELETE", "HEAD", "OPTIONS")  # counted by name; whatever else is sent is "other"
Count = Callable[[str, str, int, float], None]  # (method, path as it is documented, status, seconds)


def stranger(headers: Headers, names: Container[str]) -> tuple[int, str] | None:
    """Status and line for a request that a page of another site sent, or that goes to another host's name.

    Args:
        headers: of the request.
        names: that the host goes by; none: any.
    """
    host = _parts(f"//{headers.get('host', '')}")[1]
    if names and host not in names:
        return 421, f"the service does not go by the name {host!r}; give it with --name when it is started"
    origin = headers.get("origin")
    if origin is not None and _parts(origin)[0] != headers.get("host"):
        return 403, "requests from pages of other sites are refused"
    return None


def _parts(address: str) -> tuple[str, str]:
    """Host and port, and the host alone; empty where the address is none."""
    try:
        parts = urlsplit(address)
        return parts.netloc, parts.hostname or ""
    except ValueError:
        return "", ""


class Guard:
    """Refuses strangers before anything of a request is read, and counts what is answered.

    A page of another site, opened in a browser beside the service, can send it requests: those carry an `Origin` of
    another host and are refused, as are those for host names that the service does not go by (DNS rebinding).

    Args:
        app: what is guarded.
        settings: of the service.
        count: told each request when it is answered.
    """

    def __init__(self, app: ASGIApp, settings: Settings, count: Count) -> None:
        self.app, self.settings, self.count = app, settings, count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or have the app answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.monotonic(), 500
        limit = timeout(None)

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                limit.reschedule(get_running_loop().time() + self.settings.fetch_seconds)
                message["headers"] = [*message["headers"], (b"x-content-type-options", b"nosniff")]
            await send(message)

        try:
            async with limit:
                refusal = self._refusal(scope, Headers(scope=scope))
                if refusal is None:
                    await self.app(scope, _bounded(receive, self.settings), watched)
                else:
                    await _refuse(watched, *refusal)
        except TimeoutError:
            if not limit.expired():  # else the answer was not fetched in time: the connection is closed
                raise
        finally:
            method = scope["method"] if scope["method"] in METHODS else "other"
            path = getattr(scope.get("route"), "path", "other")
            self.count(method, path, status, time.monotonic() - began)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        if refusal := stranger(headers, self.settings.names):
            return refusal
        if self.settings.token is not None and scope["path"] not in OPEN:
            scheme, _, given = headers.get("authorization", "").partition(" ")
            expected = self.settings.token.encode()
            if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), expected):
                return 401, "expected the header Authorization: Bearer TOKEN"
        declared = headers.get("content-length", "0")
        if not declared.isdigit() or int(declared) > self.settings.max_bytes:
            return 413, f"the request is larger than {self.settings.max_bytes} bytes"
        return None


def _bounded(receive: Receive, settings: Settings) -> Receive:
    """What is received, refused once it is too much or takes too long."""
    total, deadline = 0, time.monotonic() + settings.upload_seconds
    whole = False

    async def bounded() -> Message:
        nonlocal total, whole
        if whole:  # from now on this only waits for the other end to go away
            return await receive()
        try:
            async with timeout(max(0.001, deadline - time.monotonic())):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, f"the request took more than {settings.upload_seconds:g} s to arrive") from None
        total += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if total > settings.max_bytes:
            raise HTTPException(413, f"the request is larger than {settings.max_bytes} bytes")
        return message

    return bounded


async def _refuse(send: Send, status: int, error: str) -> None:
    body = json.dumps({"error": error}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
