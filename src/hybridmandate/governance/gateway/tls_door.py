"""The gateway's door with TLS: HTTP/2 or HTTP/1.1 as agreed, and who the caller's certificate says.

A caller may show a certificate; whether it must, and which, is the policy's business
(``validate-client-certificate``, ``context.Request.Certificate``). The handshake itself refuses a
certificate that no trusted authority has signed.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from hybridmandate.governance.gateway.door import Application, Door, HeadLimits
from hybridmandate.governance.gateway.http2_connection import (
    Http2Connection,
    Http2Limits,
    Surroundings,
)

PROTOCOLS = ("h2", "http/1.1")


def server_context(certificate: Path, key: Path, authorities: Sequence[Path]) -> ssl.SSLContext:
    """TLS 1.2 and up, both protocols offered, a client certificate of the authorities accepted.

    ``authorities`` are PEM files, empty ones included: of authorities, or of self-signed callers.

    :raises OSError: when a file is missing or holds no such thing.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    for each in authorities:
        if each.stat().st_size:
            context.load_verify_locations(each)
    context.verify_mode = ssl.CERT_OPTIONAL if context.cert_store_stats()["x509"] else ssl.CERT_NONE
    context.set_alpn_protocols(list(PROTOCOLS))
    return context


class TlsDoor(asyncio.Protocol):
    """A connection until its protocol is known; then that protocol's own class takes over."""

    application: Application
    heads = HeadLimits()
    http2 = Http2Limits()

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if not config.loaded:
            config.load()
        self._config = config
        self._server_state = server_state
        self._app_state = app_state
        self._loop = _loop

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        agreed: ssl.SSLObject = transport.get_extra_info("ssl_object")
        der = agreed.getpeercert(binary_form=True)
        chosen: asyncio.Protocol = self._http2(der)
        if agreed.selected_alpn_protocol() != "h2":
            chosen = self._http1(der)
        transport.set_protocol(chosen)
        chosen.connection_made(transport)

    def _http2(self, certificate: bytes | None) -> asyncio.Protocol:
        state = self._server_state
        around = Surroundings(
            connections=state.connections,
            tasks=state.tasks,
            headers=lambda: state.default_headers,
            state=self._app_state,
            refused=self.application.refused_at_door,
        )
        app = self._config.loaded_app
        extensions = {"tls": _tls_extension(certificate)}
        return Http2Connection(app, around, self.heads, self.http2, extensions)

    def _http1(self, certificate: bytes | None) -> asyncio.Protocol:
        door = Door(self._config, self._server_state, self._app_state, self._loop)
        door.application = self.application
        door.limits = self.heads
        door.certificate = certificate
        return door


def tls_door_protocol(
    application: Application, heads: HeadLimits, http2: Http2Limits
) -> type[TlsDoor]:
    """The protocol class for a server with these limits.

    Calls over HTTP/1.1 go to ``application``, those over HTTP/2 to the server's ASGI application.
    """
    parts = {"application": application, "heads": heads, "http2": http2}
    return type("TlsDoor", (TlsDoor,), parts)


def _tls_extension(der: bytes | None) -> dict[str, Any]:
    """The caller's certificate, in the words of the ASGI TLS extension (version 0.2)."""
    return {"client_cert_chain": [] if der is None else [ssl.DER_cert_to_PEM_cert(der)]}
