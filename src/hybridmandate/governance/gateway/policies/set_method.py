"""set-method: the request's HTTP method (set-method-policy page)."""

from __future__ import annotations

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.registry import ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import text_of


@policy("set-method")
class SetMethod(Policy):
    """The method as text or expression."""

    def __init__(self, reader: ElementReader) -> None:
        if reader.element.text is None:
            reader.refuse("<set-method> needs the name of a method")
        self._method = reader.content()

    def act(self, exchange: Exchange) -> None:
        exchange.request.method = text_of(self._method.get(exchange)).strip().upper()
