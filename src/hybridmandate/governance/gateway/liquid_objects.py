"""What Liquid templates of set-body bind: ``body``, and ``context`` with its requests and URLs.

Source: set-body-policy page, context object, ``xsi-nil`` and ``parse-date``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lxml import etree

from hybridmandate.governance.gateway.csharp import ExpressionFailure, as_text
from hybridmandate.governance.gateway.csharp.dates import DateTime, parse_offset
from hybridmandate.governance.gateway.messages import HeaderMap, Url

if TYPE_CHECKING:
    from hybridmandate.governance.gateway.exchange import Exchange

_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?")
_MICROSOFT = re.compile(r"/Date\((-?\d{1,14})(?:[+-]\d{4})?\)/")
_EPOCH_TICKS = 621_355_968_000_000_000
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


class LiquidDate(str):
    """A date of the body: as text ``MM/dd/yyyy HH:mm:ss``, in the Date filter the moment."""

    __slots__ = ("moment",)
    moment: DateTime

    def __new__(cls, moment: DateTime) -> LiquidDate:
        made = super().__new__(cls, as_text(moment))
        made.moment = moment
        return made


class _Names(dict[str, Any]):
    """Members that are found by names without regard to case."""

    def __getitem__(self, name: str) -> Any:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())


class _Address(dict[str, Any]):
    """A URL with its parts, and as text the whole of it."""

    def __str__(self) -> str:
        return str(self["ToString"])


def moment_of(text: str) -> DateTime | None:
    """The UTC moment that a date-formatted text tells, None for any other text."""
    written = _MICROSOFT.fullmatch(text)
    if written is not None:
        return DateTime(_EPOCH_TICKS + int(written[1]) * 10_000, "Utc")
    if _ISO.fullmatch(text) is None:
        return None
    try:
        return DateTime(parse_offset(text).utc_ticks, "Utc")
    except ExpressionFailure:
        return None


class LiquidContent:
    """How a body is read: whether dates are parsed, and what a nil element is."""

    def __init__(self, *, parse_date: bool, nil: str | None) -> None:
        self._parse_date = parse_date
        self._nil = nil

    def read(self, body: bytes, kind: str) -> Any:
        """JSON as its values, XML as nested members, anything else as text."""
        if not body:
            return ""
        if "xml" in kind:
            parser = etree.XMLParser(resolve_entities=False, no_network=True)
            try:
                root = etree.fromstring(body, parser)
            except etree.XMLSyntaxError:
                return body.decode("utf-8", "replace")
            return {etree.QName(root.tag).localname: self._members(root)}
        try:
            return self._value(json.loads(body))
        except ValueError:
            return body.decode("utf-8", "replace")

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return [self._value(each) for each in value]
        if isinstance(value, dict):
            return {name: self._value(inner) for name, inner in value.items()}
        return value

    def _text(self, text: str) -> str:
        moment = moment_of(text) if self._parse_date else None
        return text if moment is None else LiquidDate(moment)

    def _members(self, element: etree._Element) -> Any:
        if element.get(_NIL) in ("true", "1"):
            return self._nil
        children = [each for each in element if isinstance(each.tag, str)]
        if not children:
            return self._text(element.text or "")
        found: dict[str, Any] = {}
        for child in children:
            name = etree.QName(child.tag).localname
            value = self._members(child)
            if name not in found:
                found[name] = value
            elif isinstance(found[name], list):
                found[name].append(value)
            else:
                found[name] = [found[name], value]
        return found


def liquid_context(exchange: Exchange) -> Mapping[str, Any]:
    """The ``context`` of a template."""
    request, response = exchange.request, exchange.response
    body = request.body
    return {
        "Request": {
            "Method": request.method,
            "OriginalMethod": request.method,
            "Url": _address(request.url),
            "OriginalUrl": _address(request.original_url),
            "IpAddress": request.client_ip,
            "HasBody": bool(body.content or body.stream),
            "Headers": _joined(request.headers),
            "MatchedParameters": dict(request.matched_parameters),
        },
        "Response": {
            "StatusCode": response.status,
            "StatusReason": response.reason,
            "Headers": _joined(response.headers),
        },
        "Variables": exchange.variables,
        "Operation": {"Id": exchange.operation.id if exchange.operation else None},
        "Api": {"Id": exchange.api.id, "Name": exchange.api.name},
    }


def _joined(headers: HeaderMap) -> _Names:
    return _Names((name.lower(), ",".join(values)) for name, values in headers)


def _address(url: Url) -> _Address:
    return _Address(
        {
            "Scheme": url.scheme,
            "Host": url.host,
            "Port": url.port,
            "Path": url.path,
            "Query": _Names((name.lower(), ",".join(each)) for name, each in url.query.items()),
            "QueryString": f"?{url.raw_query}" if url.raw_query else "",
            "ToUri": str(url),
            "ToString": str(url),
        }
    )
