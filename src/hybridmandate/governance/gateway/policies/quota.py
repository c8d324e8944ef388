"""quota: calls and bandwidth of a subscription within a fixed window (quota-policy page)."""

from __future__ import annotations

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.policies.limits import (
    count_bandwidth_at_end,
    judge_bandwidth,
    quota_exceeded,
)
from hybridmandate.governance.gateway.policies.rate_limit import applies, nested_limits
from hybridmandate.governance.gateway.registry import INBOUND, ElementReader, Policy, policy


@policy("quota", sections=INBOUND, once=True)
class Quota(Policy):
    """Does nothing for a call without a subscription. Bandwidth is in kilobytes."""

    def __init__(self, reader: ElementReader) -> None:
        preparation = reader.preparation
        self._place = f"{preparation.scope}|{preparation.file}|{reader.path}"
        self._period = reader.integer("renewal-period", least=0)
        self._limits = list(nested_limits(reader, self._bounds))

    def _bounds(self, reader: ElementReader) -> tuple[int | None, int | None, int]:
        """Calls, kilobytes and period; nested limits without a period have that of the quota.

        The page's table requires it of them, its policy statement leaves it out.
        """
        calls = reader.integer("calls", least=1) if reader.has("calls") else None
        bandwidth = reader.integer("bandwidth", least=1) if reader.has("bandwidth") else None
        if calls is None and bandwidth is None:
            reader.refuse(f"<{reader.name}> needs attribute 'calls' or 'bandwidth'")
        return calls, bandwidth, reader.integer("renewal-period", self._period, least=0)

    def act(self, exchange: Exchange) -> None:
        subscription = exchange.subscription
        if subscription is None:
            return
        counters = exchange.services.counters
        for (api, operation), (calls, bandwidth, period) in self._limits:
            if not applies(exchange, api, operation):
                continue
            key = f"quota|{self._place}|{subscription.id}|{api}|{operation}"
            start = subscription.started
            if bandwidth is not None:
                judge_bandwidth(exchange, f"{key}|kb", bandwidth, start, period)
                count_bandwidth_at_end(exchange, f"{key}|kb", start, period)
            if calls is not None:
                reading = counters.fixed(key, calls, start, period, 1)
                if not reading.allowed:
                    raise quota_exceeded(reading, "call volume")
