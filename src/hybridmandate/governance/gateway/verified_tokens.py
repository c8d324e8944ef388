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
from typing import Generic, Protocol, TypeVar

from hybridmandate.governance.gateway.json_web_token import CompactToken

K = TypeVar("K")
V = TypeVar("V")


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


class RecentlyUsed(Generic[K, V]):
    """A bounded memory: so many entries, with so many characters of text between them.

    The least recently used leave first. A text that is longer than all together may be is not kept.
    """

    def __init__(self, entries: int, characters: int) -> None:
        self._entries = entries
        self._characters = characters
        self._used = 0
        self._kept: OrderedDict[K, tuple[int, V]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """What is kept, used just now."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[1]

    def put(self, key: K, value: V, characters: int) -> None:
        """Keep a value that holds so many characters, in the place of an earlier one."""
        replaced = self._kept.pop(key, None)
        self._used += characters - (0 if replaced is None else replaced[0])
        self._kept[key] = (characters, value)
        while self._used > self._characters or len(self._kept) > self._entries:
            self._used -= self._kept.popitem(last=False)[1][0]


class VerifiedTokens:
    """A bounded memory of tokens; of each kind the least recently used leave first.

    ``characters`` bounds the texts of each kind: a token may be 16 KiB long, a usual one has two.
    """

    def __init__(self, capacity: int = 10_000, characters: int = 16 * 1024 * 1024) -> None:
        self._tokens: RecentlyUsed[bytes, tuple[object, CompactToken]]
        self._tokens = RecentlyUsed(capacity, characters)
        self._accepted: RecentlyUsed[tuple[object, str], Acceptance]
        self._accepted = RecentlyUsed(capacity, characters)

    @staticmethod
    def digest(raw: str) -> bytes:
        """The SHA-256 of a token's text."""
        return hashlib.sha256(raw.encode("utf-8", "surrogateescape")).digest()

    def find(self, digest: bytes) -> tuple[object, CompactToken] | None:
        """The token and the key set that verified it; it holds for that very object only."""
        return self._tokens.get(digest)

    def keep(self, digest: bytes, keys: object, token: CompactToken) -> None:
        """Remember a verified token with the key set that verified it."""
        self._tokens.put(digest, (keys, token), len(token.raw))

    def accepted(self, demands: object, text: str) -> Acceptance | None:
        """What was accepted before for the same demands from the same text; ask if it holds."""
        return self._accepted.get((demands, text))

    def accept(self, demands: object, text: str, found: Acceptance) -> None:
        """Remember that a text met all demands; ``demands`` are known by their identity."""
        self._accepted.put((demands, text), found, len(text))
