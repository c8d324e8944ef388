"""proxy: reach the back end through a forward proxy (proxy-policy page)."""

from __future__ import annotations

from hybridmandate.governance.gateway.backend_route import Proxy, use_proxy
from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.registry import INBOUND, ElementReader, Policy, policy
from hybridmandate.governance.gateway.transport import parse_base_url
from hybridmandate.governance.gateway.values import Constant, text_of


class ProxyChoice:
    """``url`` and the credentials for it; also a child of ``send-request``."""

    def __init__(self, reader: ElementReader) -> None:
        self._url = reader.value("url")
        self._user = reader.optional_value("username")
        self._password = reader.optional_value("password")
        if isinstance(self._url, Constant):
            try:
                parse_base_url(str(self._url.value))
            except ValueError as error:
                reader.refuse(str(error), reader.attribute("url"))

    def get(self, exchange: Exchange) -> Proxy:
        """The proxy of this call. :raises PolicyError: when its URL is none."""
        url = text_of(self._url.get(exchange)).strip()
        try:
            parse_base_url(url)
        except ValueError as error:
            raise PolicyError(500, "BackendConnectionFailure", str(error)) from error
        return Proxy(
            url,
            None if self._user is None else text_of(self._user.get(exchange)),
            None if self._password is None else text_of(self._password.get(exchange)),
        )


@policy("proxy", sections=INBOUND)
class ProxyPolicy(Policy):
    """http by absolute addresses, https through a tunnel (RFC 9110, CONNECT)."""

    def __init__(self, reader: ElementReader) -> None:
        self._proxy = ProxyChoice(reader)

    def act(self, exchange: Exchange) -> None:
        use_proxy(exchange, self._proxy.get(exchange))
