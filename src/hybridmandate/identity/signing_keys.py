"""The issuer's signing keys: cached, renewed, never hammered.

Rules, all in seconds of the clock that is passed in:

* The set is renewed when it is older than ``max_age``; a key that left the issuer's JWKS therefore
  stops working within ``max_age``. While the issuer does not answer, known keys are believed until
  ``max_stale``, then nothing is.
* An unknown ``kid`` renews the set at once, but no two fetches start within ``min_interval``, all
  waiters share one fetch, and a ``kid`` that was not found is not asked for again within
  ``unknown_ttl``. A stranger who sends random tokens causes one fetch an interval, no more.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from hybridmandate.identity.principal import TokenRefused

FetchJwks = Callable[[], Awaitable[Mapping[str, Any]]]
"""Gets the JWKS document ``{"keys": […]}``; raises :class:`KeysUnavailable` when it cannot."""

MIN_KEY_BITS = 2048
_MAX_UNKNOWN = 1024
_MAX_KEYS = 64


class KeysUnavailable(Exception):
    """The issuer's keys could not be had."""


@dataclass(frozen=True, slots=True)
class KeyPolicy:
    """How long keys are believed and how often they are asked for, in seconds."""

    max_age: float = 300.0
    max_stale: float = 3600.0
    min_interval: float = 10.0
    unknown_ttl: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.min_interval <= self.max_age <= self.max_stale:
            raise ValueError("0 < min_interval <= max_age <= max_stale must hold")


class SigningKeys:
    """The keys of one issuer. ``generation`` changes whenever the set of keys does."""

    def __init__(
        self, fetch: FetchJwks, clock: Callable[[], float], policy: KeyPolicy | None = None
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._policy = policy or KeyPolicy()
        self._keys: dict[str, RSAKey] = {}
        self._fingerprint: frozenset[tuple[str, str, str]] = frozenset()
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._running: asyncio.Task[None] | None = None
        self.generation = 0

    def fresh(self) -> bool:
        """Whether the set may be used without asking the issuer."""
        return self._fetched_at is not None and self._age() < self._policy.max_age

    async def ensure_fresh(self) -> None:
        """Renew the set when it is too old.

        :raises TokenRefused: ``token.keys_unavailable`` when keys are older than ``max_stale``.
        """
        if self.fresh():
            return
        if self._may_ask():
            await self._renew()
        if self._fetched_at is None or self._age() >= self._policy.max_stale:
            raise TokenRefused(
                "token.keys_unavailable",
                "the issuer's signing keys cannot be had: no token can be verified; try later",
            )

    async def find(self, key_id: str) -> RSAKey:
        """The key of that id.

        :raises TokenRefused: ``token.key`` when the issuer does not publish it,
            ``token.keys_unavailable`` when the keys cannot be had.
        """
        await self.ensure_fresh()
        found = self._keys.get(key_id)
        if found is None and self._worth_asking(key_id):
            await self._renew()
            found = self._keys.get(key_id)
        if found is None:
            self._remember_unknown(key_id)
            raise TokenRefused("token.key", "the token is signed with a key that is not published")
        return found

    async def _renew(self) -> None:
        """One fetch for all who wait; a failed one is seen by the age of the set."""
        if self._running is None:
            self._running = asyncio.create_task(self._fetch_once())
        # Shielded: a caller that gives up must not end the fetch that others wait for.
        await asyncio.shield(self._running)

    async def _fetch_once(self) -> None:
        self._tried_at = self._clock()
        try:
            document = await self._fetch()
            self._take(document)
        except KeysUnavailable:
            return
        finally:
            self._running = None

    def _take(self, document: Mapping[str, Any]) -> None:
        keys = _usable_keys(document)
        if not keys:
            raise KeysUnavailable("the document holds no usable RSA signing key")
        fingerprint = frozenset((kid, *_numbers(key)) for kid, key in keys.items())
        if fingerprint != self._fingerprint:
            self._keys, self._fingerprint = keys, fingerprint
            self.generation += 1
        self._fetched_at = self._clock()

    def _age(self) -> float:
        return self._clock() - (self._fetched_at or 0.0)

    def _worth_asking(self, key_id: str) -> bool:
        if self._running is not None:
            return True
        return self._may_ask() and not self._known_unknown(key_id)

    def _may_ask(self) -> bool:
        if self._running is not None:
            return True
        tried = self._tried_at
        return tried is None or self._clock() - tried >= self._policy.min_interval

    def _known_unknown(self, key_id: str) -> bool:
        since = self._unknown.get(key_id)
        return since is not None and self._clock() - since < self._policy.unknown_ttl

    def _remember_unknown(self, key_id: str) -> None:
        if self._known_unknown(key_id):
            return
        self._unknown[key_id] = self._clock()
        self._unknown.move_to_end(key_id)
        if len(self._unknown) > _MAX_UNKNOWN:
            self._unknown.popitem(last=False)


def _usable_keys(document: Mapping[str, Any]) -> dict[str, RSAKey]:
    entries = document.get("keys")
    if not isinstance(entries, list):
        raise KeysUnavailable("the JWKS document has no list of keys")
    found: dict[str, RSAKey] = {}
    for entry in entries[:_MAX_KEYS]:
        if not isinstance(entry, dict) or entry.get("kty") != "RSA":
            continue
        kid, modulus, exponent = entry.get("kid"), entry.get("n"), entry.get("e")
        texts = isinstance(modulus, str) and isinstance(exponent, str) and isinstance(kid, str)
        if entry.get("use", "sig") != "sig" or not texts:
            continue
        try:
            # Only the public numbers are taken: nothing else in the entry can steer the key.
            key = RSAKey.import_key({"kty": "RSA", "n": str(modulus), "e": str(exponent)})
            size = key.public_key.key_size
        except (JoseError, ValueError, TypeError):
            continue
        if size >= MIN_KEY_BITS:
            found[str(kid)] = key
    return found


def _numbers(key: RSAKey) -> tuple[str, str]:
    public = key.as_dict(private=False)
    return str(public["n"]), str(public["e"])
