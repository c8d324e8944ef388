"""The Dataverse stand-in behind a real socket, with a flow host that is connected to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import uvicorn
from connector_kit import Tokens

from hybridmandate.durable.database import open_engine
from hybridmandate.evidence.record import Record
from hybridmandate.identity.principal import Principal
from hybridmandate.orchestration.connectors import ConnectorHost, ConnectorSettings
from hybridmandate.orchestration.connectors.connector import Connector
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.engine import Answer
from hybridmandate.twin.dataverse import DataverseSettings, DataverseStore, create_app

TABLES = Path(__file__).parents[1] / "twin_dataverse" / "tables"
ALL = frozenset({"create", "read", "update", "delete"})
MODERN, LEGACY = "shared_commondataserviceforapps", "shared_commondataservice"


class AnyToken:
    """Every token is the flow's application user."""

    async def verify(self, authorization: str | None, *, role: str | None = None) -> Principal:
        return Principal("flow-user", "app", "tenant", frozenset(), 9e9)


class Silent:
    """Keeps no evidence."""

    def record(self, record: Record) -> None:
        return None


class Environment:
    """A stand-in at ``address`` and a connector of each kind."""

    def __init__(self, address: str, store: DataverseStore) -> None:
        self.address = address
        self.store = store
        self.now = 1_800_000_000.0
        self.connectors = ConnectorHost(
            {kind: self._settings(kind) for kind in (MODERN, LEGACY)},
        )

    def connector(self, kind: str = MODERN) -> Connector:
        found = self.connectors.connector(_NO_CONNECTIONS, kind)
        assert found is not None
        return found

    async def call(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        kind: str = MODERN,
        key: str = "key",
        pagination: int | None = None,
    ) -> Answer:
        call = OperationCall(operation, parameters, "corr", key, pagination)
        return await self.connector(kind).call(call)

    async def create(self, entity_set: str, **values: Any) -> str:
        """Make a row; gives its id."""
        body = {f"item/{name}": value for name, value in values.items()}
        key = f"{entity_set}/{json.dumps(values, sort_keys=True)}"
        made = await self.call("CreateRecord", {"entityName": entity_set, **body}, key=key)
        assert made.status == 201, made.body
        return str(made.body["@odata.id"]).rpartition("(")[2].rstrip(")")

    async def numbers(self) -> Sequence[str]:
        listed = await self.call("ListRecords", {"entityName": "hm_orders"})
        return sorted(row["hm_number"] for row in listed.body["value"])

    def _settings(self, kind: str) -> ConnectorSettings:
        return ConnectorSettings(
            connector=kind,
            base_address=self.address,
            resource=self.address,
            tokens=Tokens(),
        )


class _NoConnections:
    connections: Mapping[str, Any] = {}


_NO_CONNECTIONS: Any = _NoConnections()


@contextlib.asynccontextmanager
async def environment(folder: Path) -> AsyncIterator[Environment]:
    """A stand-in that serves until the block ends."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{bound.getsockname()[1]}"
    made: list[Environment] = []
    store = DataverseStore(
        open_engine(f"sqlite:///{folder}/dataverse.db"), TABLES, clock=lambda: made[0].now
    )
    made.append(Environment(address, store))
    privileges = {"app": dict.fromkeys(("hm_order", "hm_customer", "hm_tag"), ALL)}
    app = create_app(
        DataverseSettings(address, "org", privileges),
        store,
        AnyToken(),
        Silent(),
        clock=lambda: made[0].now,
    )
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield made[0]
    finally:
        await made[0].connectors.close()
        server.should_exit = True
        await serving
