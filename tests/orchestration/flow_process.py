"""A flows process in the test's own process, with a client that talks to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from connector_kit import Service, Verifier
from starlette.applications import Starlette

from hybridmandate.durable import open_durable
from hybridmandate.durable.database import open_engine
from hybridmandate.evidence.record import Record
from hybridmandate.orchestration.connectors import ConnectorSettings
from hybridmandate.orchestration.definition import FlowDocument
from hybridmandate.orchestration.server import FlowsSettings, create_app

OPERATOR = {"authorization": "Bearer operator"}


CALLER = {"authorization": "Bearer caller"}


class Records:
    """Keeps evidence in memory."""

    def __init__(self) -> None:
        self.kept: list[Record] = []

    def record(self, record: Record) -> None:
        self.kept.append(record)

    def of(self, kind: str) -> list[Record]:
        return [each for each in self.kept if each.kind == kind]


class Process:
    """A flows process in this one, with a client that talks to it."""

    def __init__(self, app: Starlette, client: httpx.AsyncClient, records: Records) -> None:
        self.app, self.client, self.records = app, client, records

    async def run(self, run_id: str, status: str) -> Mapping[str, Any]:
        for _ in range(400):
            answer = await self.client.get(f"/runs/{run_id}", headers=OPERATOR)
            if answer.status_code == 200 and answer.json()["status"] == status:
                return answer.json()
            await asyncio.sleep(0.02)
        raise AssertionError(f"{answer.text} never became {status}")

    async def evidence(self, kind: str) -> Record:
        """The one record of a kind; evidence is written just after the history."""
        for _ in range(400):
            if found := self.records.of(kind):
                (only,) = found
                return only
            await asyncio.sleep(0.02)
        raise AssertionError(f"there is no evidence of kind {kind}")

    async def runs(self, count: int) -> list[Mapping[str, Any]]:
        for _ in range(400):
            found = (await self.client.get("/runs", headers=OPERATOR)).json()["runs"]
            if len(found) >= count and all(each["status"] != "Running" for each in found):
                return found
            await asyncio.sleep(0.02)
        raise AssertionError(f"there are {len(found)} runs")


@asynccontextmanager
async def process(
    folder: Path, documents: list[FlowDocument], service: Service, **settings: Any
) -> AsyncIterator[Process]:
    connections = {
        "sharepoint": service.settings("shared_sharepointonline"),
        "c": service.settings("shared_commondataserviceforapps"),
    }
    async with connected(folder, documents, connections, **settings) as flows:
        yield flows


@asynccontextmanager
async def connected(
    folder: Path,
    documents: list[FlowDocument],
    connections: Mapping[str, ConnectorSettings],
    **settings: Any,
) -> AsyncIterator[Process]:
    durable = open_durable(
        name="flows-test",
        url=f"sqlite:///{folder / 'durable.db'}",
        executor_id="flows",
        application_version="1",
    )
    records = Records()
    app = create_app(
        FlowsSettings(operator_token="operator", poll_seconds=0.05, grace_seconds=2, **settings),
        documents=documents,
        connections=connections,
        durable=durable,
        history=open_engine(f"sqlite:///{folder / 'history.db'}"),
        recorder=records,
        verifier=Verifier(),
    )
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://flows") as client,
    ):
        yield Process(app, client, records)
