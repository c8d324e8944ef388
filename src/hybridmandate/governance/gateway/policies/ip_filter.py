"""ip-filter: allow or forbid callers by address (ip-filter-policy page)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.registry import INBOUND, ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import Constant, Value, text_of

Address = IPv4Address | IPv6Address


@policy("ip-filter", sections=INBOUND)
class IpFilter(Policy):
    """Literal addresses are read when the document is loaded, expressions at each call."""

    def __init__(self, reader: ElementReader) -> None:
        self._action = reader.value("action")
        if isinstance(self._action, Constant) and self._action.value not in ("allow", "forbid"):
            reader.refuse("attribute 'action' of <ip-filter> must be allow or forbid")
        self._addresses = [
            self._checked(each, each.content()) for each in reader.children("address")
        ]
        self._ranges = [
            (self._checked(each, each.value("from")), self._checked(each, each.value("to")))
            for each in reader.children("address-range")
        ]
        if not self._addresses and not self._ranges:
            reader.refuse("<ip-filter> needs <address> or <address-range>")

    @staticmethod
    def _checked(reader: ElementReader, value: Value) -> Value:
        if not isinstance(value, Constant):
            return value
        try:
            return Constant(ip_address(str(value.value).strip()))
        except ValueError:
            reader.refuse(f"'{value.value}' is not an IP address")

    def act(self, exchange: Exchange) -> None:
        try:
            caller = ip_address(exchange.request.client_ip)
        except ValueError:
            raise PolicyError(
                403,
                "FailedToParseCallerIP",
                "Failed to establish IP address for the caller. Access denied.",
            ) from None
        listed = self._lists(exchange, caller)
        if text_of(self._action.get(exchange)) == "allow":
            if not listed:
                raise PolicyError(
                    403,
                    "CallerIpNotAllowed",
                    f"Caller IP address {caller} is not allowed. Access denied.",
                )
        elif listed:
            raise PolicyError(
                403, "CallerIpBlocked", "Caller IP address is blocked. Access denied."
            )

    def _lists(self, exchange: Exchange, caller: Address) -> bool:
        if any(_address(each, exchange) == caller for each in self._addresses):
            return True
        for first, last in self._ranges:
            low, high = _address(first, exchange), _address(last, exchange)
            same = low.version == high.version == caller.version
            if same and int(low) <= int(caller) <= int(high):
                return True
        return False


def _address(value: Value, exchange: Exchange) -> Address:
    found = value.get(exchange)
    if isinstance(found, IPv4Address | IPv6Address):
        return found
    try:
        return ip_address(text_of(found).strip())
    except ValueError:
        raise PolicyError(
            500, "ExpressionValueEvaluationFailure", f"'{found}' is not an IP address."
        ) from None
