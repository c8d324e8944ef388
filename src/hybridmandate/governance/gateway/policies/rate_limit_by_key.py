"""rate-limit-by-key: calls of one key within a sliding window (rate-limit-by-key-policy page)."""

from __future__ import annotations

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.policies.limits import Announcement
from hybridmandate.governance.gateway.registry import INBOUND, ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import Constant, boolean_of, integer_of, text_of


@policy("rate-limit-by-key", sections=INBOUND)
class RateLimitByKey(Policy):
    """One counter a key and period across all scopes.

    Limits of one key over several periods stand side by side: each has a window of its own.
    When the increment depends on an expression it is counted at the end of the call, and whether
    the limit was exceeded is judged at the next one: the refusal comes a call later (usage notes).
    """

    def __init__(self, reader: ElementReader) -> None:
        self._calls = reader.number_value("calls", least=1)
        self._period = reader.number_value("renewal-period", least=1, most=300)
        self._key = reader.value("counter-key")
        self._condition = reader.value("increment-condition", True)
        self._count = reader.number_value("increment-count", 1, least=1)
        self._announcement = Announcement.read(reader)
        self._deferred = not (
            isinstance(self._condition, Constant) and isinstance(self._count, Constant)
        )

    def act(self, exchange: Exchange) -> None:
        calls = integer_of(self._calls.get(exchange))
        period = integer_of(self._period.get(exchange))
        key = f"rate-by-key|{period}|{text_of(self._key.get(exchange))}"
        amount = 0 if self._deferred else self._amount(exchange)
        most = calls + 1 if self._deferred else calls
        reading = exchange.services.counters.slide(key, most, period, amount)
        if not reading.allowed:
            raise self._announcement.refused(exchange, calls, reading.wait)
        self._announcement.passed(exchange, calls, reading.used)
        if self._deferred:
            exchange.at_end.append(lambda ended: self._add(ended, key, period))

    def _amount(self, exchange: Exchange) -> int:
        if not boolean_of(self._condition.get(exchange)):
            return 0
        return integer_of(self._count.get(exchange))

    def _add(self, exchange: Exchange, key: str, period: float) -> None:
        amount = self._amount(exchange)
        if amount:
            exchange.services.counters.add_sliding(key, period, amount)
