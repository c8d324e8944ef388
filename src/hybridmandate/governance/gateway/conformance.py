"""Behavioural cases of the policy engine, run through the real server.

Format: ``tests/conformance/gateway_policies.README.md``. Each case gets its own gateway behind
uvicorn on a free port, and a stub back end behind another; requests go over HTTP. Only the clock is
ours, so that windows can pass without waiting.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, RSAKey
from yarl import URL

from hybridmandate.evidence.record import Record
from hybridmandate.governance.gateway.conformance_expectations import (
    differences,
    differences_of_many,
)
from hybridmandate.governance.gateway.conformance_fixture import configuration_of
from hybridmandate.governance.gateway.conformance_stub import REFUSED, StubBackend, body_text
from hybridmandate.governance.gateway.door import HeadLimits, door_protocol
from hybridmandate.governance.gateway.http_pool import HttpPool
from hybridmandate.governance.gateway.server import create_app
from hybridmandate.governance.gateway.settings import GatewaySettings
from hybridmandate.governance.gateway.transport import (
    Incoming,
    Outgoing,
    TransportFailure,
)

_WEEK = 7 * 86400
_A_MONDAY = 4 * 86400
"""The first one after the epoch, which was a Thursday."""
_CLIENT_HEADER = "x-conformance-client"
_SENT_AS_IT_STANDS = "%/?#[]@!$&'()*+,;=:~"
"""Of a case's path only what no URL may hold is encoded, as spaces and letters beyond ASCII."""
Result = tuple[str, bool, str]


def run_cases(path: Path) -> list[Result]:
    """Run every case of a JSON-lines file: (name, passed, why not)."""
    cases = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    return asyncio.run(run_all(cases))


async def run_all(cases: list[Mapping[str, Any]], *, at_once: int = 16) -> list[Result]:
    """Run cases side by side, each with servers and a clock of its own; results in their order."""
    room = asyncio.Semaphore(at_once)

    async def result(case: Mapping[str, Any]) -> Result:
        async with room:
            try:
                why = await _run(case)
            except Exception as error:
                why = f"{type(error).__name__}: {error}"
            return str(case["name"]), not why, why

    return list(await asyncio.gather(*(result(case) for case in cases)))


class _Clock:
    """Time that begins with the current week (Monday, 00:00 UTC) plus what a case advances.

    Fixed windows of quotas begin at hours, days and weeks, so they begin with the case: whether
    its calls fall into one does not depend on the time of day.
    """

    def __init__(self) -> None:
        self.ahead = -((time.time() - _A_MONDAY) % _WEEK)

    def __call__(self) -> float:
        return time.time() + self.ahead


class _ToStub:
    """Sends every request to the stub and tells it the address that was meant."""

    def __init__(self, stub_url: str) -> None:
        self._stub_url = stub_url
        self._http = HttpPool()

    async def send(self, outgoing: Outgoing) -> Incoming:
        parts = URL(outgoing.url, encoded=True)
        meant = ("x-conformance-url", outgoing.url)
        url = self._stub_url + (parts.raw_path_qs or "/")
        incoming = await self._http.send(
            replace(outgoing, url=url, headers=[*outgoing.headers, meant])
        )
        if any(name.lower() == REFUSED for name, _ in incoming.headers):
            incoming.close()
            raise TransportFailure("the connection was refused")
        return incoming

    async def close(self) -> None:
        await self._http.close()


class _Token:
    def __init__(self, text: str) -> None:
        self._text = text

    async def token(self, resource: str) -> str:
        return self._text


class _Nowhere:
    def record(self, record: Record) -> None:
        """Evidence is not what these cases are about."""


class PromptServer(uvicorn.Server):
    """uvicorn looks every 0.1 s whether it should end; this one is woken."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ended = asyncio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self._ended.wait()

    def end(self) -> None:
        """Begin to stop."""
        self.should_exit = True
        self._ended.set()


class Served:
    """An application behind uvicorn: on a free loopback port, or on a Unix socket.

    ``protocol`` reads the connections; None is uvicorn's own, for ASGI applications.
    """

    def __init__(
        self,
        app: Any,
        *,
        socket_path: str | None = None,
        protocol: type[asyncio.Protocol] | None = None,
    ) -> None:
        place: dict[str, Any] = (
            {"host": "127.0.0.1", "port": 0} if socket_path is None else {"uds": socket_path}
        )
        config = uvicorn.Config(
            app,
            http=protocol or "auto",
            proxy_headers=False,
            log_level="critical",
            access_log=False,
            **place,
        )
        self._server = PromptServer(config)
        self._task: asyncio.Task[None] | None = None
        self._by_port = socket_path is None
        self.url = ""

    async def __aenter__(self) -> Served:
        self._task = asyncio.create_task(self._server.serve())
        while not self._server.started:
            if self._task.done():
                raise RuntimeError("the server did not start")
            await asyncio.sleep(0.002)
        if self._by_port:
            port = self._server.servers[0].sockets[0].getsockname()[1]
            self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.end()
        assert self._task is not None
        await self._task


async def _run(case: Mapping[str, Any]) -> str:
    """An empty text, or what differs from the case's expectation."""
    clock = _Clock()
    stub = StubBackend(case.get("backend"), case.get("services") or {})
    async with Served(stub) as backend:
        app = create_app(
            GatewaySettings(client_address_header=_CLIENT_HEADER),
            configuration_of(case, started=clock()),
            lambda _: _Token(case.get("managed_identity_token", "")),
            _Nowhere(),
            transport=_ToStub(backend.url),
            clock=clock,
            sleep=lambda _: asyncio.sleep(0),
        )
        door = door_protocol(app, HeadLimits())
        async with (
            Served(app, protocol=door) as gateway,
            aiohttp.ClientSession(auto_decompress=False) as client,
        ):
            return await _play(case, clock, stub, client, gateway.url)


async def _play(
    case: Mapping[str, Any],
    clock: _Clock,
    stub: StubBackend,
    client: aiohttp.ClientSession,
    url: str,
) -> str:
    for earlier in case.get("before", ()):
        for _ in range(earlier.get("repeat", 1)):
            await _send(client, url, {**case["request"], **earlier}, clock())
        clock.ahead += earlier.get("then_advance_seconds", 0)
    if case.get("parallel"):
        answers = await asyncio.gather(
            *(_send(client, url, case["request"], clock()) for _ in range(case["parallel"]))
        )
        return "; ".join(differences_of_many(case["expect"], answers, stub.calls))
    answer: dict[str, Any] = {}
    calls_before = 0
    for _ in range(case.get("repeat", 1)):
        calls_before = len(stub.calls)
        answer = await _send(client, url, case["request"], clock())
    return "; ".join(
        differences(case["expect"], answer, stub.calls, calls_before, stub.service_calls)
    )


async def _send(
    client: aiohttp.ClientSession, url: str, request: Mapping[str, Any], now: float
) -> dict[str, Any]:
    headers = {name: str(value) for name, value in (request.get("headers") or {}).items()}
    path = request["path"]
    token = request.get("jwt")
    if token is not None:
        path = _carry(token, headers, path, now)
    headers[_CLIENT_HEADER] = request.get("ip", "127.0.0.1")
    body = request.get("body")
    async with client.request(
        request.get("method", "GET"),
        URL(url + quote(path, safe=_SENT_AS_IT_STANDS), encoded=True),
        headers=headers,
        data=body_text(body).encode() if body is not None else None,
        allow_redirects=False,
    ) as response:
        return {
            "status": response.status,
            "headers": list(response.headers.items()),
            "body": (await response.read()).decode("utf-8", "replace"),
        }


def _carry(token: Mapping[str, Any], headers: dict[str, str], path: str, now: float) -> str:
    """Put a signed token where the case wants it; the path, with the token if it goes there."""
    claims = dict(token["claims"])
    for name in ("exp", "nbf", "iat"):
        if f"{name}_in" in claims:
            claims[name] = int(now) + claims.pop(f"{name}_in")
    algorithm = token["alg"]
    key = _signing_key(algorithm, base64.b64decode(token.get("key_b64", "")))
    header = {"alg": algorithm, **({"kid": token["kid"]} if "kid" in token else {})}
    text = jwt.encode(header, claims, key, algorithms=[algorithm])
    kind, _, name = token.get("where", "header:Authorization").partition(":")
    if kind == "query":
        return f"{path}{'&' if '?' in path else '?'}{name}={text}"
    scheme = token.get("scheme", "Bearer")
    headers[name] = f"{scheme} {text}".strip()
    return path


def _signing_key(algorithm: str, content: bytes) -> Key:
    """A secret for HMAC, else a private key in PEM or DER."""
    if algorithm.startswith(("RS", "PS")):
        return RSAKey.import_key(content)
    return ECKey.import_key(content) if algorithm.startswith("ES") else OctKey.import_key(content)
