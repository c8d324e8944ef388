"""A running stand-in: real TLS, port 0; state in a folder of the test."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from entra_kit import TENANT, Clock, Evidence, small_directory
from starlette.types import ASGIApp

from hybridmandate.twin.certificates import ensure_ca
from hybridmandate.twin.entra.app import EntraSettings, create_app
from hybridmandate.twin.entra.directory import Directory, Workload
from hybridmandate.twin.entra.managed_identity import (
    ManagedIdentitySettings,
    create_managed_identity_app,
)
from hybridmandate.twin.entra.store import EntraStore


@dataclass
class Tenant:
    """A started stand-in and everything that a test may want to look at."""

    authority: str
    identity: str
    ca: str
    folder: Path
    store: EntraStore
    directory: Directory
    clock: Clock
    evidence: Evidence
    settings: EntraSettings
    headers: dict[str, str] = field(default_factory=dict)

    def workload(self, name: str) -> Workload:
        found = self.directory.named(name)
        assert found is not None
        return found


def _serve(app: ASGIApp, listener: socket.socket, **tls: str) -> Iterator[None]:
    config = uvicorn.Config(app, log_level="warning", lifespan="off", ws="none", **tls)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    yield
    server.should_exit = True
    thread.join(10)


def _listener() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


@contextmanager
def running_tenant(folder: Path) -> Iterator[Tenant]:
    """The stand-in, until the block ends."""
    ca = ensure_ca(folder / "tls")
    certificate, key = ca.server_certificate("entra")
    clock, evidence = Clock(), Evidence()
    store = EntraStore(folder / "state", clock)
    directory = small_directory()
    store.save_directory(directory)
    https, http = _listener(), _listener()
    authority = f"https://localhost:{https.getsockname()[1]}"
    settings = EntraSettings(TENANT, authority)
    app = create_app(settings, store, evidence, clock)
    headers = {"header-of-gateway": "gateway", "header-of-batch": "batch"}
    managed = create_managed_identity_app(
        ManagedIdentitySettings(settings, headers, machine="gateway"), store, evidence, clock
    )
    tls = {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
    servers = [_serve(app, https, **tls), _serve(managed, http)]
    for each in servers:
        next(each)
    yield Tenant(
        authority=authority,
        identity=f"http://127.0.0.1:{http.getsockname()[1]}",
        ca=str(ca.certificate_file),
        folder=folder,
        store=store,
        directory=directory,
        clock=clock,
        evidence=evidence,
        settings=settings,
        headers={name: value for value, name in headers.items()},
    )
    for each in servers:
        next(each, None)
    store.close()
