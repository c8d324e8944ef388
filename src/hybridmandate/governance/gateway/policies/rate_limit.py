"""rate-limit: calls of a subscription within a sliding window (rate-limit-policy page)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.policies.limits import Announcement
from hybridmandate.governance.gateway.registry import INBOUND, ElementReader, Policy, policy


@policy("rate-limit", sections=INBOUND, once=True)
class RateLimit(Policy):
    """Does nothing for a call without a subscription. Nested limits are counted on their own."""

    def __init__(self, reader: ElementReader) -> None:
        preparation = reader.preparation
        self._place = f"{preparation.scope}|{preparation.file}|{reader.path}"
        self._announcement = Announcement.read(reader)
        self._limits = list(nested_limits(reader, _bounds))

    def act(self, exchange: Exchange) -> None:
        subscription = exchange.subscription
        if subscription is None:
            return
        for (api, operation), (calls, period) in self._limits:
            if not applies(exchange, api, operation):
                continue
            key = f"rate|{self._place}|{subscription.id}|{api}|{operation}"
            reading = exchange.services.counters.slide(key, calls, period, 1)
            if not reading.allowed:
                raise self._announcement.refused(exchange, calls, reading.wait)
            if api is None:
                self._announcement.passed(exchange, calls, reading.used)


def _bounds(reader: ElementReader) -> tuple[int, int]:
    return (
        reader.integer("calls", least=1),
        reader.integer("renewal-period", least=1, most=300),
    )


B = TypeVar("B")
Place = tuple[str | None, str | None]


def nested_limits(
    reader: ElementReader, bounds: Callable[[ElementReader], B]
) -> Iterator[tuple[Place, B]]:
    """The limit itself, those of its ``<api>`` children and of their ``<operation>`` children."""
    yield (None, None), bounds(reader)
    for api in reader.children("api"):
        api_name = _id_or_name(api)
        yield (api_name, None), bounds(api)
        for operation in api.children("operation"):
            yield (api_name, _id_or_name(operation)), bounds(operation)


def _id_or_name(reader: ElementReader) -> str:
    """The ``id`` wins over the ``name`` when both stand there."""
    found = reader.optional_literal("id")
    name = reader.optional_literal("name")
    if found is None and name is None:
        reader.refuse(f"<{reader.name}> needs attribute 'name' or 'id'")
    return found if found is not None else str(name)


def applies(exchange: Exchange, api: str | None, operation: str | None) -> bool:
    """Whether a nested limit is about this call's API and operation."""
    if api is not None and api not in (exchange.api.id, exchange.api.name):
        return False
    if operation is None:
        return True
    current = exchange.operation
    return current is not None and operation in (current.id, current.name)
