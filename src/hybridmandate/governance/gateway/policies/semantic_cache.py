"""llm-semantic-cache-lookup and -store, also under their azure-openai names (their pages).

Embeddings come from the declared back end; vectors and answers stay in the gateway's cache.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import mul

from hybridmandate.governance.gateway.errors import StoredResponse
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.messages import Body, HeaderMap, Response
from hybridmandate.governance.gateway.model_messages import prompt_messages
from hybridmandate.governance.gateway.policies.service_call import ServiceCallFailed, call_service
from hybridmandate.governance.gateway.registry import (
    INBOUND,
    OUTBOUND,
    ElementReader,
    Policy,
    policy,
)
from hybridmandate.governance.gateway.values import integer_of, text_of

_VERSION = "2024-10-21"
_NAMES = ("llm-semantic-cache", "azure-openai-semantic-cache")
_MOST_ENTRIES = 256
"""All are compared with each prompt, in the process that serves the other calls too."""
_MOST_BYTES = 2 * 1024 * 1024
_INDEX_SECONDS = 30 * 24 * 3600.0
_CALL_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class _Entry:
    vector: tuple[float, ...]
    expires: float
    response: Response
    scope: str
    path: str
    """The place of the policy that stored it."""


@dataclass(slots=True)
class _Index:
    """The answers of one API and one set of vary-by values; the oldest leave first."""

    entries: deque[_Entry] = field(default_factory=lambda: deque(maxlen=_MOST_ENTRIES))

    def nearest(self, vector: Sequence[float], now: float) -> tuple[float, _Entry] | None:
        """The distance and the answer that is nearest, of those that have not expired."""
        alive = [each for each in tuple(self.entries) if each.expires > now]
        pairs = ((distance(vector, each.vector), each) for each in alive)
        return min(pairs, key=lambda pair: pair[0], default=None)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the lookup of a call leaves for its store."""

    key: str
    vector: tuple[float, ...]


@policy(*(f"{name}-lookup" for name in _NAMES), sections=INBOUND, once=True)
class SemanticCacheLookup(Policy):
    """An earlier answer whose prompt is nearer than ``score-threshold`` is taken to outbound.

    The score is the cosine distance, 0 for the same meaning. Without embeddings the call goes on.
    """

    def __init__(self, reader: ElementReader) -> None:
        self._threshold = _threshold(reader)
        self._backend = reader.literal("embeddings-backend-id")
        reader.choice("embeddings-backend-auth", ("system-assigned",), "system-assigned")
        self._without_system = reader.flag("ignore-system-messages", False)
        self._most = (
            reader.integer("max-message-count", 0) if reader.has("max-message-count") else 0
        )
        self._vary = [each.content() for each in reader.children("vary-by")]

    async def act(self, exchange: Exchange) -> None:
        messages = prompt_messages(await exchange.request.body.buffer())
        if self._without_system:
            messages = [each for each in messages if each.role not in ("system", "developer")]
        if not messages or (self._most and len(messages) > self._most):
            return
        text = "\n".join(f"{each.role}: {each.text}" for each in messages)
        try:
            vector = await _embedding(exchange, self._backend, text)
        except ServiceCallFailed as error:
            exchange.services.telemetry(
                "semantic-cache.failed", self._backend, {"error": str(error)[:200]}
            )
            return
        varied = json.dumps([text_of(each.get(exchange)) for each in self._vary])
        key = f"semantic|{exchange.api.id}|{varied}"
        cache = exchange.services.cache
        index = cache.get(key)
        now = exchange.services.clock()
        # In a thread: comparing all takes milliseconds in which other calls should go on.
        found = (
            await asyncio.to_thread(index.nearest, vector, now)
            if isinstance(index, _Index)
            else None
        )
        if found is not None and found[0] <= self._threshold:
            entry = found[1]
            stored = entry.response
            exchange.response = Response(
                stored.status, stored.reason, stored.headers.copy(), Body(stored.body.content)
            )
            raise StoredResponse(entry.scope, entry.path)
        cache.put(_call_key(exchange), _Asked(key, vector), _CALL_SECONDS)


@policy(*(f"{name}-store" for name in _NAMES), sections=OUTBOUND, once=True)
class SemanticCacheStore(Policy):
    """Keeps an answer for ``duration`` seconds, when the lookup of this call missed.

    Only one of status 200, unless ``cache-response`` is true.
    """

    def __init__(self, reader: ElementReader) -> None:
        self._scope, self._path = reader.preparation.scope, reader.path
        self._duration = reader.number_value("duration", least=1)
        self._any_status = reader.flag_value("cache-response", False)

    async def act(self, exchange: Exchange) -> None:
        cache, key = exchange.services.cache, _call_key(exchange)
        asked = cache.get(key)
        cache.remove(key)
        response = exchange.response
        if not isinstance(asked, _Asked):
            return
        if response.status != 200 and not self._any_status.get(exchange):
            return
        content = await response.body.buffer()
        if len(content) > _MOST_BYTES:
            return
        kept = Response(
            response.status, response.reason, _kept_headers(response.headers), Body(content)
        )
        index = cache.get(asked.key)
        if not isinstance(index, _Index):
            index = _Index()
        expires = exchange.services.clock() + integer_of(self._duration.get(exchange))
        index.entries.append(_Entry(asked.vector, expires, kept, self._scope, self._path))
        cache.put(asked.key, index, _INDEX_SECONDS)


def distance(first: Sequence[float], second: Sequence[float]) -> float:
    """Cosine distance, 0 to 2; 2 for vectors that cannot be compared."""
    if len(first) != len(second):
        return 2.0
    length = math.hypot(*first) * math.hypot(*second)
    if not length:
        return 2.0
    product: float = sum(map(mul, first, second))
    return 1.0 - product / length


async def _embedding(exchange: Exchange, backend: str, text: str) -> tuple[float, ...]:
    found = await call_service(exchange, backend, "/embeddings", {"input": text}, _VERSION)
    try:
        return tuple(float(each) for each in found["data"][0]["embedding"])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ServiceCallFailed("the service's answer holds no embedding") from error


def _threshold(reader: ElementReader) -> float:
    text = reader.literal("score-threshold")
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0.0 <= number <= 1.0:
        reader.refuse(
            f"attribute 'score-threshold' of <{reader.name}> must be a number from 0.0 to 1.0",
            reader.attribute("score-threshold"),
        )
    return number


def _call_key(exchange: Exchange) -> str:
    return f"semantic-call|{exchange.id}"


def _kept_headers(headers: HeaderMap) -> HeaderMap:
    kept = headers.copy()
    for name in ("set-cookie", "content-length", "transfer-encoding", "connection"):
        kept.remove(name)
    return kept
