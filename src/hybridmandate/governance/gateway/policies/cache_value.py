"""cache-lookup-value, cache-store-value, cache-remove-value: single values (their policy pages)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.policies.cache_response import CACHING_TYPES
from hybridmandate.governance.gateway.registry import ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import integer_of, text_of


@policy("cache-lookup-value")
class CacheLookupValue(Policy):
    """A miss without default leaves the variable unset."""

    def __init__(self, reader: ElementReader) -> None:
        self._key = reader.value("key")
        self._variable = reader.literal("variable-name")
        self._default = reader.optional_value("default-value")
        reader.choice("caching-type", CACHING_TYPES, "prefer-external")

    def act(self, exchange: Exchange) -> None:
        found = exchange.services.cache.get(f"value|{text_of(self._key.get(exchange))}")
        if found is not None:
            exchange.variables[self._variable] = _own(found)
        elif self._default is not None:
            exchange.variables[self._variable] = self._default.get(exchange)


@policy("cache-store-value")
class CacheStoreValue(Policy):
    """Keeps a value for ``duration`` seconds."""

    def __init__(self, reader: ElementReader) -> None:
        self._key = reader.value("key")
        self._value = reader.value("value")
        self._duration = reader.number_value("duration", least=1)
        reader.choice("caching-type", CACHING_TYPES, "prefer-external")

    def act(self, exchange: Exchange) -> None:
        exchange.services.cache.put(
            f"value|{text_of(self._key.get(exchange))}",
            _own(self._value.get(exchange)),
            integer_of(self._duration.get(exchange)),
        )


@policy("cache-remove-value")
class CacheRemoveValue(Policy):
    """Forgets a value. In this gateway's cache that cannot fail."""

    def __init__(self, reader: ElementReader) -> None:
        self._key = reader.value("key")
        reader.choice("caching-type", CACHING_TYPES, "prefer-external")
        reader.flag_value("fail-on-cache-removal-error", False)

    def act(self, exchange: Exchange) -> None:
        exchange.services.cache.remove(f"value|{text_of(self._key.get(exchange))}")


def _own(value: Any) -> Any:
    """A value that no other call can change: lists, objects of JSON and XML are copied."""
    return value if isinstance(value, str | int | float | None) else deepcopy(value)
