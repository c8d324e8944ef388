"""URI parsing functions, on absolute URIs."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from hybridmandate.orchestration.expressions.bounds import Frame
from hybridmandate.orchestration.expressions.errors import FunctionFault
from hybridmandate.orchestration.expressions.registry import Family, required
from hybridmandate.orchestration.expressions.values import TEXT

parsing = Family("URI parsing")
_PORTS = {"http": 80, "https": 443, "ftp": 21, "ws": 80, "wss": 443}


def _split(uri: str) -> SplitResult:
    try:
        found = urlsplit(uri.strip())
        absolute = bool(found.scheme and found.hostname) and (found.port or 0) >= 0
    except ValueError as wrong:
        raise _no_uri(uri) from wrong
    if not absolute:
        raise _no_uri(uri)
    return found


def _no_uri(uri: str) -> FunctionFault:
    return FunctionFault(
        "The value is not an absolute URI", argument=1, expected="an absolute URI", value=uri
    )


@parsing.function(
    "uriHost",
    required("uri", TEXT),
    example="uriHost('https://www.contoso.com:8080')",
    gives="www.contoso.com",
)
def uri_host(frame: Frame, uri: str) -> str:
    """The host of a URI."""
    host = _split(uri).hostname or ""
    return f"[{host}]" if ":" in host else host


@parsing.function(
    "uriPath",
    required("uri", TEXT),
    example="uriPath('https://www.contoso.com/catalog/new.htm?date=today')",
    gives="/catalog/new.htm",
)
def uri_path(frame: Frame, uri: str) -> str:
    """The path of a URI, / when it has none."""
    return _split(uri).path or "/"


@parsing.function(
    "uriPathAndQuery",
    required("uri", TEXT),
    example="uriPathAndQuery('https://www.contoso.com/catalog/new.htm?date=today')",
    gives="/catalog/new.htm?date=today",
)
def uri_path_and_query(frame: Frame, uri: str) -> str:
    """The path of a URI with its query."""
    return f"{uri_path(frame, uri)}{uri_query(frame, uri)}"


@parsing.function(
    "uriPort", required("uri", TEXT), example="uriPort('https://www.contoso.com:8080')", gives=8080
)
def uri_port(frame: Frame, uri: str) -> int:
    """The port of a URI, the scheme's own when it names none, else -1."""
    found = _split(uri)
    return found.port if found.port is not None else _PORTS.get(found.scheme, -1)


@parsing.function(
    "uriQuery",
    required("uri", TEXT),
    example="uriQuery('https://www.contoso.com/catalog/new.htm?date=today')",
    gives="?date=today",
)
def uri_query(frame: Frame, uri: str) -> str:
    """The query of a URI with its ?, or nothing."""
    query = _split(uri).query
    return f"?{query}" if query else ""


@parsing.function(
    "uriScheme",
    required("uri", TEXT),
    example="uriScheme('https://www.contoso.com')",
    gives="https",
)
def uri_scheme(frame: Frame, uri: str) -> str:
    """The scheme of a URI."""
    return _split(uri).scheme
