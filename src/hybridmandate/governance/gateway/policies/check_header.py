"""check-header: a header must be there, with one of the listed values (its policy page)."""

from __future__ import annotations

from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.registry import INBOUND, ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import boolean_of, status_of, text_of


@policy("check-header", sections=INBOUND)
class CheckHeader(Policy):
    """No ``<value>`` means that any value will do. All four attributes are required."""

    def __init__(self, reader: ElementReader) -> None:
        self._name = reader.value("name")
        self._status = reader.number_value("failed-check-httpcode", least=200, most=599)
        self._message = reader.value("failed-check-error-message")
        self._ignore_case = reader.value("ignore-case")
        self._values = [each.content() for each in reader.children("value")]

    def act(self, exchange: Exchange) -> None:
        name = text_of(self._name.get(exchange))
        found = exchange.request.headers.get(name)
        if found is None:
            told = f"Header {name} was not found in the request. Access denied."
            raise self._failure(exchange, "HeaderNotFound", told)
        if not self._values:
            return
        ignore_case = boolean_of(self._ignore_case.get(exchange))
        given = found.lower() if ignore_case else found
        for each in self._values:
            allowed = text_of(each.get(exchange))
            if given == (allowed.lower() if ignore_case else allowed):
                return
        told = f"Header {name} value of {found} is not allowed. Access denied."
        raise self._failure(exchange, "HeaderValueNotAllowed", told)

    def _failure(self, exchange: Exchange, reason: str, told: str) -> PolicyError:
        """LastError tells what was wrong; the caller reads the policy's own message."""
        return PolicyError(
            status_of(self._status.get(exchange)),
            reason,
            told,
            public=text_of(self._message.get(exchange)),
        )
