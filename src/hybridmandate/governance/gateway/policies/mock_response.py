"""mock-response: an example answer of the operation's OpenAPI document (mock-response page)."""

from __future__ import annotations

from hybridmandate.governance.gateway.errors import ResponseReady
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.messages import Body, HeaderMap, Response
from hybridmandate.governance.gateway.registry import (
    ElementReader,
    Policy,
    Section,
    policy,
)


@policy("mock-response", sections=frozenset(Section) - {Section.BACKEND})
class MockResponse(Policy):
    """The declared example with that status and content type; an empty body where there is none.

    Samples are not generated from schemas here.
    """

    def __init__(self, reader: ElementReader) -> None:
        self._status = reader.integer("status-code", 200, least=200, most=599)
        self._type = reader.literal("content-type", "").strip()
        reader.integer("index", 0)

    def act(self, exchange: Exchange) -> None:
        samples = exchange.operation.samples if exchange.operation is not None else {}
        found = samples.get(self._status, ())
        chosen = next((each for each in found if not self._type or each[0] == self._type), None)
        headers = HeaderMap()
        kind = chosen[0] if chosen is not None else self._type
        if kind:
            headers.set("Content-Type", [kind])
        content = chosen[1].encode() if chosen is not None else b""
        exchange.response = Response(self._status, "", headers, Body(content))
        raise ResponseReady
