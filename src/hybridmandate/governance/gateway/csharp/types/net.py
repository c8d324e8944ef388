"""Uri, WebUtility, IPAddress and form-encoded content."""

from __future__ import annotations

import html
import ipaddress
import re
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote, unquote_plus, urljoin, urlsplit

from hybridmandate.governance.gateway.csharp.collections import Array
from hybridmandate.governance.gateway.csharp.failures import (
    ExpressionFailure,
    argument_null,
    bad_format,
    invalid_operation,
)
from hybridmandate.governance.gateway.csharp.text import as_text
from hybridmandate.governance.gateway.csharp.types.table import OBJECT, ClrType, Run, enumeration

MAX_URI: Final = 65_519
"""Characters of a URI, as .NET limits them."""
_PORTS: Final = {"http": 80, "https": 443, "ftp": 21, "ws": 80, "wss": 443}
UNRESERVED: Final = "-._~"

KINDS: Final = enumeration(
    "UriKind", "System.UriKind", ["RelativeOrAbsolute", "Absolute", "Relative"]
)
PARTS: Final = enumeration(
    "UriPartial", "System.UriPartial", ["Scheme", "Authority", "Path", "Query"]
)


class Uri:
    """System.Uri."""

    __slots__ = ("original", "parts")
    clr_name = "System.Uri"

    def __init__(self, text: Any, relative: Any = None) -> None:
        if text is None:
            raise argument_null("uriString")
        kind = relative.label if hasattr(relative, "label") else "Absolute"
        joined = relative is not None and not hasattr(relative, "label")
        whole = urljoin(as_text(text), as_text(relative)) if joined else as_text(text)
        self.original = whole
        try:
            self.parts = urlsplit(whole.strip())
            _ = self.parts.port
        except ValueError:
            raise _bad("Invalid URI: The hostname or port could not be parsed.") from None
        if len(whole) > MAX_URI:
            raise _bad("Invalid URI: The Uri string is too long.")
        if not self.absolute and kind == "Absolute":
            raise _bad("Invalid URI: The format of the URI could not be determined.")

    @property
    def absolute(self) -> bool:
        """Whether it has a scheme."""
        parts = self.parts
        return bool(parts.scheme) and (bool(parts.netloc) or parts.scheme not in _PORTS)

    @property
    def port(self) -> int:
        """The port, that of the scheme when none is given, else -1."""
        given = self.parts.port
        return _PORTS.get(self.parts.scheme, -1) if given is None else given

    @property
    def authority(self) -> str:
        """Host, with the port where it is not the scheme's own."""
        host = self.parts.hostname or ""
        return host if self.port in (_PORTS.get(self.parts.scheme), -1) else f"{host}:{self.port}"

    @property
    def path(self) -> str:
        """The path, at least a slash."""
        return quote(self.parts.path, safe="/%:@!$&'()*+,;=-._~") or "/"

    @property
    def query(self) -> str:
        """With its question mark, or empty."""
        return f"?{self.parts.query}" if self.parts.query else ""

    def clr_text(self) -> str:
        """The URI."""
        if not self.absolute or not self.parts.netloc:
            return self.original
        fragment = f"#{self.parts.fragment}" if self.parts.fragment else ""
        return f"{self.parts.scheme}://{self.authority}{self.path}{self.query}{fragment}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Uri) and self.clr_text() == other.clr_text()

    def __hash__(self) -> int:
        return hash(self.clr_text())


def _bad(message: str) -> ExpressionFailure:
    return ExpressionFailure(message, "UriFormatException")


def _only_absolute(uri: Uri) -> Uri:
    if not uri.absolute:
        raise invalid_operation("This operation is not supported for a relative URI.")
    return uri


def try_create(text: Any, kind: Any) -> tuple[bool, Uri | None]:
    """``Uri.TryCreate``."""
    try:
        return True, Uri(text, kind)
    except ExpressionFailure:
        return False, None


def left_part(uri: Uri, part: Any) -> str:
    """``GetLeftPart``."""
    scheme = f"{uri.parts.scheme}://"
    parts = {"Scheme": scheme, "Authority": scheme + uri.authority}
    parts["Path"] = parts["Authority"] + uri.path
    parts["Query"] = parts["Path"] + uri.query
    return parts[part.label]


def _segments(uri: Uri) -> Array:
    return Array([part for part in re.split(r"(?<=/)", uri.path) if part], "string")


URI: Final = ClrType("Uri", "System.Uri", Uri, base=OBJECT)
URI.constructed_by(Uri)
for _label, _get in {
    "Scheme": lambda u: u.parts.scheme, "Host": lambda u: u.parts.hostname or "",
    "DnsSafeHost": lambda u: u.parts.hostname or "", "Authority": lambda u: u.authority,
    "AbsolutePath": lambda u: u.path, "LocalPath": lambda u: unquote(u.path),
    "Query": lambda u: u.query, "PathAndQuery": lambda u: u.path + u.query,
    "AbsoluteUri": lambda u: u.clr_text(), "OriginalString": lambda u: u.original,
    "Fragment": lambda u: f"#{u.parts.fragment}" if u.parts.fragment else "",
    "UserInfo": lambda u: (u.parts.netloc.rpartition("@")[0]),
}.items():  # fmt: skip
    _raw = _label == "OriginalString"
    URI.property(_label, _get if _raw else lambda u, g=_get: g(_only_absolute(u)), "string")
URI.property("Port", lambda u: u.port, "int")
URI.property("IsAbsoluteUri", lambda u: u.absolute, "bool")
URI.property("IsDefaultPort", lambda u: u.port == _PORTS.get(u.parts.scheme), "bool")
URI.property("Segments", _segments, "string[]")
URI.method("GetLeftPart", left_part, "string")


def escaped(text: Any, safe: str) -> str:
    """A text with everything but letters, digits and the safe signs in percent form."""
    if text is None:
        raise argument_null("stringToEscape")
    return quote(as_text(text), safe=safe)


URI.static("EscapeDataString", lambda run, text: _paid(run, escaped(text, UNRESERVED)), "string")
URI.static(
    "EscapeUriString", lambda text: escaped(text, UNRESERVED + ":/?#[]@!$&'()*+,;=%"), "string"
)
URI.static("UnescapeDataString", lambda text: unquote(_given(text, "stringToUnescape")), "string")
URI.static("TryCreate", try_create, "bool", outs=1)
URI.static("IsWellFormedUriString", lambda text, kind: try_create(text, kind)[0], "bool")


def _paid(run: Run, text: str) -> str:
    run.budget.allocate(len(text))
    return text


def _given(text: Any, name: str = "value") -> str:
    if text is None:
        raise argument_null(name)
    return as_text(text)


def url_encode(value: Any) -> Any:
    """``WebUtility.UrlEncode``: spaces as plus, upper-case hex."""
    return None if value is None else quote_plus(as_text(value), safe="-_.!*()").replace("~", "%7E")


def html_encode(value: Any) -> Any:
    """``WebUtility.HtmlEncode``."""
    if value is None:
        return None
    encoded = html.escape(as_text(value), quote=False).replace('"', "&quot;").replace("'", "&#39;")
    return re.sub("[\u00a0-\u00ff]|[\U00010000-\U0010ffff]", lambda m: f"&#{ord(m[0])};", encoded)


WEB: Final = ClrType("WebUtility", "System.Net.WebUtility", base=OBJECT)
HTTP_UTILITY: Final = ClrType("HttpUtility", "System.Web.HttpUtility", base=OBJECT)
for _made in (WEB, HTTP_UTILITY):
    _made.static("UrlEncode", url_encode, "string")
    _made.static(
        "UrlDecode", lambda value: None if value is None else unquote_plus(as_text(value)), "string"
    )
    _made.static("HtmlEncode", html_encode, "string")
    _made.static(
        "HtmlDecode",
        lambda value: None if value is None else html.unescape(as_text(value)),
        "string",
    )


# IPAddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class IPAddress:
    """System.Net.IPAddress."""

    __slots__ = ("address",)

    def __init__(self, address: Address) -> None:
        self.address = address

    def clr_text(self) -> str:
        """The text form."""
        return str(self.address)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IPAddress) and self.address == other.address

    def __hash__(self) -> int:
        return hash(self.address)


def parse_address(text: Any) -> IPAddress:
    """``IPAddress.Parse``."""
    try:
        return IPAddress(ipaddress.ip_address(_given(text, "ipString").strip("[] ")))
    except ValueError:
        raise bad_format("An invalid IP address was specified.") from None


def try_parse_address(text: Any) -> tuple[bool, IPAddress | None]:
    """``IPAddress.TryParse``."""
    try:
        return True, parse_address(text)
    except ExpressionFailure:
        return False, None


def of_bytes(data: Any) -> IPAddress:
    """``new IPAddress(bytes)``."""
    try:
        return IPAddress(ipaddress.ip_address(bytes(data)))
    except ValueError:
        raise bad_format("An invalid IP address was specified.") from None


FAMILY: Final = enumeration(
    "AddressFamily", "System.Net.Sockets.AddressFamily", {"InterNetwork": 2, "InterNetworkV6": 23}
)
ADDRESS: Final = ClrType("IPAddress", "System.Net.IPAddress", IPAddress, base=OBJECT)
ADDRESS.constructed_by(of_bytes)
ADDRESS.constant("Loopback", IPAddress(ipaddress.ip_address("127.0.0.1")), "IPAddress")
ADDRESS.constant("Any", IPAddress(ipaddress.ip_address(0)), "IPAddress")
ADDRESS.static("Parse", parse_address, "IPAddress")
ADDRESS.static("TryParse", try_parse_address, "bool", outs=1)
ADDRESS.static("IsLoopback", lambda address: address.address.is_loopback, "bool")
ADDRESS.method("GetAddressBytes", lambda a: bytearray(a.address.packed), "byte[]")
ADDRESS.property(
    "AddressFamily",
    lambda a: FAMILY.values["InterNetwork" if a.address.version == 4 else "InterNetworkV6"],
    "AddressFamily",
)
ADDRESS.method(
    "MapToIPv4",
    lambda a: IPAddress(getattr(a.address, "ipv4_mapped", None) or a.address),
    "IPAddress",
)


def network_order(run: Run, value: Any) -> Any:
    """``HostToNetworkOrder``: the bytes the other way round."""
    size = {"Short": 2, "Long": 8}.get(type(value).__name__, 4)
    flipped = int(value).to_bytes(size, "little", signed=True)
    return type(value)(int.from_bytes(flipped, "big", signed=True))


ADDRESS.static("HostToNetworkOrder", network_order, "")
ADDRESS.static("NetworkToHostOrder", network_order, "")
