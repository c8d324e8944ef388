"""An organisation behind HTTPS, for clients that bring their own network code."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import uvicorn
from azure.core.credentials import AccessToken

from hybridmandate.durable.database import open_engine
from hybridmandate.evidence.record import Record
from hybridmandate.identity.principal import Principal, TokenRefused
from hybridmandate.twin.certificates import ensure_ca
from hybridmandate.twin.dataverse import DataverseSettings, DataverseStore, create_app


class Tokens:
    """Stands for Entra on both sides: the client's credential and the server's check."""

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        assert scopes[0].endswith("/.default")
        return AccessToken("good", int(time.time()) + 3600)

    async def verify(self, authorization: str | None, *, role: str | None = None) -> Principal:
        if authorization != "Bearer good":
            raise TokenRefused("token.missing", "no token")
        return Principal("user-1", "app-1", "t", frozenset(), 9e9)


class Kept:
    """Keeps evidence in a list."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def record(self, record: Record) -> None:
        self.records.append(record)


@contextlib.contextmanager
def served(
    folder: Path, tables: Path, privileges: Mapping[str, frozenset[str]]
) -> Iterator[tuple[str, str]]:
    """Address and CA file of an organisation that serves until the block ends."""
    certificate, key = ensure_ca(folder / "tls").server_certificate("dataverse")
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    origin = f"https://localhost:{bound.getsockname()[1]}"
    store = DataverseStore(open_engine(f"sqlite:///{folder}/dataverse.db"), tables, clock=time.time)
    app = create_app(
        DataverseSettings(origin, "org-1", {"app-1": privileges}), store, Tokens(), Kept()
    )
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="error", ssl_certfile=str(certificate), ssl_keyfile=str(key))
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[bound])))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield origin, str(folder / "tls" / "ca.pem")
    finally:
        server.should_exit = server.force_exit = True
        thread.join()
