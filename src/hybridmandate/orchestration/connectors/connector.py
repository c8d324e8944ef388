"""What every connector is: operations by id, and reading a location that is watched."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

from hybridmandate.orchestration.connectors.request import MissingParameter, OperationCall
from hybridmandate.orchestration.connectors.session import ServiceSession
from hybridmandate.orchestration.connectors.settings import ConnectorSettings
from hybridmandate.orchestration.engine import Answer

Handler = Callable[[Any, OperationCall], Awaitable[Answer]]


class Connector:
    """A connector with its operations. Subclasses fill ``operations`` by operation id."""

    api_name: ClassVar[str]
    operations: ClassVar[Mapping[str, Handler]]
    triggers: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, settings: ConnectorSettings, session: ServiceSession) -> None:
        self.settings = settings
        self.session = session

    async def call(self, call: OperationCall) -> Answer:
        """Send one attempt of an operation."""
        handler = self.operations.get(call.operation_id)
        if handler is None:
            return not_simulated(self.api_name, call.operation_id)
        try:
            return await handler(self, call)
        except (MissingParameter, ValueError) as error:
            return Answer.refused(str(error))

    async def read(self, location: str, parameters: Mapping[str, Any], correlation: str) -> Answer:
        """Read a location that an earlier answer named."""
        return await self.session.send("GET", location, correlation_id=correlation)


def not_simulated(api_name: str, operation_id: str) -> Answer:
    """The refusal of an operation that has no implementation here."""
    return Answer.refused(
        f"operation '{operation_id}' of connector '{api_name}' is not simulated: "
        "docs/flows/connectors.md lists those that are; mock it in a test"
    )
