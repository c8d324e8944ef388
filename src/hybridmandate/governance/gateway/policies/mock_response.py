"""mock-response: an answer made of the operation's OpenAPI document (mock-response page)."""

from __future__ import annotations

import json

from hybridmandate.governance.gateway.errors import ResponseReady
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.messages import Body, HeaderMap, Response
from hybridmandate.governance.gateway.registry import (
    ElementReader,
    Policy,
    Section,
    policy,
)
from hybridmandate.governance.gateway.schema_samples import sample_of


@policy("mock-response", sections=frozenset(Section) - {Section.BACKEND})
class MockResponse(Policy):
    """The declared example with that status and content type, else a sample of its schema.

    An empty body where the operation declares neither.
    """

    def __init__(self, reader: ElementReader) -> None:
        self._status = reader.integer("status-code", 200, least=200, most=599)
        self._type = reader.literal("content-type", "").strip()
        reader.integer("index", 0)

    def act(self, exchange: Exchange) -> None:
        samples = exchange.operation.samples if exchange.operation is not None else {}
        found = samples.get(self._status, ())
        chosen = next((each for each in found if not self._type or each[0] == self._type), None)
        kind, text = chosen or (self._type, "")
        headers = HeaderMap([("Content-Type", kind)] if kind else ())
        content = (text or self._generated(exchange, kind)).encode()
        exchange.response = Response(self._status, "", headers, Body(content))
        raise ResponseReady

    def _generated(self, exchange: Exchange, kind: str) -> str:
        """A sample of the schema that the operation declares for that status and type."""
        responses = exchange.operation.responses if exchange.operation is not None else {}
        schema = (responses.get(str(self._status)) or {}).get(kind)
        return "" if schema is None or "json" not in kind else json.dumps(sample_of(schema))
