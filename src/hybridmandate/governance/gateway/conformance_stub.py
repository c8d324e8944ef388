"""The back end and the services of conformance cases: answers as a case says, notes each call."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_DEFAULT = {"status": 200, "headers": {"Content-Type": "application/json"}, "body": '{"ok":true}'}


class StubBackend:
    """An ASGI application. ``calls`` are those of the back end, ``service_calls`` the others."""

    def __init__(
        self,
        answers: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None,
        services: Mapping[str, Mapping[str, Any]],
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
        service = self._services.get(call["url"].split("?")[0])
        if service is not None:
            self.service_calls.append(call)
            await _answer({**_DEFAULT, **service}, send)
            return
        self.calls.append(call)
        answer = {**_DEFAULT, **self._next()}
        if answer.get("delay_ms"):
            await asyncio.sleep(answer["delay_ms"] / 1000)
        if answer.get("refuse"):
            raise ConnectionResetError("the case wants no answer")
        await _answer(answer, send)

    def _next(self) -> Mapping[str, Any]:
        if self._answers is None:
            return {}
        if isinstance(self._answers, Mapping):
            return self._answers
        return self._answers[min(len(self.calls), len(self._answers)) - 1]


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
    body = answer["body"].encode()
    headers = [(n.lower().encode(), str(v).encode()) for n, v in answer["headers"].items()]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": answer["status"], "headers": headers})
    await send({"type": "http.response.body", "body": body})
