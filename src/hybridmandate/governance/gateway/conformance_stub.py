"""The back end and the services of conformance cases: answers as a case says, notes each call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_DEFAULT = {"status": 200, "headers": {"Content-Type": "application/json"}, "body": '{"ok":true}'}

REFUSED = "x-conformance-refused"
"""The header of an answer that stands for none: the transport takes it as a refused connection."""


class StubBackend:
    """An ASGI application. ``calls`` are those of the back end, ``service_calls`` the others."""

    def __init__(
        self,
        answers: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None,
        services: Mapping[str, Any],
    ) -> None:
        self._answers = answers
        self._services = services
        self.calls: list[dict[str, Any]] = []
        self.service_calls: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        call = await _read(scope, receive)
        place = call["url"].split("?")[0]
        service = self._services.get(call["url"]) or self._services.get(place)
        if service is None:
            self.calls.append(call)
            answer = {**_DEFAULT, **_turn(self._answers, len(self.calls))}
        else:
            self.service_calls.append(call)
            turn = sum(each["url"].split("?")[0] == place for each in self.service_calls)
            answer = {**_DEFAULT, **_turn(service, turn)}
        if answer.get("delay_ms"):
            await asyncio.sleep(answer["delay_ms"] / 1000)
        if answer.get("refuse"):
            answer = {**answer, "headers": {REFUSED: "true"}}
        await _answer(answer, send)


def _turn(answers: Any, number: int) -> Mapping[str, Any]:
    """The answer to the call of that number; the last of a list stands for all that follow."""
    if answers is None:
        return {}
    found: Mapping[str, Any] = (
        answers[min(number, len(answers)) - 1] if isinstance(answers, list) else answers
    )
    return found


def body_text(body: Any) -> str:
    """A body or another value of a case: text as it stands, anything else as JSON."""
    return body if isinstance(body, str) else json.dumps(body)


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _read(scope: Any, receive: Any) -> dict[str, Any]:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    headers = [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
    ]
    url = next(value for name, value in headers if name == "x-conformance-url")
    parts = urlsplit(url)
    return {
        "method": scope["method"],
        "url": url,
        "path": parts.path,
        "query": dict(parse_qsl(parts.query, keep_blank_values=True)),
        "headers": [each for each in headers if each[0] != "x-conformance-url"],
        "body": body.decode("utf-8", "replace"),
    }


async def _answer(answer: Mapping[str, Any], send: Any) -> None:
    body = body_text(answer["body"]).encode()
    headers = [
        (name.encode(), str(each).encode())
        for name, value in answer["headers"].items()
        for each in (value if isinstance(value, list) else [value])
        if name.lower() != "content-length"
    ]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": answer["status"], "headers": headers})
    await send({"type": "http.response.body", "body": body})
