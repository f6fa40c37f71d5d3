"""The service as a whole: put together, and run until it is asked to end."""

from __future__ import annotations

import errno
import socket
import sqlite3
from asyncio import TimerHandle
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from functools import partial

import h11
import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from undegrade import __version__
from undegrade.errors import UndegradeError
from undegrade.web.desk import Desk
from undegrade.web.guard import Guard
from undegrade.web.routes import router
from undegrade.web.settings import Settings
from undegrade.web.workers import Busy

ABOUT = "Names what is wrong with pictures and repairs it, on this machine."


def make_app(desk: Desk) -> ASGIApp:
    """The service as an ASGI application; the desk is opened and closed with it."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        await desk.open()
        yield
        await desk.close()

    app = FastAPI(
        title="undegrade", version=__version__, description=ABOUT, docs_url=None, redoc_url=None, lifespan=life
    )
    app.state.desk = desk
    app.include_router(router)
    app.exception_handler(HTTPException)(_refused)
    app.exception_handler(RequestValidationError)(_misunderstood)
    app.exception_handler(Busy)(_busy)
    for kind in (OSError, sqlite3.Error):
        app.exception_handler(kind)(_full)
    app.exception_handler(Exception)(_failed)
    return Guard(app, desk.settings, desk.gauges.count)


async def _refused(request: Request, error: HTTPException) -> JSONResponse:
    return JSONResponse({"error": str(error.detail)}, error.status_code, headers=error.headers)


async def _misunderstood(request: Request, error: RequestValidationError) -> JSONResponse:
    said = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors())
    return JSONResponse({"error": said}, 422)


async def _busy(request: Request, error: Busy) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 429, headers={"Retry-After": str(error.seconds)})


async def _full(request: Request, error: Exception) -> JSONResponse:
    written = isinstance(error, sqlite3.Error) and error.sqlite_errorcode != sqlite3.SQLITE_FULL
    if written or (isinstance(error, OSError) and error.errno not in (errno.ENOSPC, errno.EDQUOT)):
        raise error
    return JSONResponse({"error": "the service's disk is full; try again later"}, 507)


async def _failed(request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": f"internal error ({type(error).__name__}); the service's log has more"}, 500)


class PatientFor(H11Protocol):
    """HTTP/1.1 that hangs up on those who do not send the head of a request in time (slow loris).

    The time runs from the connection, or from the first byte after an answer, and no further byte prolongs it.
    """

    header_seconds, upload_seconds = 15.0, 60.0
    _timer: TimerHandle | None = None

    def connection_made(self, transport) -> None:  # type: ignore[no-untyped-def]
        """Begin to wait."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(self.header_seconds, self._hang_up)

    def data_received(self, data: bytes) -> None:
        """Wait no longer once a request has begun, or for the head of the next one."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._wait_no_longer()
        elif self._timer is None:  # the rest of a picture that was refused may be longer than a head
            is_body = self.conn.their_state is h11.SEND_BODY
            self._timer = self.loop.call_later(self.upload_seconds if is_body else self.header_seconds, self._hang_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is waited for."""
        self._wait_no_longer()
        super().connection_lost(exc)

    def _wait_no_longer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hang_up(self) -> None:
        self._timer = None
        if (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing():
            self.transport.close()


def serve(settings: Settings, on_ready: Callable[[str], None]) -> None:
    """Answer requests until SIGTERM or SIGINT.

    What is at work then is finished, for so long as the settings say; jobs are kept.

    Args:
        settings: of the service.
        on_ready: told the address once requests are answered.

    Raises:
        UndegradeError: a model cannot be loaded, or the address or the folder cannot be had.
    """
    with _listen(settings) as listening:
        desk = Desk(settings)
        desk.load()
        host, port = listening.getsockname()[:2]
        seconds = {"header_seconds": settings.header_seconds, "upload_seconds": settings.upload_seconds}
        config = uvicorn.Config(
            make_app(desk),
            http=type("Protocol", (PatientFor,), seconds),
            ws="none",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=max(1, round(settings.grace_seconds)),
        )
        server = Announced(config, partial(on_ready, f"http://{f'[{host}]' if ':' in host else host}:{port}"))
        server.run(sockets=[listening])


class Announced(uvicorn.Server):
    """A server that says when it is ready."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()


def _listen(settings: Settings) -> socket.socket:
    """A socket that is bound to the settings' address."""
    with ExitStack() as stack:
        try:
            family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
            listening = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((settings.host, settings.port))
        except OSError as error:
            raise UndegradeError(
                f"--host {settings.host} --port {settings.port}: cannot be listened on ({error}); choose another port"
            ) from None
        stack.pop_all()
        return listening
