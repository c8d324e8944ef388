"""The server on the wire: smuggling, streaming, departures, health, streams that break."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from gateway_edge import CORRELATION, JSON, STORE, VIEW, Edge, respond, token

from hybridmandate.contracts import Outcome, Status

CREDENTIALS = f"Authorization: Bearer {token()}\r\nx-correlation-id: {CORRELATION}\r\n"


def message(*lines: str, path: str = VIEW, body: str = "", method: str = "POST") -> bytes:
    head = "".join(f"{line}\r\n" for line in lines)
    return (
        f"{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        f"{CREDENTIALS}Content-Type: application/json\r\n{head}\r\n{body}"
    ).encode("latin-1")


@pytest.mark.parametrize(
    "request_bytes",
    [
        message("Content-Length: 2", "Content-Length: 3", body="{}x"),
        message("Content-Length: 2", "Transfer-Encoding: chunked", body="0\r\n\r\n"),
        message("Transfer-Encoding: xchunked", body="0\r\n\r\n"),
        message("Transfer-Encoding: chunked", "Transfer-Encoding: identity", body="0\r\n\r\n"),
        message("Host: other", "Content-Length: 2", body="{}"),
        message("Content-Length: 2", path="/data/../exec/jobs/1", body="{}"),
        message("Content-Length: 2", path="/data/%2e%2e/exec/jobs/1", body="{}"),
        message("Content-Length: 2", path="/data/views%2fvendors/v1", body="{}"),
        message("Content-Length: 2", path="/data//views/vendors/v1", body="{}"),
        message("Content-Length: 2", "X: " + "a" * 40_000, body="{}"),
        message("Content-Length: 2", "X : a", body="{}"),
        message("Content-Length: -2", body="{}"),
        message("Content-Length: 2", "X: a\0b", body="{}"),
    ],
)
async def test_request_with_two_readings_never_reaches_the_back_end(
    edge: Edge, request_bytes: bytes
) -> None:
    answer = await edge.raw(request_bytes)
    assert answer == b"" or answer.split(b" ", 2)[1] in (b"400", b"431")
    assert edge.back_end.requests == []


async def test_health_needs_no_token_and_leaves_no_evidence(edge: Edge) -> None:
    for path in ("/health/live", "/health/ready"):
        assert (await edge.client.get(edge.url + path)).status_code == 200
    assert edge.evidence.records == []


async def test_response_streams_as_the_back_end_sends_it(edge: Edge) -> None:
    go_on = asyncio.Event()

    async def slowly(request: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"second"})

    edge.back_end.answer = slowly
    headers = {
        "authorization": f"Bearer {token()}",
        "x-correlation-id": CORRELATION,
        "content-type": "application/json",
    }
    async with edge.client.stream(
        "POST", edge.url + VIEW, headers=headers, content=b"{}"
    ) as answer:
        pieces = answer.aiter_raw()
        assert await anext(pieces) == b"first"
        go_on.set()
        assert await anext(pieces) == b"second"
    assert edge.last.bytes_out == 11


async def test_large_response_arrives_whole(edge: Edge) -> None:
    content = bytes(range(256)) * 20_000

    async def large(request: Any, send: Any) -> None:
        await respond(send, 200, content)

    edge.back_end.answer = large
    answers = await asyncio.gather(*(edge.post() for _ in range(4)))
    assert all(each.content == content for each in answers)


async def test_answers_of_many_callers_are_never_mixed_up(edge: Edge) -> None:
    async def echo(request: Any, send: Any) -> None:
        await respond(send, 200, request["headers"]["x-correlation-id"].encode())

    edge.back_end.answer = echo
    ids = [f"caller-{number:04}" for number in range(200)]
    answers = await asyncio.gather(*(edge.post(headers={"x-correlation-id": id}) for id in ids))
    assert [each.text for each in answers] == ids


async def test_broken_stream_ends_the_callers_connection_and_is_evidence(edge: Edge) -> None:
    async def breaks(request: Any, send: Any) -> None:
        headers = [(b"content-length", b"1000000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
        raise ConnectionResetError

    edge.back_end.answer = breaks
    answer = await edge.raw(message("Content-Length: 2", body="{}"))
    assert answer.startswith(b"HTTP/1.1 200")
    assert len(answer) < 1_000_000
    assert edge.last.outcome == "failed"
    assert "broke off" in edge.last.detail["broke"]


async def test_reason_of_a_policy_stands_on_the_wire(edge: Edge) -> None:
    answer = await edge.raw(message("Content-Length: 2", body="{}").replace(b"Bearer", b"Basic"))
    assert answer.startswith(b"HTTP/1.1 401 unauthorized\r\n")


async def test_what_the_door_refuses_is_evidence(edge: Edge) -> None:
    await edge.raw(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n")
    [record] = edge.evidence.records
    assert (record.kind, record.subject, record.outcome) == (
        "door.refused",
        "RequestInvalid",
        "refused",
    )
    assert record.failure_type == "malformed_request"
    assert record.detail == {"status": 400, "client": "127.0.0.1"}


async def test_slow_body_is_given_up(edge: Edge) -> None:
    began = time.perf_counter()
    answer = await edge.raw(message("Content-Length: 100", body="{"))
    assert answer.split(b" ", 2)[1] == b"400"
    assert time.perf_counter() - began < 2.5
    assert edge.back_end.requests == []
    assert edge.last.failure_type == "malformed_request"


async def test_departed_caller_ends_the_wait_for_the_back_end(edge: Edge) -> None:
    async def never(request: Any, send: Any) -> None:
        await asyncio.sleep(1.5)

    edge.back_end.answer = never
    _, writer = await asyncio.open_connection(*edge.address)
    writer.write(message("Content-Length: 2", body="{}"))
    await asyncio.sleep(0.25)
    writer.close()
    async with asyncio.timeout(1):
        while not edge.evidence.records:
            await asyncio.sleep(0.02)
    assert edge.last.detail["broke"] == "the caller went away"


async def test_upload_streams_to_the_back_end_with_its_length(edge: Edge) -> None:
    stored = Outcome(
        status=Status.SUCCEEDED,
        correlation_id=CORRELATION,
        data={
            "handle": "f_1",
            "digest": "0" * 64,
            "size": 3_000_000,
            "contentType": "text/csv",
            "fileName": None,
        },
    )

    async def stores(request: Any, send: Any) -> None:
        await respond(send, 200, json.dumps(stored.to_json()).encode(), [JSON])

    edge.back_end.answer = stores
    response = await edge.post(
        STORE, headers={"content-type": "text/csv"}, content=b"y" * 3_000_000
    )
    assert response.status_code == 200
    [request] = edge.back_end.requests
    assert request["headers"]["content-length"] == "3000000"
    assert "transfer-encoding" not in request["headers"]
    assert edge.last.bytes_in == 3_000_000


async def test_hop_by_hop_headers_stay_on_their_connection(edge: Edge) -> None:
    await edge.post(headers={"te": "trailers", "keep-alive": "x", "proxy-connection": "x"})
    [request] = edge.back_end.requests
    assert not {"te", "keep-alive", "proxy-connection", "connection"} & request["headers"].keys()


async def test_options_without_cors_policy_matches_no_operation(edge: Edge) -> None:
    response = await edge.client.options(
        edge.url + VIEW, headers={"origin": "https://a", "access-control-request-method": "POST"}
    )
    assert response.status_code in (400, 404)
    assert edge.back_end.requests == []


def test_shipped_example_needs_no_more_named_values_than_the_documentation_lists() -> None:
    page = Path(__file__).parents[2] / "docs" / "gateway" / "gateway.md"
    text = page.read_text("utf-8")
    folders = [
        Path(__file__).parents[2] / "examples" / "vendor-invoices" / "policies",
        Path(__file__).parents[2] / "src" / "hybridmandate" / "governance" / "gateway" / "baseline",
    ]
    used = {
        name
        for folder in folders
        for file in [*folder.rglob("*.xml"), *folder.rglob("apiInformation.json")]
        for name in re.findall(r"\{\{([a-z0-9-]+)\}\}", file.read_text("utf-8"))
    }
    assert used
    assert {name for name in used if f"`{name}`" not in text} == set()
