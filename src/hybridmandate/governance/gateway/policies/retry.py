"""retry: run policies again while a condition holds (retry-policy page)."""

from __future__ import annotations

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.registry import ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import boolean_of, integer_of


@policy("retry")
class Retry(Policy):
    """Runs once, then up to ``count`` times more.

    Waiting: ``interval`` alone is fixed; with ``delta`` it grows by ``delta`` a time; with
    ``max-interval`` too it grows exponentially, with a random part, up to that many seconds.
    """

    def __init__(self, reader: ElementReader) -> None:
        self._condition = reader.value("condition")
        self._count = reader.number_value("count", least=1, most=50)
        self._interval = reader.number_value("interval")
        self._max_interval = (
            reader.number_value("max-interval") if reader.has("max-interval") else None
        )
        self._delta = reader.number_value("delta") if reader.has("delta") else None
        self._first_fast = reader.value("first-fast-retry", False)
        if reader.element.child("wait") is not None:
            reader.refuse("<wait> is not allowed in <retry>")
        self._steps = reader.steps()

    async def act(self, exchange: Exchange) -> None:
        count = min(integer_of(self._count.get(exchange)), 50)
        for attempt in range(count + 1):
            await self._steps.run(exchange)
            if attempt == count or not boolean_of(self._condition.get(exchange)):
                return
            if attempt > 0 or not boolean_of(self._first_fast.get(exchange)):
                await exchange.services.sleep(self._pause(exchange, attempt + 1))

    def _pause(self, exchange: Exchange, number: int) -> float:
        """Seconds before retry ``number``, which counts from 1."""
        interval = integer_of(self._interval.get(exchange))
        if self._delta is None:
            return interval
        delta = integer_of(self._delta.get(exchange))
        if self._max_interval is None:
            return interval + (number - 1) * delta
        most = integer_of(self._max_interval.get(exchange))
        spread = delta * (0.8 + 0.4 * exchange.services.random())
        return float(min(interval + 2 ** (number - 1) * spread, most))
