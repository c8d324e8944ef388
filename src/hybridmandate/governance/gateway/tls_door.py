"""The gateway's door with TLS: HTTP/2 or HTTP/1.1 as agreed, and who the caller's certificate says.

A caller may show a certificate; whether it must, and which, is the policy's business
(``validate-client-certificate``, ``context.Request.Certificate``). The handshake itself refuses a
certificate that no trusted authority has signed.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
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
    The files are followed: what they hold counts from the next handshake on, the connections that
    stand go on. Files that cannot be used (half written, say) leave the earlier ones in force.
    Whether callers are asked for a certificate at all is settled here, by what the files hold now.

    :raises OSError: when a file is missing or holds no such thing.
    """
    files = _TlsFiles(certificate, key, tuple(authorities))
    context = files.context()
    current = _CurrentContext(files, context)
    context.sni_callback = current.give
    return context


@dataclass(frozen=True, slots=True)
class _TlsFiles:
    """The server's certificate and key, and the certificates that it trusts."""

    certificate: Path
    key: Path
    authorities: tuple[Path, ...]

    def state(self) -> tuple[tuple[int, int, int], ...]:
        """What changes when a file is written or replaced. :raises OSError: when one is missing."""
        found = (each.stat() for each in (self.certificate, self.key, *self.authorities))
        return tuple((each.st_ino, each.st_size, each.st_mtime_ns) for each in found)

    def context(self) -> ssl.SSLContext:
        """A context of what they hold now. :raises OSError: when they hold no such thing."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key)
        for each in self.authorities:
            if each.stat().st_size:
                context.load_verify_locations(each)
        trusts = context.cert_store_stats()["x509"]
        context.verify_mode = ssl.CERT_OPTIONAL if trusts else ssl.CERT_NONE
        context.set_alpn_protocols(list(PROTOCOLS))
        # A resumed session would bring a certificate along that is trusted no more.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
        return context


class _CurrentContext:
    """Gives each handshake the context of the files as they are when it begins."""

    __slots__ = ("_context", "_files", "_state")

    def __init__(self, files: _TlsFiles, context: ssl.SSLContext) -> None:
        self._files = files
        self._context = context
        self._state = files.state()

    def give(self, handshake: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        """Called at the beginning of a handshake, whether the caller names a server or not."""
        # Looking at the files for each handshake costs microseconds, a handshake a millisecond.
        with contextlib.suppress(OSError):
            state = self._files.state()
            if state != self._state:
                self._context = self._files.context()
                self._state = state
        handshake.context = self._context


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
