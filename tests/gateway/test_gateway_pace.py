"""Callers that send or take a body too slowly are cut off; those that keep the pace are not."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import pytest
from gateway_edge import CORRELATION, STORE, VIEW, Edge, respond, token

from hybridmandate.governance.gateway.pace import Pace, PaceLimits, TooSlow
from hybridmandate.governance.gateway.settings import GatewaySettings

LIMITS = PaceLimits(bytes_per_second=20_000, grace_seconds=0.4, pause_seconds=1.0)
HEAD = (
    f"POST {{}} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token()}\r\n"
    f"x-correlation-id: {CORRELATION}\r\nContent-Type: {{}}\r\nContent-Length: {{}}\r\n\r\n"
)


@pytest.fixture
def settings() -> GatewaySettings:
    return GatewaySettings(body_limits={"exec/files-store-v1": 32 * 1024 * 1024}, pace=LIMITS)


async def test_upload_below_the_least_rate_is_given_up_however_steady(edge: Edge) -> None:
    reader, writer = await asyncio.open_connection(*edge.address)
    writer.write(HEAD.format(STORE, "text/csv", 1_000_000).encode())
    answer = asyncio.create_task(reader.read(65536))
    began = time.perf_counter()
    while not answer.done() and time.perf_counter() - began < 5:
        with contextlib.suppress(ConnectionError):
            writer.write(b"x" * 100)
        await asyncio.wait([answer], timeout=0.05)
    writer.close()
    assert (await answer).split(b" ", 2)[1] == b"400"
    assert time.perf_counter() - began < 4
    assert edge.last.detail["reason"] in ("RequestTimeout", "BackendConnectionFailure")
    assert edge.last.failure_type == "malformed_request"


async def test_upload_above_the_least_rate_arrives(edge: Edge) -> None:
    reader, writer = await asyncio.open_connection(*edge.address)
    writer.write(HEAD.format(STORE, "text/csv", 60_000).encode())
    for _ in range(6):
        writer.write(b"x" * 10_000)
        await asyncio.sleep(0.15)
    await reader.readuntil(b"\r\n\r\n")
    writer.close()
    assert edge.back_end.requests[0]["size"] == 60_000


async def test_caller_that_takes_nothing_of_its_answer_is_cut_off(edge: Edge) -> None:
    async def large(request: Any, send: Any) -> None:
        await respond(send, 200, b"x" * 30_000_000)

    edge.back_end.answer = large
    reader, writer = await asyncio.open_connection(*edge.address, limit=1024)
    writer.write(HEAD.format(VIEW, "application/json", 2).encode() + b"{}")
    async with asyncio.timeout(5):
        while not any(each.kind == "gateway.call" for each in edge.evidence.records):
            await asyncio.sleep(0.02)
    assert edge.last.detail["broke"] == "the caller is too slow"
    assert edge.last.outcome == "failed"
    taken = b""
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(1 << 20):
            taken += chunk
    assert len(taken) < 30_000_000
    writer.close()


async def test_only_the_time_that_is_waited_counts() -> None:
    pace = Pace(PaceLimits(bytes_per_second=1000, grace_seconds=0.05, pause_seconds=5))
    await asyncio.sleep(0.1)
    pace.moved(100)
    assert await pace.wait(asyncio.sleep(0.1, "arrived")) == "arrived"
    with pytest.raises(TooSlow):
        await pace.wait(asyncio.sleep(0.2))


async def test_pause_is_bounded_whatever_was_moved_before() -> None:
    pace = Pace(PaceLimits(bytes_per_second=1, grace_seconds=60, pause_seconds=0.02))
    pace.moved(1_000_000)
    with pytest.raises(TooSlow):
        await pace.wait(asyncio.sleep(1))
