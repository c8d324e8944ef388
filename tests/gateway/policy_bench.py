"""One call through the prepared policies of a document, with services answered by functions."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import hybridmandate.governance.gateway.policies  # noqa: F401
from hybridmandate.governance.gateway.backends import Backends
from hybridmandate.governance.gateway.cache import ProcessCache
from hybridmandate.governance.gateway.configuration import (
    ApiEntry,
    BackendEntry,
    Configuration,
    Document,
    OperationEntry,
)
from hybridmandate.governance.gateway.counters import ProcessCounters
from hybridmandate.governance.gateway.exchange import Exchange, Services
from hybridmandate.governance.gateway.messages import Body, HeaderMap, Request, Url
from hybridmandate.governance.gateway.pipeline import Pipeline
from hybridmandate.governance.gateway.preparation import NOTHING, inherit, prepare_document
from hybridmandate.governance.gateway.signing_keys import SigningKeys
from hybridmandate.governance.gateway.transport import Incoming, Outgoing, parse_base_url
from hybridmandate.governance.gateway.verified_tokens import VerifiedTokens

NOW = 1_700_000_000.0
Answer = tuple[int, Any]


class Wire:
    """Answers by the path of the URL; keeps what was sent."""

    def __init__(self, answers: dict[str, Callable[[Any], Answer] | Answer]) -> None:
        self.answers = answers
        self.sent: list[Outgoing] = []

    async def send(self, outgoing: Outgoing) -> Incoming:
        self.sent.append(outgoing)
        path = outgoing.url.split("://", 1)[1].partition("?")[0]
        found = next(
            (each for part, each in self.answers.items() if part in path), (200, {"from": "back"})
        )
        if callable(found):
            assert isinstance(outgoing.body, bytes)
            found = found(outgoing.body)
        status, content = found
        body = content if isinstance(content, bytes) else json.dumps(content).encode()

        async def pieces() -> AsyncIterator[bytes]:
            yield body

        kind = "application/json" if not isinstance(content, bytes) else "text/event-stream"
        return Incoming(status, "", [("Content-Type", kind)], pieces(), lambda: None)

    async def close(self) -> None:
        """Nothing is open."""

    def to(self, part: str) -> list[Outgoing]:
        """What was sent to addresses that hold this text."""
        return [each for each in self.sent if part in each.url]


class _Token:
    async def token(self, resource: str) -> str:
        return f"token-for-{resource}"


class Bench:
    """A document in the scope of an API, ready for calls that share cache, counters and clock."""

    def __init__(
        self,
        inbound: str = "",
        outbound: str = "",
        *,
        on_error: str = "",
        answers: dict[str, Any] | None = None,
        backends: dict[str, BackendEntry] | None = None,
        operation: OperationEntry | None = None,
        **configuration: Any,
    ) -> None:
        text = (
            f"<policies><inbound>{inbound}</inbound><backend><forward-request/></backend>"
            f"<outbound>{outbound}</outbound><on-error>{on_error}</on-error></policies>"
        )
        self.operation = operation or OperationEntry("op", "op", "*", "/*")
        api = ApiEntry(
            "api", "api", "api", "http://back.example", (self.operation,), Document(text, "p.xml")
        )
        self.configuration = Configuration(apis=(api,), backends=backends or {}, **configuration)
        document = Document(text, "p.xml")
        prepared = prepare_document(document, "api", self.configuration)
        self.pipeline = Pipeline.of(inherit(prepared, NOTHING))
        self.api = api
        self.now = NOW
        self.wire = Wire(answers or {})
        self.told: list[tuple[str, str, Any]] = []
        self.services = Services(
            clock=lambda: self.now,
            random=lambda: 0.5,
            sleep=_no_sleep,
            transport=self.wire,
            tokens=lambda _: _Token(),
            counters=ProcessCounters(lambda: self.now),
            cache=ProcessCache(lambda: self.now),
            keys=SigningKeys(self.wire, lambda: self.now),
            verified=VerifiedTokens(),
            backends=Backends(backends or {}, lambda: self.now),
            telemetry=lambda *event: self.told.append(event),
        )

    async def call(
        self,
        body: Any = None,
        *,
        path: str = "/x",
        query: str = "",
        method: str = "POST",
        certificate: bytes | None = None,
        **headers: str,
    ) -> Exchange:
        """Take one call through the pipeline; its response's body is read."""
        url = Url("http", "gateway.example", 80, path, query)
        content = body if isinstance(body, bytes) else json.dumps(body).encode() if body else b""
        exchange = Exchange(
            self.services,
            Request(
                method,
                url,
                Url("http", "gateway.example", 80, f"/api{path}", query),
                HeaderMap((name.replace("_", "-"), value) for name, value in headers.items()),
                Body(content),
                "192.0.2.1",
                {},
            ),
            api=self.api,
            operation=self.operation,
            backend=parse_base_url("http://back.example"),
        )
        exchange.context.request.certificate = certificate
        await self.pipeline.run(exchange)
        await exchange.response.body.buffer()
        return exchange


async def _no_sleep(seconds: float) -> None:
    """Time is the test's."""
