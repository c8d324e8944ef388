"""A connector over Microsoft Graph: what the office stand-in does not have fails at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hybridmandate.orchestration.connectors.connector import Connector
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.unsupported import refused_when_unsupported
from hybridmandate.orchestration.engine import Answer


class GraphConnector(Connector):
    """Operations by id; a 501 of the service is a refusal, not something to try again."""

    async def call(self, call: OperationCall) -> Answer:
        """Send one attempt of an operation."""
        return refused_when_unsupported(await super().call(call))

    async def read(self, location: str, parameters: Mapping[str, Any], correlation: str) -> Answer:
        """Read a location that an earlier answer named."""
        return refused_when_unsupported(await super().read(location, parameters, correlation))
