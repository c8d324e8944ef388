"""quota-by-key: calls and bandwidth of one key within a fixed window (quota-by-key-policy page)."""

from __future__ import annotations

from datetime import UTC, datetime

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.policies.limits import (
    count_bandwidth_at_end,
    judge_bandwidth,
    quota_exceeded,
)
from hybridmandate.governance.gateway.registry import INBOUND, ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import Constant, boolean_of, integer_of, text_of


@policy("quota-by-key", sections=INBOUND)
class QuotaByKey(Policy):
    """A key is counted once a call for each of its windows, even from several policies.

    Every policy judges with its own limit, also when another has counted the call already.
    """

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
        window = f"quota-by-key|{self._start}|{period}|{text_of(self._key.get(exchange))}"
        if self._bandwidth is not None:
            self._judge_bandwidth(exchange, f"{window}|kb", period)
        if self._calls is not None:
            self._judge_calls(exchange, window, period)

    def _judge_bandwidth(self, exchange: Exchange, window: str, period: float) -> None:
        assert self._bandwidth is not None
        limit = integer_of(self._bandwidth.get(exchange))
        judge_bandwidth(exchange, window, limit, self._start, period)
        if window not in exchange.counted:
            exchange.counted.add(window)
            count_bandwidth_at_end(exchange, window, self._start, period)

    def _judge_calls(self, exchange: Exchange, window: str, period: float) -> None:
        assert self._calls is not None
        limit = integer_of(self._calls.get(exchange))
        again = window in exchange.counted
        later = f"{window}|later"
        amount = 0 if again or self._deferred else self._amount(exchange)
        # A call that is counted already has taken its own place: one more than the limit.
        room = limit + 1 if again else limit
        reading = exchange.services.counters.fixed(window, room, self._start, period, amount)
        if not reading.allowed:
            raise quota_exceeded(reading, "call volume")
        if amount:
            exchange.counted.add(window)
        if self._deferred and not again and later not in exchange.counted:
            exchange.counted.add(later)
            exchange.at_end.append(lambda ended: self._add(ended, window, period))

    def _amount(self, exchange: Exchange) -> int:
        if not boolean_of(self._condition.get(exchange)):
            return 0
        return integer_of(self._count.get(exchange))

    def _add(self, exchange: Exchange, key: str, period: float) -> None:
        amount = self._amount(exchange)
        if amount:
            exchange.services.counters.add_fixed(key, self._start, period, amount)
