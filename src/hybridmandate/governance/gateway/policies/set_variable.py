"""set-variable: keep a value for later expressions; a literal is text (its policy page)."""

from __future__ import annotations

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.registry import ElementReader, Policy, policy


@policy("set-variable")
class SetVariable(Policy):
    """The value keeps the type that its expression gave it."""

    def __init__(self, reader: ElementReader) -> None:
        self._name = reader.literal("name")
        self._value = reader.value("value")

    def act(self, exchange: Exchange) -> None:
        exchange.variables[self._name] = self._value.get(exchange)
