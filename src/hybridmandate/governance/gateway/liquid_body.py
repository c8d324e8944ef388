"""Liquid templates of set-body, with what API Management binds: ``body`` and ``context``.

API Management runs DotLiquid in its C# mode (set-body-policy page): filters may be written in
Pascal case. Here python-liquid runs the template; Pascal-case names are aliases of its filters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from liquid import Environment
from liquid.exceptions import LiquidError
from lxml import etree

from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.messages import HeaderMap, Request, Response
from hybridmandate.governance.gateway.registry import ElementReader

if TYPE_CHECKING:
    from hybridmandate.governance.gateway.exchange import Exchange

_MAX_OUTPUT_BYTES = 4 * 1024 * 1024
_WORD_START = re.compile(r"(?<=[a-z0-9])_([a-z])")


class _Bounded(Environment):
    output_stream_limit = _MAX_OUTPUT_BYTES
    loop_iteration_limit = 100_000
    context_depth_limit = 30


def _environment() -> Environment:
    environment = _Bounded()
    for name, filter in list(environment.filters.items()):
        pascal = _WORD_START.sub(lambda match: match[1].upper(), name)
        environment.filters[pascal[:1].upper() + pascal[1:]] = filter
    return environment


_ENVIRONMENT = _environment()


class LiquidBody:
    """A template, parsed when its document is loaded."""

    def __init__(self, reader: ElementReader, *, on_request: bool) -> None:
        text = reader.literal_content()
        self._on_request = on_request
        reader.reads_request_body = on_request
        reader.reads_response_body = not on_request
        try:
            self._template = _ENVIRONMENT.from_string(text)
        except LiquidError as error:
            reader.refuse(f"the Liquid template cannot be read: {error}", reader.element.text)

    def render(self, exchange: Exchange, current: bytes) -> str:
        """The text of the body. :raises PolicyError: when the template fails."""
        message: Request | Response = exchange.request if self._on_request else exchange.response
        try:
            return self._template.render(
                body=_content(current, message.headers.get("content-type") or ""),
                context=_context(exchange),
            )
        except LiquidError as error:
            raise PolicyError(
                500, "ExpressionValueEvaluationFailure", f"The Liquid template failed: {error}"
            ) from error


def _content(body: bytes, kind: str) -> Any:
    """JSON as its values, XML as nested members, anything else as text."""
    if not body:
        return ""
    if "xml" in kind:
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        try:
            root = etree.fromstring(body, parser)
        except etree.XMLSyntaxError:
            return body.decode("utf-8", "replace")
        return {etree.QName(root.tag).localname: _members(root)}
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


def _members(element: etree._Element) -> Any:
    children = [each for each in element if isinstance(each.tag, str)]
    if not children:
        return element.text or ""
    found: dict[str, Any] = {}
    for child in children:
        name = etree.QName(child.tag).localname
        value = _members(child)
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    return found


def _context(exchange: Exchange) -> Mapping[str, Any]:
    request, response = exchange.request, exchange.response
    return {
        "Request": {
            "Method": request.method,
            "Url": str(request.url),
            "OriginalUrl": str(request.original_url),
            "IpAddress": request.client_ip,
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


def _joined(headers: HeaderMap) -> dict[str, str]:
    return {name: ",".join(values) for name, values in headers}
