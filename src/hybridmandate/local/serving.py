"""Serving ASGI applications in a process: sockets, TLS, and a stop when the supervisor is gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

GRACE_SECONDS = 10
TLS_GRACE_SECONDS = 2
"""Stand-ins: clients that keep connections open do not say goodbye to a TLS server."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Certificate and key files of a server."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Serving:
    """An application and where it listens: a loopback port, or a Unix socket (mode 0600).

    ``protocol`` reads the connections; None is uvicorn's own for HTTP/1.1. ``tls`` is the context
    of a server that decides for itself what it accepts, instead of ``certificate``. A port that
    ``is_shared`` is spread over the processes that listen on it. ``lifespan`` is off for a further
    door of an application that another serving starts and stops.
    """

    app: ASGIApp
    port: int | None = None
    path: Path | None = None
    certificate: Certificate | None = None
    protocol: type[asyncio.Protocol] | None = None
    tls: ssl.SSLContext | None = None
    is_shared: bool = False
    lifespan: Literal["on", "off"] = "on"


async def serve(servings: Sequence[Serving]) -> None:
    """Serve until SIGTERM, SIGINT or the end of the supervisor's pipe on standard input."""
    servers = [server_of(each) for each in servings]
    sockets = [bind(each) for each in servings]
    stop = asyncio.Event()
    _stop_with_supervisor(asyncio.get_running_loop(), stop)
    tasks = [
        asyncio.create_task(server.serve(sockets=[bound]))
        for server, bound in zip(servers, sockets, strict=True)
    ]
    stopper = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([stopper, *tasks], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopper.cancel()
        for server in servers:
            server.should_exit = True
        await asyncio.gather(*tasks)
        for each in servings:
            if each.path is not None:
                each.path.unlink(missing_ok=True)


def server_of(serving: Serving) -> uvicorn.Server:
    """The server of an application, as every process runs it."""
    certificate, tls = serving.certificate, serving.tls
    speaks_tls = certificate is not None or tls is not None
    config = uvicorn.Config(
        serving.app,
        http=serving.protocol or "auto",
        # uvicorn believes X-Forwarded-For of loopback callers; nobody stands in front of these.
        proxy_headers=False,
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=TLS_GRACE_SECONDS if speaks_tls else GRACE_SECONDS,
        lifespan=serving.lifespan,
        ssl_certfile=None if certificate is None else str(certificate.certificate),
        ssl_keyfile=None if certificate is None else str(certificate.key),
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
    )
    return uvicorn.Server(config)


def bind(serving: Serving) -> socket.socket:
    """The bound socket that a server listens on."""
    if serving.path is not None:
        return _bind_path(serving.path)
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if serving.is_shared:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind(("127.0.0.1", serving.port or 0))
    return bound


def _bind_path(path: Path) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The socket is never wider than 0600, not even between bind and chmod (boundary 'network in').
    before = os.umask(0o177)
    try:
        bound.bind(str(path))
    finally:
        os.umask(before)
    return bound


def _stop_with_supervisor(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Set the event when standard input ends: the supervisor holds its other end."""

    def watch() -> None:
        # Read below Python's buffer, whose lock a waiting thread would hold when the process ends.
        with contextlib.suppress(OSError):
            while os.read(sys.stdin.fileno(), 1024):
                continue
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=watch, name="supervisor-pipe", daemon=True).start()
