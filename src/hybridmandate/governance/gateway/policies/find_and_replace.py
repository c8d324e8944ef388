"""find-and-replace: a text in the body becomes another (find-and-replace-policy page)."""

from __future__ import annotations

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.messages import Request, Response
from hybridmandate.governance.gateway.policies.set_header import REQUEST_SECTIONS
from hybridmandate.governance.gateway.registry import ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import text_of


@policy("find-and-replace")
class FindAndReplace(Policy):
    """Every occurrence, in the request's body before the back end and the response's after it."""

    def __init__(self, reader: ElementReader) -> None:
        self._from = reader.value("from")
        self._to = reader.value("to")
        self._on_request = reader.preparation.section in REQUEST_SECTIONS

    async def act(self, exchange: Exchange) -> None:
        message: Request | Response = exchange.request if self._on_request else exchange.response
        sought = text_of(self._from.get(exchange)).encode()
        if not sought:
            return
        content = await message.body.buffer()
        message.body.replace(content.replace(sought, text_of(self._to.get(exchange)).encode()))
