"""The client to back ends against servers that behave well and badly, on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hybridmandate.governance.gateway.http_pool import HttpPool
from hybridmandate.governance.gateway.transport import (
    Outgoing,
    TransportFailure,
    TransportTimeout,
    parse_base_url,
)

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()


def get(url: str, **more: Any) -> Outgoing:
    values: dict[str, Any] = {"headers": [], "body": None, "timeout": 1.0, **more}
    return Outgoing(values.pop("method", "GET"), url, **values)


async def read(pool: HttpPool, outgoing: Outgoing) -> tuple[int, bytes]:
    incoming = await pool.send(outgoing)
    return incoming.status, b"".join([chunk async for chunk in incoming.body])


def answering(*answers: bytes) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
        await writer.drain()

    return handler


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", (200, b"abc")),
        (b"HTTP/1.1 204 None\r\n\r\n", (204, b"")),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            (200, b"abc"),
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 C\r\nContent-Length: 1\r\n\r\nx", (201, b"x")),
    ],
)
async def test_well_formed_answers_are_read(answer: bytes, expected: tuple[int, bytes]) -> None:
    async with serving(answering(answer)) as url:
        assert await read(HttpPool(), get(url)) == expected


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
    ],
)
async def test_broken_answers_are_failures(answer: bytes) -> None:
    async with serving(answering(answer)) as url:
        with pytest.raises(TransportFailure):
            await read(HttpPool(), get(url))


async def test_nobody_listening_is_a_failure() -> None:
    with pytest.raises(TransportFailure):
        await read(HttpPool(), get("http://127.0.0.1:1/"))


async def test_silence_is_a_timeout() -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(silence) as url:
        with pytest.raises(TransportTimeout):
            await read(HttpPool(), get(url, timeout=0.1))


async def test_body_that_stops_is_a_failure() -> None:
    async def stops(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        await reader.read()

    async with serving(stops) as url:
        with pytest.raises(TransportFailure, match="did not arrive"):
            await read(HttpPool(read_timeout=0.1), get(url))


async def test_connection_is_used_again() -> None:
    opened = 0

    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")

    async with serving(counting) as url:
        pool = HttpPool()
        for _ in range(5):
            assert await read(pool, get(url)) == (200, b"x")
        await pool.close()
    assert opened == 1


@pytest.mark.parametrize("first", [30.0, 0.05])
async def test_each_request_of_a_connection_has_its_own_time(first: float) -> None:
    waits = iter([0.0, 0.3, 2.0])

    async def slower(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for wait in waits:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(wait)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")

    async with serving(slower) as url:
        pool = HttpPool()
        assert await read(pool, get(url, timeout=first)) == (200, b"x")
        assert await read(pool, get(url, timeout=1.0)) == (200, b"x")
        began = asyncio.get_running_loop().time()
        with pytest.raises(TransportTimeout):
            await read(pool, get(url, timeout=0.1))
        assert asyncio.get_running_loop().time() - began < 1.0


async def test_request_given_up_in_line_leaves_its_turn_to_the_next() -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.1)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")

    async with serving(slow) as url:
        pool = HttpPool(connections=1)
        first = asyncio.ensure_future(read(pool, get(url)))
        waiting = [asyncio.ensure_future(read(pool, get(url))) for _ in range(3)]
        await asyncio.sleep(0.02)
        waiting[0].cancel()
        with pytest.raises(TransportTimeout):
            await read(pool, get(url, timeout=0.01))
        assert await asyncio.gather(first, *waiting[1:]) == [(200, b"x")] * 3
        assert await read(pool, get(url)) == (200, b"x")
        await pool.close()


async def test_closed_idle_connection_is_replaced_for_safe_methods_only() -> None:
    seen: list[bytes] = []

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readuntil(b"\r\n\r\n")).split(b" ")[0])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")
        await writer.drain()
        seen.append((await reader.readuntil(b"\r\n\r\n")).split(b" ")[0])

    async with serving(once) as url:
        pool = HttpPool()
        assert await read(pool, get(url)) == (200, b"x")
        assert await read(pool, get(url)) == (200, b"x")
        assert seen == [b"GET", b"GET", b"GET"]
        with pytest.raises(TransportFailure):
            await read(pool, get(url, method="POST", body=b"1"))
        assert seen[-1] == b"POST"
        assert seen.count(b"POST") == 1


async def test_answer_before_the_upload_ends_stops_the_upload() -> None:
    async def early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await writer.drain()
        await asyncio.sleep(0.3)

    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 1000
            await asyncio.sleep(0.001)

    async with serving(early) as url:
        assert await read(HttpPool(), get(url, method="POST", body=endless())) == (413, b"no")
        stopped = sent
        await asyncio.sleep(0.05)
        assert sent == stopped


async def test_stream_without_length_is_chunked() -> None:
    got = bytearray()

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.extend(await reader.readuntil(b"0\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"cde"

    async with serving(keep) as url:
        await read(HttpPool(), get(url, method="POST", body=pieces()))
    assert got.endswith(b"\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n")
    assert b"transfer-encoding: chunked" in got


@pytest.mark.parametrize(
    "change",
    [
        {"headers": [("x", "a\r\nevil: 1")]},
        {"headers": [("x\n", "a")]},
        {"headers": [("x", "a\0")]},
        {"method": "GET /evil HTTP/1.1\r\nx:"},
    ],
)
async def test_line_breaks_never_reach_the_wire(change: dict[str, Any]) -> None:
    async with serving(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as url:
        with pytest.raises(TransportFailure):
            await read(HttpPool(), get(url, **change))


@pytest.mark.parametrize(
    ("text", "url", "socket"),
    [
        ("http://h:1/a/", "http://h:1/a", None),
        ("https://h", "https://h", None),
        ("http+unix:///run/x.sock", "http://localhost", "/run/x.sock"),
        ("http+unix://%2Frun%2Fx.sock/base/", "http://localhost/base", "/run/x.sock"),
    ],
)
def test_base_urls(text: str, url: str, socket: str | None) -> None:
    found = parse_base_url(text)
    assert (found.url, found.socket) == (url, socket)


@pytest.mark.parametrize("text", ["", "/a", "ftp://h", "http://", "http+unix://", "h:1"])
def test_other_base_urls_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"URL|socket"):
        parse_base_url(text)
