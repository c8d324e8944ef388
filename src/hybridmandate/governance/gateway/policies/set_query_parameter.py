"""set-query-parameter: add, override, append, skip or delete a parameter of the query."""

from __future__ import annotations

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.policies.set_header import EXISTS_ACTIONS, REQUEST_SECTIONS
from hybridmandate.governance.gateway.registry import ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import text_of


@policy("set-query-parameter", sections=REQUEST_SECTIONS)
class SetQueryParameter(Policy):
    """Several values are sent as repeated parameters."""

    def __init__(self, reader: ElementReader) -> None:
        self._name = reader.value("name")
        self._action = reader.choice("exists-action", EXISTS_ACTIONS, "override")
        self._values = [each.content() for each in reader.children("value")]
        if self._action != "delete" and not self._values:
            reader.refuse("<set-query-parameter> needs <value> unless exists-action is delete")

    def act(self, exchange: Exchange) -> None:
        name = text_of(self._name.get(exchange))
        query = {key: list(values) for key, values in exchange.request.url.query.items()}
        if self._action == "delete":
            query.pop(name, None)
        elif name in query and self._action == "skip":
            return
        else:
            values = [text_of(each.get(exchange)) for each in self._values]
            query[name] = (
                query[name] + values if self._action == "append" and name in query else (values)
            )
        exchange.request.url.set_query(query)
