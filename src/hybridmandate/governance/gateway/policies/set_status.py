"""set-status: the status line of the response (set-status-policy page)."""

from __future__ import annotations

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.messages import Response
from hybridmandate.governance.gateway.registry import ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import status_of, text_of


class StatusChange:
    """Status code and reason, for the response or one being made."""

    def __init__(self, reader: ElementReader) -> None:
        self._code = reader.number_value("code", least=200, most=599)
        self._reason = reader.value("reason", "")

    def apply(self, exchange: Exchange, response: Response) -> None:
        """Set the status line."""
        response.status = status_of(self._code.get(exchange))
        response.reason = text_of(self._reason.get(exchange))


@policy("set-status")
class SetStatus(Policy):
    """Changes the status of the response as it is now."""

    def __init__(self, reader: ElementReader) -> None:
        self._change = StatusChange(reader)

    def act(self, exchange: Exchange) -> None:
        self._change.apply(exchange, exchange.response)
