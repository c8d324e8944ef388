"""What the execution tests stand on: a service in this process, and its surroundings."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from starlette.applications import Starlette

from hybridmandate.contracts import Registry
from hybridmandate.durable.database import open_engine
from hybridmandate.durable.port import Durable, Json, Run, RunState, Workflow
from hybridmandate.evidence.record import Record
from hybridmandate.execution.data_client import DataGatewayClient
from hybridmandate.execution.files import LocalFileContent
from hybridmandate.execution.host import create_app
from hybridmandate.execution.settings import DataGatewaySettings, ExecutionSettings
from hybridmandate.identity.principal import Principal, TokenRefused, TokenUnavailable

GATEWAY_APP = "app-gateway"
CORRELATION = "0d3f7b0e-6a43-4a5a-9a5e-5f1f0f8b7c11"
ALL_ROLES = "Test.Echo,Test.Slow,Test.Job,Files.Store,Files.Read,Test.Old"


class Records:
    """A recorder that keeps what it is given."""

    def __init__(self) -> None:
        self.all: list[Record] = []

    def record(self, record: Record) -> None:
        self.all.append(record)

    def of(self, kind: str) -> list[Record]:
        return [each for each in self.all if each.kind == kind]


class NamedTokens:
    """A verifier that knows tokens by name: the checks of real tokens are identity's tests."""

    def __init__(self) -> None:
        self.principals = {
            "gateway": _principal(GATEWAY_APP, "Execution.Invoke"),
            "other-service": _principal("app-other", "Execution.Invoke"),
            "no-role": _principal(GATEWAY_APP),
        }

    async def verify(self, authorization: str | None, *, role: str | None = None) -> Principal:
        if authorization is None:
            raise TokenRefused("token.missing", "there is no token")
        found = self.principals.get(authorization.removeprefix("Bearer "))
        if found is None:
            raise TokenRefused("token.signature", "the signature is wrong")
        if role is not None and role not in found.roles:
            raise TokenRefused("token.role", f"the token lacks {role}", status=403)
        return found


def _principal(app_id: str, *roles: str) -> Principal:
    return Principal(f"oid-{app_id}", app_id, "tenant", frozenset(roles), time.time() + 3600)


class OwnTokens:
    """The service's own tokens; fails when told to."""

    def __init__(self) -> None:
        self.unavailable = False

    async def token(self, resource: str) -> str:
        if self.unavailable:
            raise TokenUnavailable("the endpoint is away", transient=True)
        return f"token-for-{resource}"


class MemoryDurable:
    """The durable port in memory: starts, remembers results and cancels; survives nothing."""

    def __init__(self) -> None:
        self.workflows: dict[str, Workflow] = {}
        self.known: dict[str, Run] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.closed = False

    def register(self, name: str, workflow: Workflow) -> None:
        self.workflows[name] = workflow

    async def launch(self) -> None:
        return

    async def close(self, *, grace_seconds: float) -> None:
        self.closed = True
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)

    async def start(self, workflow: str, run_id: str, payload: Json) -> bool:
        if run_id in self.known:
            return False
        self._set(run_id, workflow, RunState.RUNNING)

        async def run() -> None:
            try:
                await self.workflows[workflow](_Context(run_id), payload)
                self._set(run_id, workflow, RunState.SUCCEEDED)
            except Exception:
                self._set(run_id, workflow, RunState.FAILED)

        self.tasks[run_id] = asyncio.create_task(run())
        return True

    def _set(self, run_id: str, workflow: str, state: RunState) -> None:
        now = time.time()
        self.known[run_id] = Run(run_id, workflow, state, None, None, now, now)

    async def find(self, run_id: str) -> Run | None:
        return self.known.get(run_id)

    async def cancel(self, run_id: str) -> None:
        self._set(run_id, "execution.job", RunState.CANCELLED)

    async def send(self, run_id: str, topic: str, message: Json, *, key: str | None) -> None:
        raise NotImplementedError("jobs send no messages")

    async def runs(
        self, *, workflow: str | None, states: frozenset[RunState] | None, limit: int
    ) -> list[Run]:
        return list(self.known.values())[:limit]

    async def result(self, run_id: str, *, timeout_seconds: float | None) -> Run:
        await asyncio.wait_for(asyncio.shield(self.tasks[run_id]), timeout_seconds)
        return self.known[run_id]


@dataclass
class _Context:
    id: str

    async def step(self, name: str, action: Callable[[], Awaitable[Json]]) -> Json:
        return await action()

    async def now(self) -> float:
        return time.time()

    async def sleep_until(self, epoch_seconds: float) -> None:
        await asyncio.sleep(max(0.0, epoch_seconds - time.time()))

    async def receive(self, topic: str, timeout_seconds: float) -> Json | None:
        raise NotImplementedError("jobs receive no messages")


@dataclass
class Clock:
    """Epoch seconds that a test can move."""

    offset: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.offset


@dataclass
class Service:
    """A running service and everything around it that a test may look at."""

    app: Starlette
    client: httpx.AsyncClient
    records: Records
    durable: Durable
    engine: sa.Engine
    clock: Clock
    folder: Path
    tokens: OwnTokens

    async def call(
        self,
        operation: str,
        json: Any = None,
        *,
        content: Any = None,
        version: int = 1,
        headers: dict[str, str | None] | None = None,
    ) -> httpx.Response:
        sent = {**as_gateway(), **(headers or {})}
        if json is not None or content is None:
            sent.setdefault("content-type", "application/json")
        return await self.client.post(
            f"/operations/{operation}/v{version}",
            json=json if content is None else None,
            content=content,
            headers={name: value for name, value in sent.items() if value is not None},
        )

    async def poll(
        self, location: str, *, headers: dict[str, str] | None = None, until: float = 10.0
    ) -> httpx.Response:
        """Poll as a flow does, until the answer is not 202 any more."""
        path = location.removeprefix("/exec")
        end = time.monotonic() + until
        while True:
            response = await self.client.get(path, headers={**as_gateway(), **(headers or {})})
            if response.status_code != 202 or time.monotonic() > end:
                return response
            await asyncio.sleep(0.02)


def as_gateway(
    *, app: str = "app-flow", roles: str = ALL_ROLES, correlation: str = CORRELATION
) -> dict[str, str]:
    """The headers with which the gateway forwards a call."""
    return {
        "authorization": "Bearer gateway",
        "x-correlation-id": correlation,
        "x-mandate-principal": f"oid-{app}",
        "x-mandate-app": app,
        "x-mandate-roles": roles,
    }


@contextlib.asynccontextmanager
async def running(
    folder: Path,
    registry: Registry,
    *,
    durable: Durable | None = None,
    process_id: str = "process-1",
    data_transport: httpx.AsyncBaseTransport | None = None,
    **settings: Any,
) -> AsyncIterator[Service]:
    """A service on a folder; a second one on the same folder is another process of it."""
    engine = open_engine(f"sqlite:///{folder}/execution.db")
    records, clock, tokens = Records(), Clock(), OwnTokens()
    engine_of_jobs = durable or MemoryDurable()
    async with httpx.AsyncClient(transport=data_transport) as outgoing:
        app = create_app(
            ExecutionSettings(
                gateway_app_id=GATEWAY_APP,
                process_id=process_id,
                spool_folder=folder / "spool",
                service_version="1.2.3",
                build="build-7",
                **{"grace_seconds": 2.0, **settings},
            ),
            registry,
            verifier=NamedTokens(),
            recorder=records,
            durable=engine_of_jobs,
            engine=engine,
            content=LocalFileContent(folder / "files"),
            data=DataGatewayClient(
                DataGatewaySettings(
                    gateway_url="http://gateway.test",
                    resource="api://solution/local",
                    views={"vendors": 1},
                    commits={"invoices": 2},
                ),
                tokens,
                outgoing,
            ),
            clock=clock,
        )
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://execution") as client,
            app.router.lifespan_context(app),
        ):
            yield Service(app, client, records, engine_of_jobs, engine, clock, folder, tokens)
    engine.dispose()
