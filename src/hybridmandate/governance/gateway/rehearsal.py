"""One request through a solution's policies, in this process, with a stub back end and issuer.

The application is the one that serves: routing, policies and answers are the real ones. What is
outside (back ends, issuer, the gateway's own identity) is a stub, so that it needs no network.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

from hybridmandate.contracts import Outcome, Status
from hybridmandate.evidence.record import Record
from hybridmandate.governance.gateway.configuration import Configuration
from hybridmandate.governance.gateway.policy_trace import PolicyTrace
from hybridmandate.governance.gateway.server import create_app
from hybridmandate.governance.gateway.settings import GatewaySettings
from hybridmandate.governance.gateway.transport import Incoming, Outgoing, TransportFailure
from hybridmandate.identity.principal import TokenSource

_ISSUER = "http://issuer.rehearsal.example"
OPENID_CONFIGURATION = f"{_ISSUER}/openid-configuration"
"""Where the stub issuer publishes its configuration: give it to the policies as a named value."""
_KEYS = f"{_ISSUER}/keys"
_KEY_ID = "rehearsal"
_TOKEN_SECONDS = 600
_SUCCEEDED = json.dumps(Outcome(status=Status.SUCCEEDED, correlation_id=None).to_json())


class Rehearsal:
    """A gateway over a configuration, and what its stub back end was asked.

    ``claims`` are those of a proper caller's token, issuer, audience and tenant included; a request
    may change or drop (null) some. ``back_end`` is the answer of every back end: ``status``,
    ``headers``, ``body`` (an outcome that succeeded); ``refuse = true`` breaks the connection.
    """

    def __init__(
        self,
        configuration: Configuration,
        claims: Mapping[str, Any],
        back_end: Mapping[str, Any] | None = None,
    ) -> None:
        self._claims = claims
        self._key = ECKey.generate_key("P-256", {"kid": _KEY_ID})
        self._ahead = 0.0
        self._stub = _Stub(self._key, str(claims.get("iss", _ISSUER)), back_end or {})

        def own_identity(client_id: str | None) -> TokenSource:
            return _OwnToken()

        self._app = create_app(
            GatewaySettings(),
            configuration,
            own_identity,
            _NoEvidence(),
            transport=self._stub,
            clock=self._now,
            sleep=self._wait,
        )

    @property
    def calls(self) -> Sequence[Mapping[str, Any]]:
        """What the back end was asked, in order."""
        return self._stub.calls

    async def send(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The answer to one request: ``status``, ``headers`` (pairs) and ``body`` (text).

        Of the request: ``method`` (GET), ``path`` with its query, ``headers``, ``body`` (text) or
        ``json``, and ``token``: a table of claims to send a bearer token with.
        """
        headers = {name.lower(): str(value) for name, value in request.get("headers", {}).items()}
        content = _content(request, headers)
        headers.setdefault("host", "gateway.rehearsal.example")
        if "token" in request:
            headers["authorization"] = f"Bearer {self._token(request['token'])}"
        if content:
            headers["content-length"] = str(len(content))
        path, _, query = str(request["path"]).partition("?")
        scope = {
            "type": "http",
            "method": str(request.get("method", "GET")).upper(),
            "scheme": "https",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 0),
        }
        wire = _Wire(content)
        await self._app(scope, wire.receive, wire.send)
        return {
            "status": wire.status,
            "headers": wire.headers,
            "body": wire.body.decode("utf-8", "replace"),
        }

    async def trace(self, request: Mapping[str, Any]) -> tuple[Mapping[str, Any], PolicyTrace]:
        """The answer, and every policy that ran for it."""
        trace = PolicyTrace(time.perf_counter)
        self._app.services.trace = trace
        try:
            return await self.send(request), trace
        finally:
            self._app.services.trace = None

    def _now(self) -> float:
        return time.time() + self._ahead

    async def _wait(self, seconds: float) -> None:
        self._ahead += seconds

    def _token(self, changes: Mapping[str, Any]) -> str:
        now = int(self._now())
        times = {"iat": now, "nbf": now, "exp": now + _TOKEN_SECONDS}
        claims = {**self._claims, **times, **changes}
        dropped = set(claims.pop("without", ()))
        claims = {name: value for name, value in claims.items() if name not in dropped}
        header = {"alg": "ES256", "kid": _KEY_ID}
        return jwt.encode(header, claims, self._key, algorithms=["ES256"])


def _content(request: Mapping[str, Any], headers: dict[str, str]) -> bytes:
    if "json" in request:
        headers.setdefault("content-type", "application/json")
        return json.dumps(request["json"]).encode()
    return str(request.get("body", "")).encode()


class _Wire:
    """The two ends that an ASGI server gives an application, in memory."""

    def __init__(self, content: bytes) -> None:
        self._content: bytes | None = content
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.body = b""

    async def receive(self) -> dict[str, Any]:
        if self._content is None:
            return {"type": "http.disconnect"}
        content, self._content = self._content, None
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = [
                (n.decode("latin-1"), v.decode("latin-1")) for n, v in message["headers"]
            ]
            return
        self.body += message.get("body", b"")


class _Stub:
    """Back ends and issuer behind the transport's seam."""

    def __init__(self, key: ECKey, issuer: str, answer: Mapping[str, Any]) -> None:
        self._published: Mapping[str, Any] = {
            OPENID_CONFIGURATION: {"issuer": issuer, "jwks_uri": _KEYS},
            _KEYS: {"keys": [key.as_dict(private=False)]},
        }
        self._answer = answer
        self.calls: list[Mapping[str, Any]] = []

    async def send(self, outgoing: Outgoing) -> Incoming:
        published = self._published.get(outgoing.url)
        if published is not None:
            return _incoming(200, {}, json.dumps(published))
        body = outgoing.body or b""
        if not isinstance(body, bytes):
            body = b"".join([chunk async for chunk in body])
        parts = urlsplit(outgoing.url)
        self.calls.append(
            {
                "method": outgoing.method,
                "url": outgoing.url,
                "path": parts.path,
                "query": dict(parse_qsl(parts.query, keep_blank_values=True)),
                "headers": outgoing.headers,
                "body": body.decode("utf-8", "replace"),
            }
        )
        if self._answer.get("refuse"):
            raise TransportFailure("the test wants no answer")
        headers = self._answer.get("headers", {"Content-Type": "application/json"})
        return _incoming(
            int(self._answer.get("status", 200)),
            headers,
            str(self._answer.get("body", _SUCCEEDED)),
        )

    async def close(self) -> None:
        """Nothing is open."""


def _incoming(status: int, headers: Mapping[str, str], body: str) -> Incoming:
    async def chunks() -> AsyncIterator[bytes]:
        yield body.encode()

    return Incoming(status, "", list(headers.items()), chunks(), lambda: None)


class _OwnToken:
    async def token(self, resource: str) -> str:
        return f"own-token-for-{resource}"


class _NoEvidence:
    def record(self, record: Record) -> None:
        """A rehearsal is not a call: it leaves no evidence."""
