"""URI parsing functions, on absolute URIs."""

from __future__ import annotations

from hybridmandate.orchestration.expressions.bounds import Frame
from hybridmandate.orchestration.expressions.dotnet.uris import Uri, parse_uri
from hybridmandate.orchestration.expressions.errors import FunctionFault
from hybridmandate.orchestration.expressions.registry import Family, required
from hybridmandate.orchestration.expressions.values import TEXT

parsing = Family("URI parsing")


def _read(uri: str) -> Uri:
    found = parse_uri(uri)
    if found is None:
        raise FunctionFault(
            "The value is not an absolute URI", argument=1, expected="an absolute URI", value=uri
        )
    return found


@parsing.function(
    "uriHost",
    required("uri", TEXT),
    example="uriHost('https://www.contoso.com:8080')",
    gives="www.contoso.com",
)
def uri_host(frame: Frame, uri: str) -> str:
    """The host of a URI."""
    return _read(uri).host


@parsing.function(
    "uriPath",
    required("uri", TEXT),
    example="uriPath('https://www.contoso.com/catalog/new.htm?date=today')",
    gives="/catalog/new.htm",
)
def uri_path(frame: Frame, uri: str) -> str:
    """The path of a URI, / when it has none."""
    return _read(uri).path


@parsing.function(
    "uriPathAndQuery",
    required("uri", TEXT),
    example="uriPathAndQuery('https://www.contoso.com/catalog/new.htm?date=today')",
    gives="/catalog/new.htm?date=today",
)
def uri_path_and_query(frame: Frame, uri: str) -> str:
    """The path of a URI with its query."""
    found = _read(uri)
    return f"{found.path}{found.query}"


@parsing.function(
    "uriPort", required("uri", TEXT), example="uriPort('https://www.contoso.com:8080')", gives=8080
)
def uri_port(frame: Frame, uri: str) -> int:
    """The port of a URI, the scheme's own when it names none, else -1."""
    return _read(uri).port


@parsing.function(
    "uriQuery",
    required("uri", TEXT),
    example="uriQuery('https://www.contoso.com/catalog/new.htm?date=today')",
    gives="?date=today",
)
def uri_query(frame: Frame, uri: str) -> str:
    """The query of a URI with its ?, or nothing."""
    return _read(uri).query


@parsing.function(
    "uriScheme",
    required("uri", TEXT),
    example="uriScheme('https://www.contoso.com')",
    gives="https",
)
def uri_scheme(frame: Frame, uri: str) -> str:
    """The scheme of a URI."""
    return _read(uri).scheme
