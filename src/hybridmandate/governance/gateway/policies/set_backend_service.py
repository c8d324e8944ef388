"""set-backend-service: another back end, by URL or by name (set-backend-service-policy page)."""

from __future__ import annotations

from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.policies.set_header import REQUEST_SECTIONS
from hybridmandate.governance.gateway.registry import ElementReader, Policy, policy
from hybridmandate.governance.gateway.transport import BaseUrl, parse_base_url
from hybridmandate.governance.gateway.values import Constant, text_of

_SERVICE_FABRIC = (
    "sf-resolve-condition",
    "sf-service-instance-name",
    "sf-partition-key",
    "sf-replica-type",
    "sf-listener-name",
)


@policy("set-backend-service", sections=REQUEST_SECTIONS)
class SetBackendService(Policy):
    """Attributes of Service Fabric (``sf-…``) apply only where the back end is such a service.

    No back end here is one, so they are read, checked for errors, and have no effect. A back end
    that another scope has named stays: only a name overrides it, a URL does not (usage notes).
    """

    def __init__(self, reader: ElementReader) -> None:
        self._scope = reader.preparation.scope
        self._url = reader.optional_value("base-url")
        self._id = reader.optional_value("backend-id")
        if (self._url is None) == (self._id is None):
            reader.refuse("<set-backend-service> needs exactly one of base-url, backend-id")
        for name in _SERVICE_FABRIC:
            reader.optional_value(name)
        self._parsed: BaseUrl | None = None
        if isinstance(self._url, Constant):
            try:
                self._parsed = parse_base_url(str(self._url.value))
            except ValueError as error:
                reader.refuse(str(error), reader.attribute("base-url"))
        if isinstance(self._id, Constant) and self._id.value not in reader.configuration.backends:
            reader.refuse(f"no back end '{self._id.value}'", reader.attribute("backend-id"))

    def act(self, exchange: Exchange) -> None:
        if self._id is not None:
            exchange.backend_id = text_of(self._id.get(exchange))
            exchange.backend_id_scope = self._scope
            return
        if exchange.backend_id is not None and exchange.backend_id_scope != self._scope:
            return
        exchange.backend_id = None
        if self._parsed is not None:
            exchange.backend = self._parsed
            return
        assert self._url is not None
        try:
            exchange.backend = parse_base_url(text_of(self._url.get(exchange)))
        except ValueError as error:
            raise PolicyError(500, "BackendConnectionFailure", str(error)) from error
