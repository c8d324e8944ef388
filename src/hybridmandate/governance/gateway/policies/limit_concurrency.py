"""limit-concurrency: at most so many calls inside at once (limit-concurrency-policy page)."""

from __future__ import annotations

from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.registry import ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import text_of


@policy("limit-concurrency")
class LimitConcurrency(Policy):
    """A call beyond ``max-count`` of its key fails at once with 429."""

    def __init__(self, reader: ElementReader) -> None:
        self._key = reader.value("key")
        self._most = reader.integer("max-count", least=1)
        self._steps = reader.steps()

    async def act(self, exchange: Exchange) -> None:
        key = text_of(self._key.get(exchange))
        running = exchange.services.running
        if running.get(key, 0) >= self._most:
            raise PolicyError(
                429, "ConcurrencyLimitExceeded", "The limit of concurrent calls is exceeded."
            )
        running[key] = running.get(key, 0) + 1
        try:
            await self._steps.run(exchange)
        finally:
            running[key] -= 1
            if not running[key]:
                del running[key]
