"""quota-by-key: calls and bandwidth of one key within a fixed window (quota-by-key-policy page)."""

from __future__ import annotations

from datetime import UTC, datetime

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.policies.limits import (
    count_bandwidth_at_end,
    quota_exceeded,
)
from hybridmandate.governance.gateway.registry import INBOUND, ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import Constant, boolean_of, integer_of, text_of


@policy("quota-by-key", sections=INBOUND)
class QuotaByKey(Policy):
    """The same key is counted once a call, even from several policies."""

    def __init__(self, reader: ElementReader) -> None:
        self._calls = reader.number_value("calls", least=1) if reader.has("calls") else None
        self._bandwidth = (
            reader.number_value("bandwidth", least=1) if reader.has("bandwidth") else None
        )
        if self._calls is None and self._bandwidth is None:
            reader.refuse("<quota-by-key> needs attribute 'calls' or 'bandwidth'")
        self._period = reader.number_value("renewal-period")
        self._check_period(reader)
        self._key = reader.value("counter-key")
        self._condition = reader.value("increment-condition", True)
        self._count = reader.number_value("increment-count", 1, least=1)
        self._start = self._read_start(reader)
        self._deferred = not (
            isinstance(self._condition, Constant) and isinstance(self._count, Constant)
        )

    def _check_period(self, reader: ElementReader) -> None:
        if isinstance(self._period, Constant) and 0 < self._period.value < 300:
            reader.refuse("attribute 'renewal-period' of <quota-by-key> must be 0 or at least 300")

    @staticmethod
    def _read_start(reader: ElementReader) -> float:
        text = reader.literal("first-period-start", "0001-01-01T00:00:00Z")
        try:
            start = datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError:
            reader.refuse("attribute 'first-period-start' must be a date and time in ISO 8601")
        aware = start if start.tzinfo else start.replace(tzinfo=UTC)
        return (aware - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()

    def act(self, exchange: Exchange) -> None:
        period = integer_of(self._period.get(exchange))
        key = f"quota-by-key|{text_of(self._key.get(exchange))}"
        counted = f"counted|{key}"
        again = counted in exchange.counted
        exchange.counted.add(counted)
        if self._bandwidth is not None:
            limit = integer_of(self._bandwidth.get(exchange))
            reading = exchange.services.counters.fixed(f"{key}|kb", limit, self._start, period, 0)
            if not reading.allowed:
                raise quota_exceeded(reading, "bandwidth")
            if not again:
                count_bandwidth_at_end(exchange, f"{key}|kb", self._start, period)
        if self._calls is None:
            return
        amount = 0 if self._deferred or again else self._amount(exchange)
        calls = integer_of(self._calls.get(exchange))
        if not again or amount:
            reading = exchange.services.counters.fixed(key, calls, self._start, period, amount)
            if not reading.allowed:
                raise quota_exceeded(reading, "call volume")
        if self._deferred and not again:
            exchange.at_end.append(lambda ended: self._add(ended, key, period))

    def _amount(self, exchange: Exchange) -> int:
        if not boolean_of(self._condition.get(exchange)):
            return 0
        return integer_of(self._count.get(exchange))

    def _add(self, exchange: Exchange, key: str, period: float) -> None:
        amount = self._amount(exchange)
        if amount:
            exchange.services.counters.add_fixed(key, self._start, period, amount)
