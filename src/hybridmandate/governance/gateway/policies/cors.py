"""cors: calls from pages of other origins (cors-policy page).

The page contradicts itself about the default of ``terminate-unmatched-request``: the attribute
table says false, "Common configuration issues" says true. The attribute table is followed here.
"""

from __future__ import annotations

from hybridmandate.governance.gateway.errors import ResponseReady
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.messages import Body, HeaderMap, Response
from hybridmandate.governance.gateway.registry import INBOUND, ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import text_of


@policy("cors", sections=INBOUND, once=True)
class Cors(Policy):
    """Answers preflights for which no OPTIONS operation matches; others get their headers.

    The preflight of an origin that it neither knows nor terminates is left to the cors policies of
    the other scopes.
    """

    def __init__(self, reader: ElementReader) -> None:
        self._credentials = reader.flag_value("allow-credentials", False)
        self._terminate = reader.flag_value("terminate-unmatched-request", False)
        origins = reader.required_child("allowed-origins").children("origin")
        self._origins = [each.content() for each in origins]
        if not self._origins:
            reader.refuse("<allowed-origins> needs at least one <origin>")
        methods = reader.child("allowed-methods")
        self._max_age = 0
        self._methods = ["GET", "POST"]
        if methods is not None:
            self._max_age = methods.integer("preflight-result-max-age", 0)
            self._methods = [each.literal_content() for each in methods.children("method")]
        # The page requires allowed-headers; deployed documents leave it out (pagopa/pagopa-infra).
        self._headers = []
        allowed_headers = reader.child("allowed-headers")
        if allowed_headers is not None:
            listed = allowed_headers.children("header")
            self._headers = [each.literal_content() for each in listed]
            if not self._headers:
                allowed_headers.refuse("<allowed-headers> needs at least one <header>")
        exposed = reader.child("expose-headers")
        self._exposed = (
            []
            if exposed is None
            else [each.literal_content() for each in exposed.children("header")]
        )

    def act(self, exchange: Exchange) -> None:
        request = exchange.request
        origin = request.headers.get("origin")
        if origin is None:
            return
        wanted = request.headers.get("access-control-request-method")
        preflight = request.method == "OPTIONS" and wanted is not None
        allowed = self._allowed(exchange, origin)
        if preflight and exchange.preflight:
            if allowed is None and not self._terminate.get(exchange):
                return
            matches = (
                allowed is not None
                and self._method_allowed(wanted or "")
                and self._headers_allowed(exchange)
            )
            headers = self._preflight(exchange, allowed or "") if matches else HeaderMap()
            exchange.response = Response(200, "OK", headers, Body())
            raise ResponseReady
        if allowed is None or not self._method_allowed(request.method):
            if self._terminate.get(exchange):
                exchange.response = Response(200, "OK", HeaderMap(), Body())
                raise ResponseReady
            return
        exchange.answer_header("Access-Control-Allow-Origin", allowed)
        if allowed != "*":
            exchange.answer_header("Vary", "Origin")
        if self._credentials.get(exchange):
            exchange.answer_header("Access-Control-Allow-Credentials", "true")
        if self._exposed:
            exchange.answer_header("Access-Control-Expose-Headers", ",".join(self._exposed))

    def _allowed(self, exchange: Exchange, origin: str) -> str | None:
        known = [text_of(each.get(exchange)).strip().rstrip("/") for each in self._origins]
        if origin in known:
            return origin
        if "*" in known:
            return origin if self._credentials.get(exchange) else "*"
        return None

    def _method_allowed(self, method: str) -> bool:
        known = {each.strip().upper() for each in self._methods}
        return "*" in known or method.upper() in known

    def _headers_allowed(self, exchange: Exchange) -> bool:
        """Whether each header that the page wants to send is allowed."""
        if "*" in self._headers:
            return True
        asked = exchange.request.headers.get("access-control-request-headers") or ""
        known = {each.strip().lower() for each in self._headers}
        return all(each.strip().lower() in known for each in asked.split(",") if each.strip())

    def _preflight(self, exchange: Exchange, allowed: str) -> HeaderMap:
        asked = exchange.request.headers.get("access-control-request-headers")
        methods = exchange.request.headers.get("access-control-request-method") or ""
        headers = HeaderMap()
        headers.set("Access-Control-Allow-Origin", [allowed])
        headers.set(
            "Access-Control-Allow-Methods",
            [methods if "*" in self._methods else ",".join(self._methods)],
        )
        if asked and "*" in self._headers:
            headers.set("Access-Control-Allow-Headers", [asked])
        elif self._headers and "*" not in self._headers:
            headers.set("Access-Control-Allow-Headers", [",".join(self._headers)])
        if self._credentials.get(exchange):
            headers.set("Access-Control-Allow-Credentials", ["true"])
        headers.set("Access-Control-Max-Age", [str(self._max_age)])
        return headers
