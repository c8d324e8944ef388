"""Absolute URIs as .NET's ``System.Uri`` reads them: escaped, no dot segments, lower-case host.

Source: .NET documentation, ``Uri`` (``Host``, ``Port``, ``AbsolutePath``, ``Query``, ``Scheme``).
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote

_URI = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):"
    r"(?://(?P<authority>[^/?#]*))?(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:#.*)?",
    re.DOTALL,
)
_AUTHORITY = re.compile(
    r"(?:[^@]*@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^:@\[\]\s]*)(?::(?P<port>[0-9]{0,8}))?"
)
_PORTS = {"ftp": 21, "http": 80, "https": 443, "ws": 80, "wss": 443}
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_SAFE = "%/:@!$&'()*+,;=-._~"
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_HIGHEST_PORT = 65_535


class Uri(NamedTuple):
    """The parts of an absolute URI. ``port`` is -1 where the scheme has none of its own."""

    scheme: str
    host: str
    port: int
    path: str
    query: str


def parse_uri(text: str) -> Uri | None:
    """The URI of a text, None when it is none or has no scheme."""
    found = _URI.fullmatch(text.strip())
    if found is None:
        return None
    scheme, authority = found["scheme"].lower(), found["authority"]
    place = _place(scheme, authority)
    if place is None:
        return None
    path = found["path"]
    if authority is not None:
        path = _without_dots(path) or "/"
    query = found["query"]
    return Uri(
        scheme, *place, _escaped(path, _SAFE), f"?{_escaped(query, _SAFE + '?')}" if query else ""
    )


def _place(scheme: str, authority: str | None) -> tuple[str, int] | None:
    """Host and port; None when the scheme needs a host that is not there, or the port is none."""
    default = _PORTS.get(scheme, -1)
    if not authority:
        return None if scheme in _PORTS else ("", default)
    found = _AUTHORITY.fullmatch(authority)
    if found is None or not found["host"]:
        return None
    port = int(found["port"]) if found["port"] else default
    return (found["host"].lower(), port) if port <= _HIGHEST_PORT else None


def _without_dots(path: str) -> str:
    """The path with ``.`` and ``..`` applied (RFC 3986, 5.2.4)."""
    if "." not in path:
        return path
    kept: list[str] = []
    *before, last = path.split("/")[1:]
    for segment in before:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if last == "..":
        del kept[-1:]
    kept.append("" if last in (".", "..") else last)
    return "/" + "/".join(kept)


def _escaped(text: str, safe: str) -> str:
    """What is unsafe escaped, and what needs no escape as it is."""

    def plain(found: re.Match[str]) -> str:
        if found[1] is None:
            return "%25"
        character = chr(int(found[1], 16))
        return character if _UNRESERVED.fullmatch(character) else found[0]

    return quote(_ESCAPE.sub(plain, text), safe=safe)
