"""rewrite-uri: another path and query for the back end (rewrite-uri-policy page)."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.registry import INBOUND, ElementReader, Policy, policy
from hybridmandate.governance.gateway.routing import query_template
from hybridmandate.governance.gateway.values import text_of

_PARAMETER = re.compile(r"\{\*?([A-Za-z0-9_.-]+)\}")

_OF_A_PATH = "/:@!$&'()*+,;=~"
"""Characters that stand for themselves in a path (RFC 3986); a catch-all holds slashes."""


@policy("rewrite-uri", sections=INBOUND)
class RewriteUri(Policy):
    """``{name}`` or ``{*name}`` stands for a parameter of the operation's URL template."""

    def __init__(self, reader: ElementReader) -> None:
        self._template = reader.value("template")
        self._copy = reader.flag_value("copy-unmatched-params", True)

    def act(self, exchange: Exchange) -> None:
        template = text_of(self._template.get(exchange)).strip()
        url = exchange.request.url
        known = exchange.request.matched_parameters
        path, _, added = template.partition("?")

        def value(match: re.Match[str], safe: str) -> str:
            name = match[1]
            if name in known:
                return quote(known[name], safe=safe)
            values = url.query.get(name)
            return quote(values[0], safe=safe) if values else match[0]

        copied = self._copy.get(exchange)
        used = set(_PARAMETER.findall(template))
        if exchange.operation is not None:
            used.update(query_template(exchange.operation.url_template))
        query = {k: list(v) for k, v in url.query.items() if copied and k not in used}
        for name, text in parse_qsl(
            _PARAMETER.sub(lambda match: value(match, ""), added), keep_blank_values=True
        ):
            query[name] = [text]
        path = _PARAMETER.sub(lambda match: value(match, _OF_A_PATH), path)
        url.path = "/" + path.lstrip("/")
        url.set_query(query)
