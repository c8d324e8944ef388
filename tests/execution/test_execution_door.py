"""Who may call, and what a call must look like before anything runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from execution_kit import CORRELATION, Service, as_gateway
from sample_operations import Effects

GOOD = {"text": "hello"}


def failure_of(response: httpx.Response) -> tuple[int, str, str | None]:
    body = response.json()
    assert body["failure"]["type"], body
    assert response.headers["content-type"] == "application/json"
    return response.status_code, body["failure"]["type"], body["failure"]["reason"]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"authorization": None}, (401, "unauthorized", "token.missing")),
        ({"authorization": "Bearer forged"}, (401, "unauthorized", "token.signature")),
        ({"authorization": "Bearer no-role"}, (403, "forbidden", "token.role")),
        ({"authorization": "Bearer other-service"}, (403, "forbidden", "caller.not_gateway")),
        ({"x-correlation-id": None}, (400, "malformed_request", "correlation_id.missing")),
        ({"x-correlation-id": "short"}, (400, "malformed_request", "correlation_id.invalid")),
        ({"x-mandate-principal": None}, (400, "malformed_request", "caller.unknown")),
        ({"x-mandate-app": ""}, (400, "malformed_request", "caller.unknown")),
        ({"x-mandate-roles": None}, (403, "forbidden", "role.missing")),
        ({"x-mandate-roles": "Test.Echoes,test.echo"}, (403, "forbidden", "role.missing")),
        (
            {"content-type": "text/plain"},
            (415, "unsupported_media_type", "content_type.unknown"),
        ),
        (
            {"idempotency-key": "no spaces"},
            (400, "malformed_request", "idempotency_key.invalid"),
        ),
        ({"idempotency-key": "k" * 129}, (400, "malformed_request", "idempotency_key.invalid")),
    ],
)
async def test_refused_call_never_reaches_the_operation(
    service: Service,
    effects: Effects,
    headers: dict[str, str | None],
    expected: tuple[int, str, str],
) -> None:
    response = await service.call("test.echo", GOOD, headers=headers)
    assert failure_of(response) == expected
    assert effects.calls["echo"] == 0
    refused = service.records.of("call.refused")
    assert [(r.outcome, r.failure_type, r.detail["reason"]) for r in refused] == [
        ("refused", expected[1], expected[2])
    ]


async def test_direct_caller_with_a_valid_token_learns_nothing_about_what_exists(
    service: Service,
) -> None:
    for path in ("/operations/test.echo/v1", "/nowhere", "/jobs/1", "/openapi.json"):
        sent = {**as_gateway(), "authorization": "Bearer other-service"}
        response = await service.client.post(path, headers=sent)
        assert failure_of(response) == (403, "forbidden", "caller.not_gateway"), path


async def test_identity_header_sent_twice_is_refused(service: Service) -> None:
    sent = [*as_gateway().items(), ("x-mandate-app", "app-admin")]
    response = await service.client.post("/operations/test.echo/v1", json=GOOD, headers=sent)
    assert failure_of(response) == (400, "malformed_request", "caller.unknown")


@pytest.mark.parametrize(
    ("method", "path", "reason"),
    [
        ("POST", "/operations/test.none/v1", "operation.unknown"),
        ("POST", "/operations/test.echo/v9", "operation.version_unknown"),
        ("POST", "/operations/test.echo/v1/", "path.unknown"),
        ("POST", "/operations/test.echo/vone", "path.unknown"),
        ("GET", "/operations/test.echo/v1", "method.unknown"),
        ("DELETE", "/jobs/abc", "method.unknown"),
        ("GET", "/jobs/abc", "job.unknown"),
        ("GET", "/", "path.unknown"),
        ("GET", "/operations/../jobs", "path.unknown"),
    ],
)
async def test_unknown_places_answer_with_an_outcome(
    service: Service, method: str, path: str, reason: str
) -> None:
    response = await service.client.request(method, path, headers=as_gateway())
    assert failure_of(response) == (404, "not_found", reason)
    assert response.json()["correlationId"] == CORRELATION


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "json.syntax"),
        (b"{", "json.syntax"),
        (b'{"text": "a"} x', "json.syntax"),
        (b'\xef\xbb\xbf{"text": "a"}', "json.syntax"),
        (b'{"text": "a", "text": "b"}', "json.duplicate_key"),
        (b'{"text": "a", "items": [{"a": 1, "a": 2}]}', "json.duplicate_key"),
        (b'{"text": NaN}', "json.number"),
        (b'{"text": -Infinity}', "json.number"),
        (b'{"text": 1e999}', "json.number"),
        (b'{"text": 123456789012345678901234567890}', "json.number"),
        (b'{"text": "\xff"}', "json.encoding"),
        (b'{"text": "\xed\xa0\x80"}', "json.encoding"),
        (b'{"text": "\\ud800"}', "json.surrogate"),
        (b"[" * 65 + b"]" * 65, "json.depth"),
        (b"[" * 1000 + b"]" * 1000, "json.depth"),
    ],
)
async def test_ambiguous_json_is_refused(
    service: Service, effects: Effects, body: bytes, reason: str
) -> None:
    response = await service.call(
        "test.echo", content=body, headers={"content-type": "application/json"}
    )
    assert failure_of(response) == (400, "malformed_request", reason)
    assert effects.calls["echo"] == 0


async def test_nesting_beyond_the_parser_itself_is_refused(service: Service) -> None:
    body = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    response = await service.call(
        "files.store", content=body, headers={"content-type": "application/json"}
    )
    assert failure_of(response)[1] == "unsupported_media_type"
    from hybridmandate.contracts import Refused
    from hybridmandate.contracts.strict_json import parse_json

    with pytest.raises(Refused, match="nested deeper"):
        parse_json(body)


async def test_all_contract_errors_are_listed_with_pointers(service: Service) -> None:
    body: dict[str, Any] = {
        "items": [
            {"amount": -1, "currency": "EUR"},
            {"amount": "5", "currency": "GBP", "a/b~c": 1},
        ],
        "surplus": True,
    }
    response = await service.call("test.echo", body)
    assert failure_of(response) == (422, "validation_error", "contract.request")
    answer = response.json()
    assert answer["status"] == "rejected"
    assert {(e["field"], e["code"]) for e in answer["errors"]} == {
        ("/text", "contract.missing"),
        ("/items/0/amount", "contract.greater_than_equal"),
        ("/items/1/amount", "contract.int_type"),
        ("/items/1/currency", "contract.literal_error"),
        ("/items/1/a~1b~0c", "contract.extra_forbidden"),
        ("/surplus", "contract.extra_forbidden"),
    }


async def test_declared_size_over_the_limit_is_refused_before_the_body(service: Service) -> None:
    response = await service.call("test.echo", {"text": "x" * 3000})
    assert failure_of(response) == (413, "payload_too_large", "payload.limit")


async def test_undeclared_size_is_refused_while_it_streams(service: Service) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1024
            assert sent < 1024 * 1024, "the service went on reading"
            yield b"x" * 1024

    response = await service.call(
        "test.echo", content=endless(), headers={"content-type": "application/json"}
    )
    assert failure_of(response) == (413, "payload_too_large", "payload.limit")
    assert sent <= 8 * 1024


async def test_retired_contract_is_gone_and_deprecated_one_says_when(service: Service) -> None:
    retired = await service.call("test.old", GOOD)
    assert failure_of(retired) == (410, "contract_retired", "contract.sunset")
    ageing = await service.call("test.old", GOOD, version=2)
    assert ageing.status_code == 200
    assert ageing.headers["deprecation"] == "@1577836800"
    assert ageing.headers["sunset"] == "Sun, 30 Jun 2999 00:00:00 GMT"
    assert ageing.headers["link"] == ('</exec/operations/test.old/v3>; rel="successor-version"')
    assert "deprecation" not in (await service.call("test.echo", GOOD)).headers


async def test_health_needs_no_token_and_openapi_does(service: Service) -> None:
    assert (await service.client.get("/health/live")).json() == {"status": "live"}
    assert (await service.client.get("/health/ready")).json() == {"status": "ready"}
    assert (await service.client.get("/openapi.json")).status_code == 401
    document = (await service.client.get("/openapi.json", headers=as_gateway())).json()
    assert "/operations/test.echo/v1" in document["paths"]
