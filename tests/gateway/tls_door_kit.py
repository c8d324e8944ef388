"""A TLS door of the gateway in front of nothing but a book of its calls, and raw HTTP/2 callers."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.settings
import httpx
import pytest

from hybridmandate.governance.gateway.call import Call
from hybridmandate.governance.gateway.door import HeadLimits, Refusal
from hybridmandate.governance.gateway.http2_connection import Http2Limits
from hybridmandate.governance.gateway.tls_door import server_context, tls_door_protocol
from hybridmandate.local.serving import Serving, bind, server_of
from hybridmandate.twin.certificates import ensure_ca, issue_client_certificate

HEADS = HeadLimits(seconds=0.5, bytes=4096, count=30)
LIMITS = Http2Limits(
    streams=8,
    stream_window=32 * 1024,
    connection_window=256 * 1024,
    resets=20,
    idle_frames=50,
    unread_answers=64 * 1024,
    quiet_seconds=0.4,
    stalled_seconds=0.4,
)
LARGE = 300_000
HEAD = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/ok")]


class Behind:
    """The application behind the door."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.left = 0
        self.begun = 0
        self.running = 0
        self.most = 0
        self.broken: list[str] = []
        self.refusals: list[tuple[str, str]] = []
        self.read_on = asyncio.Event()

    def refused_at_door(self, refusal: Refusal, client: str) -> None:
        self.refusals.append((refusal.reason, client))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{step}.complete"})
            return
        self.begun += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self._answer(scope, receive, send)
        except ConnectionAbortedError as aborted:
            self.broken.append(str(aborted))
            raise
        finally:
            self.running -= 1

    async def serve(self, call: Call) -> None:
        """A call of the HTTP/1.1 door, noted as ASGI would show it."""
        body, more = call.content or b"", call.content is None
        while more:
            piece, more = await call.receive()
            body += piece
        head = call.head
        shown = [] if head.certificate is None else [ssl.DER_cert_to_PEM_cert(head.certificate)]
        self.calls.append(
            {
                "raw_path": head.path,
                "query_string": head.query.encode(),
                "scheme": head.scheme,
                "headers": head.headers,
                "client": (head.client, 0),
                "extensions": {"tls": {"client_cert_chain": shown}},
                "body": body,
            }
        )
        call.answer(200, "", [("content-length", "2")], b"ok")

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope["path"]
        if path == "/lazy":
            await self.read_on.wait()
        if path == "/hang":
            while (await receive())["type"] != "http.disconnect":
                continue
            self.left += 1
            return
        if path == "/breaks":
            raise RuntimeError("broken on purpose")
        body, more = b"", path != "/early"
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left += 1
                return
            body += message["body"]
            more = message["more_body"]
        self.calls.append({**scope, "body": body})
        answer = b"x" * LARGE if path == "/large" else b"ok"
        headers = [(b"x-seen", scope["http_version"].encode()), (b"connection", b"keep-alive")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for start in range(0, len(answer), 100_000):
            piece = answer[start : start + 100_000]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class Door:
    """A served door, and the ways to knock at it."""

    def __init__(self, behind: Behind, port: int, folder: Path, server: Any) -> None:
        self.behind = behind
        self.port = port
        self.folder = folder
        self.server = server
        self.server_files = (folder / "gateway.pem", folder / "gateway-key.pem")

    def context(self, certificate: Path | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        if certificate is not None:
            context.load_cert_chain(certificate)
        return context

    def client(self, *, http2: bool, certificate: Path | None = None) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=f"https://localhost:{self.port}",
            http2=http2,
            verify=self.context(certificate),
            trust_env=False,
        )

    @contextlib.asynccontextmanager
    async def raw(self) -> AsyncIterator[Raw]:
        context = self.context()
        context.set_alpn_protocols(["h2"])
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=context, server_hostname="localhost"
        )
        raw = Raw(reader, writer)
        await raw.flush()
        yield raw
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


class Raw:
    """An HTTP/2 client that does what it is told, abuse included."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        config = h2.config.H2Configuration(
            client_side=True,
            header_encoding="utf-8",
            validate_outbound_headers=False,
            normalize_outbound_headers=False,
        )
        self.h2 = h2.connection.H2Connection(config)
        self.h2.initiate_connection()
        self.events: list[h2.events.Event] = []
        self.closed = False

    async def flush(self) -> None:
        with contextlib.suppress(ConnectionError):
            self.writer.write(self.h2.data_to_send())
            await self.writer.drain()

    def ask(self, path: str = "/ok", *more: tuple[str, str], ends: bool = True) -> int:
        number = int(self.h2.get_next_available_stream_id())
        self.h2.send_headers(number, [*HEAD[:3], (":path", path), *more], end_stream=ends)
        return number

    async def read(self, *, within: float = 0.3) -> list[Any]:
        """All that arrives within a time, or until the server ends the connection."""
        found: list[Any] = []
        with contextlib.suppress(TimeoutError, ConnectionError, ssl.SSLError):
            async with asyncio.timeout(within):
                while data := await self.reader.read(65536):
                    found += self.h2.receive_data(data)
                    await self.flush()
        self.closed = self.reader.at_eof() or self.reader.exception() is not None
        return found


def statuses(events: Sequence[Any]) -> list[str]:
    found = [each for each in events if isinstance(each, h2.events.ResponseReceived)]
    heads = [{str(name): str(value) for name, value in each.headers or ()} for each in found]
    return [head[":status"] for head in heads]


def goodbye(events: Sequence[Any]) -> list[Any]:
    return [each.error_code for each in events if isinstance(each, h2.events.ConnectionTerminated)]


@pytest.fixture(name="door")
async def served_door(tmp_path: Path) -> AsyncIterator[Door]:
    authority = ensure_ca(tmp_path)
    certificate, key = authority.server_certificate("gateway")
    issue_client_certificate(tmp_path, "caller")
    issue_client_certificate(tmp_path, "stranger")
    trusted = [authority.certificate_file, public_part(tmp_path / "caller.pem")]
    behind = Behind()
    serving = Serving(
        behind,
        port=0,
        protocol=tls_door_protocol(behind, HEADS, LIMITS),
        tls=server_context(certificate, key, trusted),
    )
    server, bound = server_of(serving), bind(serving)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield Door(behind, bound.getsockname()[1], tmp_path, server)
    server.should_exit = True
    await task


def public_part(pair: Path) -> Path:
    text = pair.read_text()
    path = pair.with_suffix(".public.pem")
    path.write_text(text[text.index("-----BEGIN CERTIFICATE-----") :])
    return path


async def settled(door: Door) -> int:
    """How many calls still run once all that end by themselves have ended."""
    for _ in range(50):
        if door.behind.running == 0:
            break
        await asyncio.sleep(0.02)
    return door.behind.running
