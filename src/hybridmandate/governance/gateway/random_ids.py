"""Ids of calls: random UUIDs as text."""

from __future__ import annotations

import os
from collections.abc import Callable

_AT_ONCE = 256
"""So many ids are made of one read: asking the system for each costs several times as much."""


class RandomIds:
    """UUIDs of version 4 (RFC 9562), without the detour over an object.

    One of these belongs to one process: copies in forked processes would give the same ids.
    """

    __slots__ = ("_at", "_digits", "_random")

    def __init__(self, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._random = random_bytes
        self._digits = ""
        self._at = 0

    def new(self) -> str:
        """The next id."""
        at = self._at
        if at == len(self._digits):
            self._digits, at = self._random(16 * _AT_ONCE).hex(), 0
        self._at = at + 32
        digits = self._digits[at : at + 32]
        variant = "89ab"[int(digits[16], 16) & 3]
        return (
            f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
        )
