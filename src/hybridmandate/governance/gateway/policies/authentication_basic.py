"""authentication-basic: user name and password for the back end (its policy page)."""

from __future__ import annotations

import base64

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.registry import INBOUND, ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import text_of


@policy("authentication-basic", sections=INBOUND)
class AuthenticationBasic(Policy):
    """Sets the Authorization header of the request."""

    def __init__(self, reader: ElementReader) -> None:
        self._username = reader.value("username")
        self._password = reader.value("password")

    def act(self, exchange: Exchange) -> None:
        user = text_of(self._username.get(exchange))
        password = text_of(self._password.get(exchange))
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        exchange.request.headers.set("Authorization", [f"Basic {pair}"])
