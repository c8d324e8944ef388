"""The data gateway as an operation sees it, and each way in which it can fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from execution_kit import CORRELATION, running
from sample_operations import Effects, registry

from hybridmandate.contracts import FailureType, Outcome, Status, refusal

Answering = Callable[[httpx.Request], httpx.Response]


def answers(outcome: Outcome) -> Answering:
    return lambda _: httpx.Response(outcome.http_status, json=outcome.to_json())


def refuses(kind: FailureType, retry_after: int | None = None) -> Answering:
    return answers(refusal(kind, "no", correlation_id=CORRELATION, retry_after_seconds=retry_after))


def breaks(error: type[httpx.TransportError]) -> Answering:
    def raise_it(request: httpx.Request) -> httpx.Response:
        raise error("broken", request=request)

    return raise_it


async def test_view_and_commit_go_through_the_gateway_with_own_identity(
    tmp_path: Path, effects: Effects
) -> None:
    seen: list[httpx.Request] = []

    def gateway(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        outcome = Outcome(status=Status.SUCCEEDED, correlation_id=CORRELATION, data=[1, 2])
        return httpx.Response(200, json=outcome.to_json())

    transport = httpx.MockTransport(gateway)
    async with running(tmp_path, registry(effects), data_transport=transport) as service:
        view = await service.call("test.vendors", {"text": "vendors"})
        await service.call("test.vendors", {"text": "commit"})
    assert view.json()["data"] == {"text": "succeeded", "length": 2}
    assert [str(r.url) for r in seen] == [
        "http://gateway.test/data/views/vendors/v1",
        "http://gateway.test/data/commits/invoices/v2",
    ]
    assert json.loads(seen[0].content) == {"parameters": {"hm_country": "DE"}}
    assert json.loads(seen[1].content) == {
        "job": "job-1",
        "records": [{"record": "1", "values": {}}],
    }
    for request in seen:
        assert request.headers["authorization"] == "Bearer token-for-api://solution/local"
        assert request.headers["x-correlation-id"] == CORRELATION
        assert request.headers["traceparent"].startswith("00-0d3f7b0e6a434a5a9a5e5f1f0f8b7c11-")
        assert "x-mandate-principal" not in request.headers


@pytest.mark.parametrize(
    ("gateway", "status", "kind", "retry_after"),
    [
        (refuses(FailureType.THROTTLED, 9), 429, "throttled", 9),
        (refuses(FailureType.QUOTA_EXCEEDED, 60), 403, "quota_exceeded", 60),
        (refuses(FailureType.DOWNSTREAM_UNAVAILABLE), 503, "downstream_unavailable", None),
        (refuses(FailureType.TIMEOUT), 504, "timeout", None),
        (refuses(FailureType.UNAUTHORIZED), 500, "internal_error", None),
        (refuses(FailureType.FORBIDDEN), 500, "internal_error", None),
        (refuses(FailureType.MALFORMED_REQUEST), 500, "internal_error", None),
        (breaks(httpx.ConnectError), 503, "downstream_unavailable", None),
        (breaks(httpx.ReadTimeout), 503, "downstream_unavailable", None),
        (lambda _: httpx.Response(502, text="<html>"), 503, "downstream_unavailable", None),
        (lambda _: httpx.Response(200, json={}), 503, "downstream_unavailable", None),
    ],
)
async def test_failure_of_the_data_gateway_becomes_one_that_the_caller_can_act_on(
    tmp_path: Path,
    effects: Effects,
    gateway: Answering,
    status: int,
    kind: str,
    retry_after: int | None,
) -> None:
    transport = httpx.MockTransport(gateway)
    async with running(tmp_path, registry(effects), data_transport=transport) as service:
        answer = await service.call("test.vendors", {"text": "vendors"})
    assert answer.status_code == status
    assert answer.json()["failure"]["type"] == kind
    assert answer.json()["failure"]["retryAfterSeconds"] == retry_after


@pytest.mark.parametrize(
    "kind", [FailureType.VALIDATION_ERROR, FailureType.CONFLICT, FailureType.NOT_FOUND]
)
async def test_outcome_that_an_operation_can_act_on_is_returned(
    tmp_path: Path, effects: Effects, kind: FailureType
) -> None:
    transport = httpx.MockTransport(refuses(kind))
    async with running(tmp_path, registry(effects), data_transport=transport) as service:
        answer = await service.call("test.vendors", {"text": "vendors"})
    assert answer.json()["data"]["text"] in ("rejected", "failed")


async def test_missing_token_is_downstream_unavailable(tmp_path: Path, effects: Effects) -> None:
    async with running(tmp_path, registry(effects)) as service:
        service.tokens.unavailable = True
        answer = await service.call("test.vendors", {"text": "vendors"})
    assert answer.json()["failure"]["type"] == "downstream_unavailable"


async def test_undeclared_view_is_never_asked_for(tmp_path: Path, effects: Effects) -> None:
    def never(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"asked for {request.url}")

    transport = httpx.MockTransport(never)
    async with running(tmp_path, registry(effects), data_transport=transport) as service:
        answer = await service.call("test.vendors", {"text": "../commits/invoices"})
    assert answer.json()["failure"]["reason"] == "data.undeclared"
