"""``Jwt`` and ``BasicAuthCredentials``: what ``AsJwt`` and ``AsBasic`` make of a header's text.

Reading a token here checks nothing; that is what ``validate-jwt`` is for.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.context import MappingValues
from hybridmandate.governance.gateway.csharp.dates import TICKS, UNIX_TICKS, DateTime

MAX_TOKEN: Final = 64 * 1024
_MAX_SECONDS: Final = 253_402_300_799


class Jwt:
    """A decoded JSON Web Token; ``text`` is the compact form when it is known."""

    def __init__(self, header: dict[str, Any], claims: dict[str, Any], text: str = "") -> None:
        self.header = header
        self.raw = claims
        self.text = text
        self.claims = MappingValues({name: _texts(value) for name, value in claims.items()})

    def clr_text(self) -> str:
        """The compact form."""
        return self.text

    def claim(self, name: str) -> str | None:
        """A registered claim as text."""
        values = self.claims.values(name)
        return values[0] if values else None

    def moment(self, name: str) -> DateTime | None:
        """A claim in seconds since the epoch as UTC time."""
        value = self.raw.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if not 0 <= value <= _MAX_SECONDS:
            return None
        return DateTime(UNIX_TICKS + int(value * TICKS), "Utc")


def _texts(value: Any) -> Sequence[str]:
    items: Iterable[Any] = value if isinstance(value, list) else [value]
    return [item if isinstance(item, str) else _compact(item) for item in items]


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _part(text: str) -> Any:
    padded = text + "=" * (-len(text) % 4)
    return json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))


def decode_jwt(text: str | None) -> Jwt | None:
    """The token in a text, with or without ``Bearer``; None when it is no JWT."""
    if not text or len(text) > MAX_TOKEN:
        return None
    compact = text.strip()
    if compact[:7].lower() == "bearer ":
        compact = compact[7:].strip()
    parts = compact.split(".")
    if len(parts) != 3:
        return None
    try:
        header, claims = _part(parts[0]), _part(parts[1])
    except (ValueError, binascii.Error, RecursionError):
        return None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        return None
    return Jwt(header, claims, compact)


class BasicCredentials:
    """User id and password of an ``Authorization: Basic`` header."""

    __slots__ = ("password", "user_id")

    def __init__(self, user_id: str, password: str) -> None:
        self.user_id = user_id
        self.password = password


def decode_basic(text: str | None) -> BasicCredentials | None:
    """The credentials in a text, with or without ``Basic``; None when there are none."""
    if not text or len(text) > MAX_TOKEN:
        return None
    encoded = text.strip()
    if encoded[:6].lower() == "basic ":
        encoded = encoded[6:].strip()
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (ValueError, binascii.Error):
        return None
    return BasicCredentials(user, password) if colon else None
