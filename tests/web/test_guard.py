"""What every request has to pass, without a service behind it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from undegrade.web.guard import Guard
from undegrade.web.settings import Settings

Message = dict[str, Any]


def ask(app: Any, settings: Settings, *, method: str = "GET", **headers: str) -> tuple[list[Message], list[Any]]:
    """What was sent, and what was counted."""
    sent: list[Message] = []
    counted: list[Any] = []
    given = {"host": "127.0.0.1", **headers}
    scope = {
        "type": "http",
        "method": method,
        "path": "/",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    asyncio.run(Guard(app, settings, lambda *what: counted.append(what))(scope, receive, send))
    return sent, counted


async def well(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "["}, 421),
        ({"host": "evil.example"}, 421),
        ({"host": "photos.example:80"}, 200),
        ({"origin": "http://["}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1"}, 200),
    ],
)
def test_names_and_origins(headers: dict[str, str], status: int) -> None:
    sent, _ = ask(well, Settings(hosts=("Photos.example",)), **headers)
    assert sent[0]["status"] == status


def test_methods_that_are_made_up_are_counted_as_one() -> None:
    _, counted = ask(well, Settings(), method="M12345")
    assert counted[0][0] == "other"


def test_what_fails_is_counted() -> None:
    counted: list[Any] = []

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("broken")

    guard = Guard(failing, Settings(), lambda *what: counted.append(what))
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"localhost")]}
    with pytest.raises(RuntimeError):
        asyncio.run(guard(scope, None, None))  # type: ignore[arg-type]
    assert counted[0][2] == 500


def test_who_does_not_fetch_the_answer_is_given_up() -> None:
    left = []

    async def stuck(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            await asyncio.sleep(60)
        finally:
            left.append(True)  # what was kept for the answer can go

    sent, counted = ask(stuck, Settings(fetch_seconds=0.05))
    assert left
    assert len(sent) == 1
    assert counted[0][2] == 200
