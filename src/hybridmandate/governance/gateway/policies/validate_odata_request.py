"""validate-odata-request: a request that keeps to OData (validate-odata-request-policy page).

The metadata document is the schema whose name is the API's id, where the configuration has one.
"""

from __future__ import annotations

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.odata_request import (
    Metadata,
    MetadataUnreadable,
    Versions,
    url_problems,
    version_problems,
)
from hybridmandate.governance.gateway.policies.validation import Violation, settle
from hybridmandate.governance.gateway.registry import (
    INBOUND,
    ElementReader,
    Policy,
    Section,
    policy,
)


@policy("validate-odata-request", sections=INBOUND)
class ValidateODataRequest(Policy):
    """Any problem is refused with 400; the errors go to ``error-variable-name`` before."""

    def __init__(self, reader: ElementReader) -> None:
        self._variable = reader.optional_literal("error-variable-name")
        self._versions = Versions(
            reader.literal("default-odata-version", "4.0"),
            reader.literal("min-odata-version", "4.0"),
            reader.optional_literal("max-odata-version"),
        )
        self._most = reader.integer("max-size", least=1) if reader.has("max-size") else None
        self._metadata: dict[str, Metadata] = {}
        for name, schema in reader.configuration.schemas.items():
            if isinstance(schema, str) and "EntityContainer" in schema:
                try:
                    self._metadata[name] = Metadata.read(schema)
                except MetadataUnreadable as error:
                    reader.refuse(f"schema '{name}' is no OData metadata document: {error}")

    async def act(self, exchange: Exchange) -> None:
        problems = [
            Violation("request", "Request", "OData", problem, "prevent", "OData")
            for problem in await self._problems(exchange)
        ]
        settle(exchange, problems, self._variable, Section.INBOUND)

    async def _problems(self, exchange: Exchange) -> list[str]:
        request = exchange.request
        found = list(
            version_problems(
                {name.lower(): ",".join(values) for name, values in request.headers},
                self._versions,
            )
        )
        metadata = self._metadata.get(exchange.api.id)
        found.extend(url_problems(request.url.path, request.url.query, metadata))
        if self._most is not None and len(await request.body.buffer()) > self._most:
            found.append(f"The body is larger than {self._most} bytes.")
        return found
