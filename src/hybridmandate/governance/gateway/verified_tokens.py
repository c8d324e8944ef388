"""What is remembered of tokens, so that neither RSA nor their claims are done at every call.

Two things are kept, each for one exact text. *Verified*: it was signed by a key of this exact key
set. *Accepted*: one policy, whose demands are the same in every call, found all of them met; that
holds while the time lies within the token's own bounds and the issuers' keys are still the very
ones that verified it. New keys make a new key-set identity, so nothing outlives them.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from hybridmandate.governance.gateway.json_web_token import CompactToken


class CurrentKeys(Protocol):
    """Where an issuer's keys are kept."""

    def current(self, url: str) -> object | None:
        """The key set of an OpenID configuration, None when somebody has to be asked for it."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """A token that met all of a policy's demands.

    It does so from ``begins`` until before ``ends`` (seconds since the epoch), with these key sets
    by the URL of their OpenID configuration.
    """

    token: CompactToken
    begins: float
    ends: float
    keys: Mapping[str, object]

    def holds(self, now: float, current: CurrentKeys) -> bool:
        """Whether nothing has changed that it rests on."""
        if not self.begins <= now < self.ends:
            return False
        return all(current.current(url) is keys for url, keys in self.keys.items())


class VerifiedTokens:
    """A bounded memory of tokens; of each kind the least recently used leave first."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._tokens: OrderedDict[bytes, tuple[object, CompactToken]] = OrderedDict()
        self._accepted: OrderedDict[tuple[object, str], Acceptance] = OrderedDict()

    @staticmethod
    def digest(raw: str) -> bytes:
        """The SHA-256 of a token's text."""
        return hashlib.sha256(raw.encode("utf-8", "surrogateescape")).digest()

    def find(self, digest: bytes) -> tuple[object, CompactToken] | None:
        """The token and the key set that verified it; it holds for that very object only."""
        entry = self._tokens.get(digest)
        if entry is not None:
            self._tokens.move_to_end(digest)
        return entry

    def keep(self, digest: bytes, keys: object, token: CompactToken) -> None:
        """Remember a verified token with the key set that verified it."""
        self._tokens[digest] = (keys, token)
        while len(self._tokens) > self._capacity:
            self._tokens.popitem(last=False)

    def accepted(self, demands: object, text: str) -> Acceptance | None:
        """What was accepted before for the same demands from the same text; ask if it holds."""
        key = (demands, text)
        found = self._accepted.get(key)
        if found is not None:
            self._accepted.move_to_end(key)
        return found

    def accept(self, demands: object, text: str, found: Acceptance) -> None:
        """Remember that a text met all demands; ``demands`` are known by their identity."""
        self._accepted[demands, text] = found
        while len(self._accepted) > self._capacity:
            self._accepted.popitem(last=False)
