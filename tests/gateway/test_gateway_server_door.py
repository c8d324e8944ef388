"""The door on the wire: heads that are late, too large or read in two ways never become calls."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hybridmandate.governance.gateway.call import Call, CallerLeft
from hybridmandate.governance.gateway.door import HeadLimits, Refusal, door_protocol
from hybridmandate.local.serving import Serving, bind, server_of

LIMITS = HeadLimits(seconds=0.3, bytes=4096, count=20)
GOOD = b"GET /ok HTTP/1.1\r\nHost: a\r\n\r\n"


class Behind:
    """The application behind the door: it counts the calls and how their bodies read."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, bytes]] = []
        self.clients: list[str] = []
        self.refusals: list[str] = []
        self.port = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})

    def refused_at_door(self, refusal: Refusal, client: str) -> None:
        self.refusals.append(refusal.reason)

    async def serve(self, call: Call) -> None:
        body, more = call.content, False
        if body is None:
            body, more = b"", True
        try:
            while more:
                piece, more = await call.receive()
                body += piece
        except CallerLeft:
            return
        path = call.head.path.decode()
        self.calls.append((path, body))
        if path == "/slow":
            await asyncio.sleep(2 * LIMITS.seconds)
        self.clients.append(call.head.client)
        if path == "/breaks":
            call.answer(200, "OK\r\nevil: 1", [("content-length", "0")], b"")
        with contextlib.suppress(CallerLeft):
            call.answer(200, "", [("content-length", "2")], b"ok")

    async def raw(self, data: bytes, *, within: float = 3.0) -> bytes:
        """Everything that comes back until the server ends the connection or falls silent."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        found = b""
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(within):
                while chunk := await reader.read(65536):
                    found += chunk
        writer.close()
        return found


@pytest.fixture
async def behind() -> AsyncIterator[Behind]:
    app = Behind()
    serving = Serving(app, port=0, protocol=door_protocol(app, LIMITS))
    server = server_of(serving)
    bound = bind(serving)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    while not server.started:
        await asyncio.sleep(0.01)
    app.port = bound.getsockname()[1]
    yield app
    server.should_exit = True
    await task


def post(*lines: str, body: bytes = b"") -> bytes:
    head = "\r\n".join(["POST /ok HTTP/1.1", "Host: a", *lines, "", ""])
    return head.encode("latin-1") + body


def smuggled(*lines: str, body: bytes = b"") -> bytes:
    """A request with another one behind it, which must never be read as a call of its own."""
    return post(*lines, body=body + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(
            smuggled("Content-Length: 5", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
            id="two-lengths",
        ),
        pytest.param(
            smuggled("Transfer-Encoding: chunked", "Content-Length: 5", body=b"0\r\n\r\n"),
            id="two-lengths-the-other-way",
        ),
        pytest.param(
            smuggled("Content-Length: 0", "Content-Length: 40"), id="two-different-content-lengths"
        ),
        pytest.param(smuggled("Content-Length: 0, 40"), id="content-length-list"),
        pytest.param(smuggled("Content-Length: +0"), id="content-length-with-sign"),
        pytest.param(smuggled("Content-Length: 0x0"), id="content-length-in-hexadecimal"),
        pytest.param(smuggled("Content-Length : 0"), id="space-before-the-colon"),
        pytest.param(
            smuggled("Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
            id="chunked-not-last",
        ),
        pytest.param(
            smuggled("Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), id="unknown-coding"
        ),
        pytest.param(
            smuggled("Transfer-Encoding: chunked", body=b"zz\r\n\r\n0\r\n\r\n"), id="bad-chunk-size"
        ),
        pytest.param(
            smuggled("Transfer-Encoding: chunked", body=b"-1\r\n\r\n0\r\n\r\n"),
            id="negative-chunk-size",
        ),
        pytest.param(
            smuggled("Transfer-Encoding: chunked", body=b"1" * 17 + b"\r\nx\r\n0\r\n\r\n"),
            id="chunk-size-that-overflows",
        ),
        pytest.param(
            smuggled("Transfer-Encoding: chunked", body=b"1\r\nxx\r\n0\r\n\r\n"),
            id="chunk-longer-than-said",
        ),
        pytest.param(
            smuggled("Transfer-Encoding: chunked", body=b"1\nx\n0\n\n"), id="chunks-with-bare-lf"
        ),
        pytest.param(smuggled("X-Fold: a", " Content-Length: 0"), id="folded-header"),
        pytest.param(
            b"POST /ok HTTP/1.1\nHost: a\nContent-Length: 0\n\nGET /smuggled HTTP/1.1\n\n",
            id="bare-lf",
        ),
        pytest.param(smuggled("X-Nul: a\0b"), id="nul-in-a-value"),
        pytest.param(smuggled("X\0Nul: a"), id="nul-in-a-name"),
        pytest.param(b"GET /o\0k HTTP/1.1\r\nHost: a\r\n\r\n", id="nul-in-the-target"),
        pytest.param(b"GET http://b/ok HTTP/1.1\r\nHost: a\r\n\r\n", id="absolute-form"),
        pytest.param(b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", id="connect"),
        pytest.param(b"GET /ok#/no HTTP/1.1\r\nHost: a\r\n\r\n", id="fragment"),
        pytest.param(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", id="asterisk"),
        pytest.param(b"GET /ok HTTP/9.9\r\nHost: a\r\n\r\n", id="unknown-version"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="http2-without-tls"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="tls-hello"),
        pytest.param("GET /ök HTTP/1.1\r\nHost: a\r\n\r\n".encode(), id="unicode-in-the-target"),
    ],
)
async def test_ambiguous_request_is_refused_and_nothing_behind_it_is_read(
    behind: Behind, data: bytes
) -> None:
    answer = await behind.raw(data)
    status = answer.split(b" ", 2)[1]
    assert status == b"400", answer
    assert b"/smuggled" not in [path.encode() for path, _ in behind.calls]
    outcome = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert outcome["failure"]["type"] == "malformed_request"
    assert behind.calls == []
    assert behind.refusals == [outcome["failure"]["reason"]]


async def test_good_requests_pass_one_after_the_other_on_one_connection(behind: Behind) -> None:
    chunked = post("Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r\n")
    answer = await behind.raw(GOOD + chunked + GOOD, within=0.25)
    assert answer.count(b"HTTP/1.1 200") == 3
    assert behind.calls == [("/ok", b""), ("/ok", b"abc"), ("/ok", b"")]


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([f"X-Long: {'a' * 5000}"], id="one-long-value"),
        pytest.param([f"{'a' * 5000}: 1"], id="one-long-name"),
        pytest.param([f"X-{number}: {'a' * 400}" for number in range(12)], id="long-together"),
        pytest.param([f"X-{number}: a" for number in range(30)], id="too-many"),
    ],
)
async def test_head_over_its_bounds_is_refused(behind: Behind, lines: list[str]) -> None:
    answer = await behind.raw(post(*lines))
    assert answer.startswith(b"HTTP/1.1 431")
    assert behind.calls == []


async def test_target_over_the_bound_is_refused(behind: Behind) -> None:
    answer = await behind.raw(b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize("begin", [b"", b"GET /ok HT", b"GET /ok HTTP/1.1\r\nHost: a\r\nX"])
async def test_head_that_does_not_come_is_given_up(behind: Behind, begin: bytes) -> None:
    answer = await behind.raw(begin)
    assert answer.startswith(b"HTTP/1.1 408")
    assert behind.calls == []


async def test_head_that_trickles_is_given_up_however_steady(behind: Behind) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", behind.port)
    answer = asyncio.create_task(reader.read(65536))
    for sign in GOOD:
        writer.write(bytes([sign]))
        await asyncio.wait([answer], timeout=0.05)
        if answer.done():
            break
    assert (await answer).startswith(b"HTTP/1.1 408")
    writer.close()
    assert behind.calls == []


async def test_second_head_of_a_connection_has_its_own_time(behind: Behind) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", behind.port)
    for _ in range(2):
        writer.write(GOOD)
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(0.4)
    writer.write(GOOD[:10])
    assert (await reader.read(65536)).startswith(b"HTTP/1.1 408")
    writer.close()


@pytest.mark.parametrize("behind_it", [b"GET /ok HT", b"no request\r\n\r\n"])
async def test_refusal_is_never_read_as_the_answer_of_the_request_before(
    behind: Behind, behind_it: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", behind.port)
    writer.write(GOOD.replace(b"/ok", b"/slow"))
    while not behind.calls:
        await asyncio.sleep(0.01)
    writer.write(behind_it)
    assert await reader.read() == b""
    writer.close()
    assert behind.calls == [("/slow", b"")]


async def test_request_in_one_piece_with_rubbish_is_not_answered(behind: Behind) -> None:
    assert await behind.raw(GOOD + b"no request\r\n\r\n") == b""
    assert behind.refusals == ["RequestInvalid"]


async def test_answer_with_a_line_break_never_reaches_the_wire(behind: Behind) -> None:
    answer = await behind.raw(GOOD.replace(b"/ok", b"/breaks"))
    assert answer.startswith(b"HTTP/1.1 500")
    assert b"evil" not in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["failure"]["type"] == "internal_error"


async def test_upgrade_is_answered_in_http1_and_nothing_behind_it_is_read(behind: Behind) -> None:
    upgrade = GOOD.replace(b"Host: a", b"Host: a\r\nConnection: Upgrade\r\nUpgrade: h2c")
    answer = await behind.raw(upgrade + GOOD)
    assert answer.startswith(b"HTTP/1.1 200")
    assert behind.calls == [("/ok", b"")]


async def test_request_behind_one_that_ends_the_connection_is_not_run(behind: Behind) -> None:
    last = GOOD.replace(b"Host: a", b"Host: a\r\nConnection: close")
    answer = await behind.raw(last + GOOD)
    assert answer.count(b"HTTP/1.1 200") == 1
    assert behind.calls == [("/ok", b"")]


async def test_expectation_is_met_when_the_body_is_wanted(behind: Behind) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", behind.port)
    writer.write(post("Content-Length: 3", "Expect: 100-continue"))
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"abc")
    assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
    writer.close()
    assert behind.calls == [("/ok", b"abc")]


async def test_forwarded_address_of_a_caller_is_not_believed(behind: Behind) -> None:
    await behind.raw(post("X-Forwarded-For: 9.9.9.9", "Content-Length: 0"), within=0.2)
    assert behind.clients == ["127.0.0.1"]
