"""cache-lookup and cache-store: whole responses of GET requests (their policy pages)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from hybridmandate.governance.gateway.errors import StoredResponse
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.messages import Body, HeaderMap, Response
from hybridmandate.governance.gateway.registry import (
    INBOUND,
    OUTBOUND,
    ElementReader,
    Policy,
    policy,
)
from hybridmandate.governance.gateway.values import boolean_of, integer_of, text_of

_MAX_CACHED_BYTES = 2 * 1024 * 1024
CACHING_TYPES = ("internal", "external", "prefer-external")


@dataclass(frozen=True, slots=True)
class _Stored:
    status: int
    reason: str
    headers: HeaderMap
    content: bytes
    scope: str
    path: str
    """The place of the policy that stored it."""


@policy("cache-lookup", sections=INBOUND, once=True)
class CacheLookup(Policy):
    """A hit takes the stored response on to outbound, to what stands there after cache-store."""

    def __init__(self, reader: ElementReader) -> None:
        self._by_developer = reader.value("vary-by-developer")
        reader.value("vary-by-developer-groups")
        reader.choice("caching-type", CACHING_TYPES, "prefer-external")
        self._downstream = reader.choice_value(
            "downstream-caching-type", ("none", "private", "public"), "none"
        )
        self._revalidate = reader.value("must-revalidate", True)
        self._private = reader.value("allow-private-response-caching", False)
        self._headers = [each.content() for each in reader.children("vary-by-header")]
        self._query = [each.content() for each in reader.children("vary-by-query-parameter")]

    def act(self, exchange: Exchange) -> None:
        request = exchange.request
        if request.method != "GET":
            return
        if "authorization" in request.headers and not boolean_of(self._private.get(exchange)):
            return
        key = self._key(exchange)
        stored = exchange.services.cache.get(key)
        if not isinstance(stored, _Stored):
            exchange.cache_key = key
            return
        exchange.response = Response(
            stored.status, stored.reason, stored.headers.copy(), Body(stored.content)
        )
        downstream = text_of(self._downstream.get(exchange))
        if downstream != "none":
            rest = ", must-revalidate" if boolean_of(self._revalidate.get(exchange)) else ""
            exchange.response.headers.set("Cache-Control", [f"{downstream}{rest}"])
        raise StoredResponse(stored.scope, stored.path)

    def _key(self, exchange: Exchange) -> str:
        request = exchange.request
        query = request.url.query
        if self._query:
            names = {
                name.strip()
                for each in self._query
                for name in text_of(each.get(exchange)).split(";")
            }
            query = {name: values for name, values in query.items() if name in names}
        parts = [str(exchange.original_location()), repr(sorted(query.items()))]
        for each in self._headers:
            name = text_of(each.get(exchange))
            parts.append(f"{name.lower()}={request.headers.get(name)}")
        if boolean_of(self._by_developer.get(exchange)):
            parts.append(exchange.subscription.id if exchange.subscription else "")
        return "response|" + hashlib.sha256("\n".join(parts).encode()).hexdigest()


@policy("cache-store", sections=OUTBOUND, once=True)
class CacheStore(Policy):
    """Stores what a lookup of this call looked for in vain: 200 only, unless it says otherwise."""

    def __init__(self, reader: ElementReader) -> None:
        self._scope, self._path = reader.preparation.scope, reader.path
        self._duration = reader.number_value("duration", least=1)
        self._any_status = reader.value("cache-response", False)
        reader.choice("caching-type", CACHING_TYPES, "prefer-external")

    async def act(self, exchange: Exchange) -> None:
        key = exchange.cache_key
        response = exchange.response
        if key is None:
            return
        if response.status != 200 and not boolean_of(self._any_status.get(exchange)):
            return
        content = await response.body.buffer()
        if len(content) > _MAX_CACHED_BYTES:
            return
        stored = _Stored(
            response.status,
            response.reason,
            response.headers.copy(),
            content,
            self._scope,
            self._path,
        )
        exchange.services.cache.put(key, stored, integer_of(self._duration.get(exchange)))
