"""Liquid templates of set-body, with what API Management binds: ``body`` and ``context``.

API Management runs DotLiquid in its C# mode (set-body-policy page): filters are written in Pascal
case, dates in formats of .NET. Here python-liquid runs the template; Pascal-case names are aliases
of its filters, and those that differ are replaced.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from liquid import Environment
from liquid.exceptions import LiquidError

from hybridmandate.governance.gateway.csharp import ExpressionFailure
from hybridmandate.governance.gateway.csharp.dates import DateTime, parse_date_time
from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.liquid_objects import (
    LiquidContent,
    LiquidDate,
    liquid_context,
    moment_of,
)
from hybridmandate.governance.gateway.messages import Request, Response
from hybridmandate.governance.gateway.registry import ElementReader

if TYPE_CHECKING:
    from hybridmandate.governance.gateway.exchange import Exchange

_MAX_OUTPUT_BYTES = 4 * 1024 * 1024
_WORD_START = re.compile(r"(?<=[a-z0-9])_([a-z])")


class _Bounded(Environment):
    output_stream_limit = _MAX_OUTPUT_BYTES
    loop_iteration_limit = 100_000
    context_depth_limit = 30


def _date(value: Any, form: str = "") -> Any:
    """A date in a format of .NET; what is no date stays as it is."""
    moment = value.moment if isinstance(value, LiquidDate) else _parsed(value)
    if moment is None:
        return value
    try:
        return moment.clr_format(form) if form else moment.clr_text()
    except ExpressionFailure:
        return value


def _parsed(value: Any) -> DateTime | None:
    if not isinstance(value, str):
        return None
    try:
        return moment_of(value) or parse_date_time(value)
    except ExpressionFailure:
        return None


def _currency(value: Any, culture: str = "") -> Any:
    """An amount as .NET writes one in the invariant culture; ``culture`` is not looked at."""
    try:
        return f"¤{float(value):,.2f}"
    except (TypeError, ValueError):
        return value


def _environment() -> Environment:
    environment = _Bounded()
    for name, filter in list(environment.filters.items()):
        pascal = _WORD_START.sub(lambda match: match[1].upper(), name)
        environment.filters[pascal[:1].upper() + pascal[1:]] = filter
    environment.filters["Date"] = _date
    environment.filters["Currency"] = _currency
    environment.filters["H"] = lambda value: html.escape(str(value))
    environment.filters["TruncateWords"] = environment.filters["truncatewords"]
    return environment


_ENVIRONMENT = _environment()


class LiquidBody:
    """A template, parsed when its document is loaded."""

    def __init__(self, reader: ElementReader, content: LiquidContent, *, on_request: bool) -> None:
        text = reader.literal_content()
        self._content = content
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
                body=self._content.read(current, message.headers.get("content-type") or ""),
                context=liquid_context(exchange),
            )
        except LiquidError as error:
            raise PolicyError(
                500, "ExpressionValueEvaluationFailure", f"The Liquid template failed: {error}"
            ) from error
