"""A small HTTP service and token sources for tests of connectors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from hybridmandate.identity.principal import Principal, TokenRefused, TokenUnavailable
from hybridmandate.orchestration.connectors import ConnectorSettings


class Tokens:
    """Gives one token, and says for which resource it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def token(self, resource: str) -> str:
        self.asked.append(resource)
        return "token-of-the-connection"


class NoTokens:
    """An identity endpoint that does not answer, or refuses for good."""

    def __init__(self, *, transient: bool) -> None:
        self._transient = transient

    async def token(self, resource: str) -> str:
        raise TokenUnavailable("no identity", transient=self._transient)


class Verifier:
    """Knows one caller; everybody else is refused."""

    async def verify(self, authorization: str | None, *, role: str | None = None) -> Principal:
        if authorization is None:
            raise TokenRefused("token.missing", "there is no token")
        if authorization == "Bearer without-role":
            raise TokenRefused("token.role", f"the token lacks the role {role}", status=403)
        if authorization != "Bearer caller":
            raise TokenRefused("token.signature", "the token is not valid")
        return Principal("oid-1", "app-1", "tenant", frozenset({str(role)}), 0.0)


class Service:
    """Answers by (method, path) and remembers what it got."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], list[tuple[int, Any, Mapping[str, str]]]] = {}
        self.requests: list[dict[str, Any]] = []
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._server = TestServer(application)

    async def start(self) -> Service:
        await self._server.start_server()
        return self

    async def close(self) -> None:
        await self._server.close()

    @property
    def address(self) -> str:
        return str(self._server.make_url("")).rstrip("/")

    def settings(self, connector: str, **parts: Any) -> ConnectorSettings:
        given = {"tokens": Tokens(), "resource": "https://resource.example", **parts}
        return ConnectorSettings(connector=connector, base_address=self.address, **given)

    def on(
        self, method: str, path: str, status: int = 200, body: Any = None, **headers: str
    ) -> None:
        """Answer a request; several for one path are given one after the other, the last stays."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.setdefault((method, path), []).append((status, body, named))

    async def _handle(self, request: web.Request) -> web.Response:
        raw = await request.read()
        self.requests.append(
            {
                "method": request.method,
                "path": request.path,
                "query": dict(request.query),
                "headers": {k.lower(): v for k, v in request.headers.items()},
                "raw": raw,
                "json": _json(raw),
            }
        )
        left = self.answers.get((request.method, request.path))
        if not left:
            return web.json_response({"error": {"message": "not expected"}}, status=404)
        status, body, headers = left[0] if len(left) == 1 else left.pop(0)
        if isinstance(body, bytes):
            return web.Response(body=body, status=status, headers=headers)
        if body is None:
            return web.Response(status=status, headers=headers)
        return web.json_response(body, status=status, headers=headers)


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None
