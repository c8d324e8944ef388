"""rewrite-uri: another path and query for the back end (rewrite-uri-policy page)."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.registry import INBOUND, ElementReader, Policy, policy
from hybridmandate.governance.gateway.routing import query_template
from hybridmandate.governance.gateway.values import text_of

_PARAMETER = re.compile(r"\{([A-Za-z0-9_.-]+)\}")


@policy("rewrite-uri", sections=INBOUND)
class RewriteUri(Policy):
    """``{name}`` stands for a parameter of the operation's URL template."""

    def __init__(self, reader: ElementReader) -> None:
        self._template = reader.value("template")
        self._copy = reader.flag_value("copy-unmatched-params", True)

    def act(self, exchange: Exchange) -> None:
        template = text_of(self._template.get(exchange)).strip()
        url = exchange.request.url
        known = exchange.request.matched_parameters
        path, _, added = template.partition("?")

        def parameter(match: re.Match[str]) -> str:
            name = match[1]
            if name in known:
                return quote(known[name], safe="")
            values = url.query.get(name)
            return quote(values[0], safe="") if values else match[0]

        copied = self._copy.get(exchange)
        used = set(_PARAMETER.findall(template))
        if exchange.operation is not None:
            used.update(query_template(exchange.operation.url_template))
        query = {k: list(v) for k, v in url.query.items() if copied and k not in used}
        for name, value in parse_qsl(_PARAMETER.sub(parameter, added), keep_blank_values=True):
            query[name] = [value]
        url.path = "/" + _PARAMETER.sub(parameter, path).lstrip("/")
        url.set_query(query)
