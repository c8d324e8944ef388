"""Tokens whose signature has been verified, by digest, so that RSA is not done at every call.

What is kept is only that this exact text was signed by a key of this exact key set: times and
claims are checked at each call. New keys make a new key-set identity, so nothing outlives them.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from hybridmandate.governance.gateway.json_web_token import CompactToken


class VerifiedTokens:
    """A bounded memory of verified tokens; the least recently used leave first."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._capacity = capacity
        self._tokens: OrderedDict[bytes, tuple[object, CompactToken]] = OrderedDict()

    @staticmethod
    def digest(raw: str) -> bytes:
        """The SHA-256 of a token's text; the text itself is not kept as a key."""
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
