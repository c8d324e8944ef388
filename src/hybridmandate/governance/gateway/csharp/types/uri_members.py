"""Members of Uri and WebUtility that are asked for less often.

Source: learn.microsoft.com, .NET API browser, System.Uri and System.Net.WebUtility.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

from hybridmandate.governance.gateway.csharp.failures import argument, out_of_range
from hybridmandate.governance.gateway.csharp.types.net import KINDS, URI, WEB, Uri
from hybridmandate.governance.gateway.csharp.types.table import enumeration


def url_encode_bytes(value: Any, offset: int = 0, count: int | None = None) -> bytearray | None:
    """``UrlEncodeToBytes``."""
    if value is None:
        return None
    part = bytes(value[offset:] if count is None else value[offset : offset + count])
    return bytearray(quote_from_bytes(part, safe="-_.!*() ").replace(" ", "+").encode())


def url_decode_bytes(value: Any, offset: int = 0, count: int | None = None) -> bytearray | None:
    """``UrlDecodeToBytes``."""
    if value is None:
        return None
    part = bytes(value[offset:] if count is None else value[offset : offset + count])
    return bytearray(unquote_to_bytes(part.replace(b"+", b" ")))


WEB.static("UrlEncodeToBytes", url_encode_bytes, "byte[]")
WEB.static("UrlDecodeToBytes", url_decode_bytes, "byte[]")
HOST_TYPE: Final = enumeration(
    "UriHostNameType", "System.UriHostNameType",
    ["Unknown", "Basic", "Dns", "IPv4", "IPv6"],
)  # fmt: skip
_LABELS: Final = re.compile(r"(?!\d+(\.\d+){3}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?"
                            r"(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?")  # fmt: skip


def host_kind(name: Any) -> Any:
    """``CheckHostName``."""
    text = str(name or "")
    quads = text.split(".")
    if len(quads) == 4 and all(q.isdecimal() and int(q) < 256 for q in quads):
        return HOST_TYPE.values["IPv4"]
    if ":" in text:
        return HOST_TYPE.values["IPv6"]
    return HOST_TYPE.values["Dns" if _LABELS.fullmatch(text) else "Unknown"]


def is_base_of(uri: Uri, other: Uri) -> bool:
    """``IsBaseOf``: the same server, and its path up to the last slash begins the other's."""
    folder = uri.path.rpartition("/")[0] + "/"
    return (
        uri.parts.scheme == other.parts.scheme
        and uri.authority.lower() == other.authority.lower()
        and (other.path + "/").startswith(folder)
    )


def relative_to(uri: Uri, other: Uri) -> Uri:
    """``MakeRelativeUri``."""
    if (uri.parts.scheme, uri.authority) != (other.parts.scheme, other.authority):
        return other
    mine, theirs = uri.path.split("/")[:-1], other.path.split("/")
    shared = 0
    while shared < min(len(mine), len(theirs) - 1) and mine[shared] == theirs[shared]:
        shared += 1
    path = "/".join([*[".."] * (len(mine) - shared), *theirs[shared:]])
    return Uri(path + other.query, KINDS.values["Relative"])


def hex_escape(character: str) -> str:
    """``HexEscape`` of a character up to 255."""
    if ord(character) > 255:
        raise out_of_range("character")
    return f"%{ord(character):02X}"


def from_hex_digit(digit: str) -> int:
    """``FromHex``."""
    if digit not in "0123456789abcdefABCDEF":
        raise argument("digit")
    return int(digit, 16)


URI.property("HostNameType", lambda u: host_kind(u.parts.hostname), "UriHostNameType")
URI.property("IdnHost", lambda u: u.parts.hostname or "", "string")
URI.property("IsFile", lambda u: u.parts.scheme == "file", "bool")
URI.property("IsUnc", lambda u: u.parts.scheme == "file" and bool(u.parts.netloc), "bool")
URI.property(
    "IsLoopback", lambda u: (u.parts.hostname or "") in ("localhost", "127.0.0.1", "::1"), "bool"
)
URI.property("UserEscaped", lambda u: False, "bool")
URI.method("IsBaseOf", is_base_of, "bool")
URI.method("MakeRelativeUri", relative_to, "Uri")
URI.method(
    "IsWellFormedOriginalString", lambda u: not re.search(r'[\s<>"{}|\\^`]', u.original), "bool"
)
URI.static("CheckHostName", host_kind, "UriHostNameType")
URI.static(
    "CheckSchemeName",
    lambda name: re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", str(name or "")) is not None,
    "bool",
)
URI.static("HexEscape", hex_escape, "string")
URI.static("FromHex", from_hex_digit, "int")
URI.static("IsHexDigit", lambda c: c in "0123456789abcdefABCDEF", "bool")
URI.static(
    "IsHexEncoding",
    lambda pattern, index: re.match("%[0-9a-fA-F]{2}", pattern[index:]) is not None,
    "bool",
)
for _name, _value in (
    ("UriSchemeHttp", "http"), ("UriSchemeHttps", "https"), ("UriSchemeFile", "file"),
    ("UriSchemeFtp", "ftp"), ("UriSchemeMailto", "mailto"), ("SchemeDelimiter", "://"),
):  # fmt: skip
    URI.constant(_name, _value, "string")
