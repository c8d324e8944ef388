"""TLS at the gateway's door: HTTP/2 and HTTP/1.1, certificates shown, floods and stalls bounded."""

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
from hyperframe.frame import HeadersFrame

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


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
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


@pytest.mark.parametrize("http2", [True, False])
async def test_call_arrives_the_same_over_both_protocols(door: Door, http2: bool) -> None:
    async with door.client(http2=http2) as client:
        cookies = {"cookie": "a=1; b=2", "x-name": "v"}
        answers = [
            await client.post("/a%2Fb?q=%20", content=b"body", headers=cookies) for _ in range(3)
        ]
    assert {each.http_version for each in answers} == {"HTTP/2" if http2 else "HTTP/1.1"}
    assert all(each.content == b"ok" and "date" in each.headers for each in answers)
    call = door.behind.calls[0]
    headers = dict(call["headers"])
    assert (call["raw_path"], call["query_string"], call["scheme"]) == (
        b"/a%2Fb",
        b"q=%20",
        "https",
    )
    assert headers[b"host"] == f"localhost:{door.port}".encode()
    assert (headers[b"cookie"], headers[b"x-name"]) == (b"a=1; b=2", b"v")
    assert (call["body"], headers[b"content-length"]) == (b"body", b"4")
    assert call["client"][0] == "127.0.0.1"


async def test_large_bodies_pass_both_ways_within_small_windows(door: Door) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"y" * 10_000

    async with door.client(http2=True) as client:
        answers = await asyncio.gather(
            *(client.post("/large", content=pieces()) for _ in range(12))
        )
    assert {len(each.content) for each in answers} == {LARGE}
    assert {len(call["body"]) for call in door.behind.calls} == {300_000}
    assert all((b"transfer-encoding", b"chunked") in call["headers"] for call in door.behind.calls)


@pytest.mark.parametrize("http2", [True, False])
@pytest.mark.parametrize("name", ["caller", None])
async def test_certificate_that_a_caller_shows_comes_with_each_call(
    door: Door, http2: bool, name: str | None
) -> None:
    certificate = None if name is None else door.folder / f"{name}.pem"
    async with door.client(http2=http2, certificate=certificate) as client:
        await client.get("/ok")
        await client.get("/ok")
    for call in door.behind.calls:
        chain = call["extensions"]["tls"]["client_cert_chain"]
        expected = [] if certificate is None else [(door.folder / "caller.public.pem").read_text()]
        assert chain == expected
    assert len(door.behind.calls) == 2


async def test_certificate_of_nobody_who_is_known_ends_the_handshake(door: Door) -> None:
    async with door.client(http2=True, certificate=door.folder / "stranger.pem") as client:
        with pytest.raises(httpx.TransportError):
            await client.get("/ok")
    assert door.behind.calls == []


async def _knows(door: Door, name: str) -> bool:
    async with door.client(http2=True, certificate=door.folder / f"{name}.pem") as client:
        try:
            return (await client.get("/ok")).status_code == 200
        except httpx.TransportError:
            return False


async def test_certificates_are_followed_while_connections_stand(door: Door) -> None:
    trusted = door.folder / "caller.public.pem"
    stranger = public_part(door.folder / "stranger.pem").read_text()
    async with door.client(http2=True, certificate=door.folder / "caller.pem") as standing:
        await standing.get("/ok")
        assert not await _knows(door, "stranger")
        trusted.write_text(trusted.read_text() + stranger)
        assert (await _knows(door, "stranger"), await _knows(door, "caller")) == (True, True)
        trusted.write_text(stranger[:400])
        assert (await _knows(door, "stranger"), await _knows(door, "caller")) == (True, True)
        trusted.write_text(stranger)
        assert (await _knows(door, "stranger"), await _knows(door, "caller")) == (True, False)
        assert (await standing.get("/ok")).status_code == 200


async def test_certificate_of_the_gateway_is_followed(door: Door) -> None:
    async def shown() -> bytes:
        _, writer = await asyncio.open_connection(
            "127.0.0.1", door.port, ssl=door.context(), server_hostname="localhost"
        )
        found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return found

    before = await shown()
    certificate, key = ensure_ca(door.folder).server_certificate("another")
    own_certificate, own_key = door.server_files
    own_key.write_bytes(key.read_bytes())
    assert await shown() == before
    own_certificate.write_bytes(certificate.read_bytes())
    assert ssl.DER_cert_to_PEM_cert(await shown()) in certificate.read_text()


async def test_plain_text_and_old_tls_are_refused(door: Door) -> None:
    with pytest.raises(httpx.TransportError):
        await httpx.AsyncClient().get(f"http://localhost:{door.port}/ok")
    old = door.context()
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", door.port, ssl=old, server_hostname="localhost")


REFUSED_HEADS: list[tuple[str, tuple[tuple[str, str], ...], str]] = [
    ("/ok", (("x-long", "v" * 5000),), "431"),
    ("/ok", tuple((f"x-{n}", "v") for n in range(40)), "431"),
    ("/" + "p" * 5000, (), "431"),
    ("*", (), "400"),
    ("ok", (), "400"),
    ("https://elsewhere/ok", (), "400"),
    ("/with space", (), "400"),
    ("/ok#fragment", (), "400"),
    ("/caf\u00e9", (), "400"),
]


@pytest.mark.parametrize(("path", "headers", "status"), REFUSED_HEADS)
async def test_head_that_is_no_calls_is_answered_and_the_connection_lives(
    door: Door, path: str, headers: tuple[tuple[str, str], ...], status: str
) -> None:
    async with door.raw() as raw:
        raw.ask(path, *headers, ends=False)
        raw.ask("/ok")
        await raw.flush()
        events = await raw.read()
    assert sorted(statuses(events)) == sorted([status, "200"])
    assert [call["path"] for call in door.behind.calls] == ["/ok"]
    reason = {"431": "HeadersTooLarge", "400": "TargetInvalid"}[status]
    assert door.behind.refusals == [(reason, "127.0.0.1")]
    body = b"".join(each.data for each in events if isinstance(each, h2.events.DataReceived))
    assert b'"malformed_request"' in body


SMUGGLED: list[tuple[tuple[str, str], ...]] = [
    (("transfer-encoding", "chunked"),),
    (("connection", "close"),),
    (("content-length", "3"), ("content-length", "5")),
    (("content-length", "-1"),),
    (("x-split", "a\r\nhost: b"),),
    (("x-nul", "a\0b"),),
    (("Upper", "a"),),
    (("na me", "a"),),
    (("host", "other"),),
    ((":path", "/second"),),
    (("te", "gzip"),),
]


@pytest.mark.parametrize("headers", SMUGGLED)
async def test_head_that_two_parsers_could_read_differently_never_becomes_a_call(
    door: Door, headers: tuple[tuple[str, str], ...]
) -> None:
    async with door.raw() as raw:
        raw.ask("/ok", *headers)
        await raw.flush()
        events = await raw.read()
    assert statuses(events) in ([], ["400"])
    assert door.behind.calls == []


async def test_body_of_another_length_than_declared_never_counts_as_whole(door: Door) -> None:
    async with door.raw() as raw:
        raw.h2.config.validate_outbound_headers = False
        number = raw.ask("/ok", ("content-length", "10"), ends=False)
        raw.h2.send_data(number, b"abc", end_stream=True)
        await raw.flush()
        events = await raw.read()
    assert statuses(events) == []
    assert door.behind.calls == []


async def test_streams_opened_and_reset_at_once_end_the_connection(door: Door) -> None:
    async with door.raw() as raw:
        for _ in range(200):
            number = raw.ask("/hang")
            raw.h2.reset_stream(number)
            await raw.flush()
        await raw.read(within=1.0)
        assert raw.closed
    assert await settled(door) == 0
    assert door.behind.begun <= LIMITS.resets + 2 * LIMITS.streams


@pytest.mark.parametrize("kind", ["ping", "settings", "empty data", "window"])
async def test_frames_that_ask_for_nothing_are_bounded(door: Door, kind: str) -> None:
    async with door.raw() as raw:
        number = raw.ask("/hang", ends=False)
        for count in range(200):
            match kind:
                case "ping":
                    raw.h2.ping(count.to_bytes(8, "big"))
                case "settings":
                    raw.h2.update_settings({h2.settings.SettingCodes.MAX_FRAME_SIZE: 16384 + count})
                case "empty data":
                    raw.h2.send_data(number, b"")
                case _:
                    raw.h2.increment_flow_control_window(1)
        await raw.flush()
        events = await raw.read(within=1.0)
    assert h2.errors.ErrorCodes.ENHANCE_YOUR_CALM in goodbye(events)
    assert await settled(door) == 0


async def test_header_block_that_never_ends_is_bounded(door: Door) -> None:
    async with door.raw() as raw:
        frame = HeadersFrame(1, raw.h2.encoder.encode([("x", "y")]))
        raw.writer.write(frame.serialize())
        piece = bytes([0, 0, 4, 9, 0, 0, 0, 0, 1]) + b"\x00\x01a\x00"
        raw.writer.write(piece * 200)
        events = await raw.read(within=1.0)
    assert raw.closed
    assert statuses(events) == []
    assert door.behind.calls == []


async def test_more_calls_at_once_than_agreed_are_never_run(door: Door) -> None:
    async with door.raw() as raw:
        await raw.read(within=0.1)
        agreed = raw.h2.remote_settings.max_concurrent_streams
        raw.h2.remote_settings = h2.settings.Settings(
            client=False,
            initial_values={h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 1000},
        )
        for _ in range(LIMITS.streams + 1):
            raw.ask("/hang")
        await raw.flush()
        await raw.read()
    assert agreed == LIMITS.streams
    assert door.behind.most <= LIMITS.streams


async def test_caller_that_resets_a_stream_is_seen_to_leave(door: Door) -> None:
    async with door.raw() as raw:
        number = raw.ask("/hang")
        await raw.flush()
        await raw.read(within=0.1)
        raw.h2.reset_stream(number)
        raw.ask("/ok")
        await raw.flush()
        events = await raw.read()
    assert door.behind.left == 1
    assert statuses(events) == ["200"]


async def test_answer_that_the_caller_does_not_take_is_cut_off(door: Door) -> None:
    async with door.raw() as raw:
        raw.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1000})
        await raw.flush()
        raw.ask("/large")
        await raw.flush()
        events = await raw.read(within=1.5)
    assert door.behind.broken == ["the caller does not take its answer"]
    taken = sum(len(each.data) for each in events if isinstance(each, h2.events.DataReceived))
    assert 0 < taken < LARGE


async def test_unread_body_takes_no_more_than_the_window(door: Door) -> None:
    async with door.raw() as raw:
        await raw.read(within=0.1)
        number = raw.ask("/lazy", ends=False)
        sent = 0
        while (room := raw.h2.local_flow_control_window(number)) > 0:
            size = min(room, 16_000)
            raw.h2.send_data(number, b"z" * size)
            sent += size
            await raw.flush()
            await raw.read(within=0.02)
        assert sent == LIMITS.stream_window
        door.behind.read_on.set()
        await raw.read(within=0.1)
        assert raw.h2.local_flow_control_window(number) > 0


async def test_answer_before_the_body_was_read_asks_for_no_more_of_it(door: Door) -> None:
    async with door.raw() as raw:
        for _ in range(20):
            number = raw.ask("/early", ends=False)
            raw.h2.send_data(number, b"z" * 16_000)
            await raw.flush()
            events = await raw.read(within=0.05)
            assert statuses(events) == ["200"]
            resets = [each for each in events if isinstance(each, h2.events.StreamReset)]
            assert [each.error_code for each in resets] == [h2.errors.ErrorCodes.NO_ERROR]
    # 320,000 bytes went through a connection window of 256 KiB: unread bytes were given back.


async def test_call_that_breaks_ends_its_stream_only(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    async with door.raw() as raw:
        raw.ask("/breaks")
        raw.ask("/ok")
        await raw.flush()
        events = await raw.read()
    resets = [each for each in events if isinstance(each, h2.events.StreamReset)]
    assert [each.error_code for each in resets] == [h2.errors.ErrorCodes.INTERNAL_ERROR]
    assert statuses(events) == ["200"]
    assert "broken on purpose" in caplog.text


async def test_connection_without_a_call_is_closed_after_a_while(door: Door) -> None:
    async with door.raw() as raw:
        events = await raw.read(within=2.0)
        assert raw.closed
    assert goodbye(events) == [h2.errors.ErrorCodes.NO_ERROR]


async def test_stop_lets_calls_end_and_takes_no_new_ones(door: Door) -> None:
    async with door.raw() as raw:
        raw.ask("/lazy")
        await raw.flush()
        await raw.read(within=0.1)
        door.server.should_exit = True
        told = await raw.read(within=0.4)
        assert goodbye(told) == [h2.errors.ErrorCodes.NO_ERROR]
        door.behind.read_on.set()
        data = b""
        with contextlib.suppress(TimeoutError, ssl.SSLError):
            async with asyncio.timeout(2.0):
                while piece := await raw.reader.read(65536):
                    data += piece
    assert b"ok" in data
    assert len(door.behind.calls) == 1


async def settled(door: Door) -> int:
    """How many calls still run once all that end by themselves have ended."""
    for _ in range(50):
        if door.behind.running == 0:
            break
        await asyncio.sleep(0.02)
    return door.behind.running
