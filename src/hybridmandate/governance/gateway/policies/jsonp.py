"""jsonp: JSON with padding for callers in a browser (jsonp-policy page)."""

from __future__ import annotations

import re

from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.registry import OUTBOUND, ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import text_of

_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*(?:\.[A-Za-z_$][A-Za-z0-9_$]*)*")
_MAX_CALLBACK = 128


@policy("jsonp", sections=OUTBOUND, once=True)
class Jsonp(Policy):
    """Wraps a JSON body in a call of the function that the query names; without one, nothing.

    The name must be a JavaScript identifier (dots allowed): anything else would let the address
    choose what script a page runs. The two line ends that JSON allows and scripts did not
    (U+2028, U+2029) are escaped.
    """

    def __init__(self, reader: ElementReader) -> None:
        self._parameter = reader.value("callback-parameter-name")

    async def act(self, exchange: Exchange) -> None:
        parameter = text_of(self._parameter.get(exchange))
        callback = next(iter(exchange.request.original_url.query.get(parameter, ())), None)
        if callback is None:
            return
        if len(callback) > _MAX_CALLBACK or _IDENTIFIER.fullmatch(callback) is None:
            raise PolicyError(
                400,
                "CallbackParameterInvalid",
                f"Value of callback parameter {parameter} is not a valid JavaScript identifier.",
            )
        response = exchange.response
        if "json" not in (response.headers.get("content-type") or "").lower():
            return
        text = (await response.body.buffer()).decode("utf-8-sig", "replace")
        text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
        response.body.replace(f"{callback}({text})".encode())
        response.headers.set("Content-Type", ["application/javascript; charset=utf-8"])
        response.headers.set("X-Content-Type-Options", ["nosniff"])
