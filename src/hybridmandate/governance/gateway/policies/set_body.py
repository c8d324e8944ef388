"""set-body: replace a body by text, an expression's result or a Liquid template."""

from __future__ import annotations

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.liquid_body import LiquidBody
from hybridmandate.governance.gateway.liquid_objects import LiquidContent
from hybridmandate.governance.gateway.messages import Request, Response
from hybridmandate.governance.gateway.policies.set_header import REQUEST_SECTIONS
from hybridmandate.governance.gateway.registry import ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import bytes_of


class BodyChange:
    """A new body for whichever message it stands in."""

    def __init__(self, reader: ElementReader, *, on_request: bool) -> None:
        template = reader.choice("template", ("none", "liquid"), "none")
        nil = None if reader.choice("xsi-nil", ("blank", "null"), "blank") == "null" else ""
        content = LiquidContent(parse_date=reader.flag("parse-date", True), nil=nil)
        self._liquid: LiquidBody | None = None
        if template == "liquid":
            self._liquid = LiquidBody(reader, content, on_request=on_request)
        else:
            self._content = reader.content()

    def content(self, exchange: Exchange, current: bytes) -> bytes:
        """The new body; ``current`` is what a Liquid template sees as ``body``."""
        if self._liquid is not None:
            return self._liquid.render(exchange, current).encode()
        return bytes_of(self._content.get(exchange))


@policy("set-body")
class SetBody(Policy):
    """In inbound and backend the request's body, in outbound and on-error the response's."""

    def __init__(self, reader: ElementReader) -> None:
        self._on_request = reader.preparation.section in REQUEST_SECTIONS
        self._change = BodyChange(reader, on_request=self._on_request)

    def act(self, exchange: Exchange) -> None:
        message: Request | Response = exchange.request if self._on_request else exchange.response
        message.body.replace(self._change.content(exchange, message.body.content or b""))
