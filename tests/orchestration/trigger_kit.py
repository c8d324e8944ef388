"""A place where triggers start runs, and stand-ins served for them."""

from __future__ import annotations

import itertools
import math
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette

from hybridmandate.durable.database import open_engine
from hybridmandate.identity.principal import Principal
from hybridmandate.orchestration.connectors import ConnectorSettings
from hybridmandate.orchestration.connectors.connector import Connector
from hybridmandate.orchestration.connectors.host import CONNECTORS
from hybridmandate.orchestration.connectors.session import ServiceSession
from hybridmandate.orchestration.definition import Flow
from hybridmandate.orchestration.limits import Profile
from hybridmandate.twin import storage
from hybridmandate.twin.office import Persona


class Killed(Exception):
    """The process ended here."""


class Host:
    """Keeps cursors and runs as the durable host does.

    It is killed when it would keep a cursor beyond ``keeps``, or start a run beyond ``starts``.
    """

    def __init__(self) -> None:
        self.cursors: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, Mapping[str, Any]] = {}
        self.keeps = math.inf
        self.starts = math.inf
        self.profile = Profile.MEDIUM

    @property
    def history(self) -> Host:
        return self

    def now(self) -> float:
        return time.time()

    def parameters(self, flow: Flow) -> dict[str, Any]:
        return {}

    def admits(self, flow: Flow) -> bool:
        return True

    def cursor(self, name: str) -> dict[str, Any] | None:
        return self.cursors.get(name)

    def keep_cursor(self, name: str, cursor: dict[str, Any]) -> None:
        if not self.keeps:
            raise Killed
        self.keeps -= 1
        self.cursors[name] = cursor

    async def start(
        self, flow: str, outputs: Mapping[str, Any], *, run_id: str
    ) -> tuple[str, bool]:
        if not self.starts:
            raise Killed
        self.starts -= 1
        new = run_id not in self.runs
        self.runs.setdefault(run_id, outputs)
        return run_id, new

    @property
    def bodies(self) -> list[Any]:
        return [each["body"] for each in self.runs.values()]


class AnyToken:
    """Stands for Entra on both sides: every workload may do what the test is about."""

    roles = frozenset(
        {
            "Sites.Selected",
            "Files.ReadWrite.All",
            "Mail.Send",
            "Mail.ReadWrite",
            "User.Read.All",
        }
    )

    async def token(self, resource: str) -> str:
        return "x"

    async def verify(self, authorization: str | None, *, role: str | None = None) -> Principal:
        return Principal("oid", "app", "tenant", self.roles, 9e9)

    async def verify_person(self, authorization: str | None) -> Persona:
        raise AssertionError("no person acts here")


def free_listener() -> tuple[socket.socket, str]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def storage_account(folder: Path) -> Iterator[tuple[str, storage.StorageStore, list[float]]]:
    """A queue 'invoices': its address, its store, and by how much the store's clock is ahead."""
    listener, address = free_listener()
    ahead = [0.0]
    store = storage.StorageStore(
        open_engine(f"sqlite:///{folder}/storage.db"),
        clock=lambda: time.time() + ahead[0],
        new_id=numbered(),
    )
    store.queues.create("invoices", {})
    roles = {"app": frozenset({"Storage Queue Data Message Processor"})}
    app = storage.create_app(
        storage.StorageSettings(address, "https://entra.example/t", roles),
        store,
        AnyToken(),
        new_request_id=lambda: "r",
    )
    with serving(app, listener):
        yield f"{address}/queue", store, ahead


@contextmanager
def serving(app: Starlette, listener: socket.socket) -> Iterator[None]:
    config = uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield
    server.should_exit = True
    thread.join(5)


def settings(connector: str, address: str, **options: str) -> ConnectorSettings:
    return ConnectorSettings(connector, address, "resource", AnyToken(), options=options)


def connected(connector: str, address: str, **options: str) -> Connector:
    session = ServiceSession(address, tokens=AnyToken(), resource="resource")
    return CONNECTORS[connector](settings(connector, address, **options), session)


def polled(
    operation: str, parameters: Mapping[str, Any], **parts: Any
) -> dict[str, dict[str, Any]]:
    host = {"connectionName": "c", "operationId": operation, "apiId": "/apis/shared_x"}
    inputs = {"host": host, "parameters": dict(parameters)}
    recurrence = {"frequency": "Minute", "interval": 1}
    trigger = {"type": "OpenApiConnection", "recurrence": recurrence, "inputs": inputs, **parts}
    return {"When": trigger}


def numbered() -> Any:
    numbers = itertools.count(1)
    return lambda: f"id-{next(numbers):015d}"
