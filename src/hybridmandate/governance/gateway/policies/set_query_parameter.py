"""set-query-parameter: add, override, append, skip or delete a parameter of the query."""

from __future__ import annotations

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.policies.set_header import (
    EXISTS_ACTIONS,
    REQUEST_SECTIONS,
    may_delete,
)
from hybridmandate.governance.gateway.registry import ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import text_of


@policy("set-query-parameter", sections=REQUEST_SECTIONS)
class SetQueryParameter(Policy):
    """Several values are sent as repeated parameters."""

    def __init__(self, reader: ElementReader) -> None:
        self._name = reader.value("name")
        self._action = reader.choice_value("exists-action", EXISTS_ACTIONS, "override")
        self._values = [each.content() for each in reader.children("value")]
        if not self._values and not may_delete(self._action):
            reader.refuse("<set-query-parameter> needs <value> unless exists-action is delete")

    def act(self, exchange: Exchange) -> None:
        name = text_of(self._name.get(exchange))
        query = {key: list(values) for key, values in exchange.request.url.query.items()}
        action = self._action.get(exchange)
        if action == "delete":
            query.pop(name, None)
        elif name in query and action == "skip":
            return
        else:
            values = [text_of(each.get(exchange)) for each in self._values]
            query[name] = query[name] + values if action == "append" and name in query else (values)
        exchange.request.url.set_query(query)
