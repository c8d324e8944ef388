"""The baseline: every refusal is an outcome with a failure of the shared table; the rest passes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from gateway_edge import (
    ACCEPTED,
    CORRELATION,
    JSON,
    STORE,
    SUCCEEDED,
    VIEW,
    Edge,
    respond,
    token,
)
from joserfc.jwk import RSAKey

from hybridmandate.contracts import FAILURES, FailureType, Outcome, Status, refusal, trace_id


def failure(response: httpx.Response) -> FailureType:
    """The failure type of a refusal, after its whole form was checked."""
    outcome = Outcome.model_validate(response.json())
    assert outcome.failure is not None
    assert response.headers["content-type"] == "application/json"
    assert response.status_code == outcome.http_status
    assert outcome.failure.retryable == FAILURES[outcome.failure.type].retryable
    assert outcome.failure.message
    wait = outcome.failure.retry_after_seconds
    assert response.headers.get("retry-after") == (None if wait is None else str(wait))
    return outcome.failure.type


async def test_proper_call_reaches_the_back_end_with_the_gateways_own_identity(edge: Edge) -> None:
    response = await edge.post(content=b'{"parameters":{}}')
    assert response.status_code == 200
    assert response.content == SUCCEEDED
    assert response.headers["x-correlation-id"] == CORRELATION
    [request] = edge.back_end.requests
    assert (request["method"], request["path"]) == ("POST", "/views/vendors/v1")
    assert request["size"] == 17
    headers = request["headers"]
    assert headers["authorization"] == "Bearer own-token-for-api://internal"
    assert headers["x-mandate-principal"] == "caller"
    assert headers["x-mandate-app"] == "app-of-caller"
    assert headers["x-mandate-roles"] == "Data.View.Vendors,Files.Store,Spreadsheets.Normalize"
    assert headers["x-correlation-id"] == CORRELATION
    version, trace, span, flags = headers["traceparent"].split("-")
    assert (version, trace, flags) == ("00", trace_id(CORRELATION), "01")
    assert len(span) == 16


async def test_trace_of_an_id_that_is_no_guid_is_its_hash(edge: Edge) -> None:
    await edge.post(headers={"x-correlation-id": "batch-2026.04_17"})
    [request] = edge.back_end.requests
    assert request["headers"]["traceparent"].split("-")[1] == trace_id("batch-2026.04_17")


async def test_evidence_of_a_call_says_who_what_and_how_it_ended(edge: Edge) -> None:
    await edge.post(content=b'{"parameters":{}}')
    record = edge.last
    assert record.subject == "POST /data/views/vendors/v1"
    assert record.correlation_id == CORRELATION
    assert record.principal == "caller"
    assert record.outcome == "succeeded"
    assert (record.bytes_in, record.bytes_out) == (17, len(SUCCEEDED))
    assert record.detail["backend"] is True
    assert record.detail["operation"] == "view-vendors-v1"


PERSON = {"scp": "user_impersonation"}
REFUSALS: list[tuple[str, dict[str, Any], FailureType, str]] = [
    (VIEW, {"headers": {"x-correlation-id": None}}, FailureType.MALFORMED_REQUEST, "missing"),
    (VIEW, {"headers": {"x-correlation-id": "a b"}}, FailureType.MALFORMED_REQUEST, "malformed"),
    (VIEW, {"headers": {"x-correlation-id": "x" * 65}}, FailureType.MALFORMED_REQUEST, "malformed"),
    (VIEW, {"headers": {"authorization": None}}, FailureType.UNAUTHORIZED, "TokenNotPresent"),
    (VIEW, {"headers": {"authorization": "Bearer"}}, FailureType.UNAUTHORIZED, "TokenNotPresent"),
    (VIEW, {"headers": {"authorization": "Bearer a.b.c"}}, FailureType.UNAUTHORIZED, "JwtInvalid"),
    (VIEW, {"token": {"aud": "api://other"}}, FailureType.UNAUTHORIZED, "TokenAudience"),
    (VIEW, {"token": {"iss": "https://evil"}}, FailureType.UNAUTHORIZED, "TokenIssuer"),
    (VIEW, {"token": {"tid": "other"}}, FailureType.UNAUTHORIZED, "TokenClaimValue"),
    (VIEW, {"token": {"oid": None}}, FailureType.UNAUTHORIZED, "TokenClaimNotFound"),
    (VIEW, {"token": {"exp": 1}}, FailureType.UNAUTHORIZED, "TokenExpired"),
    (VIEW, {"token": {"exp": None}}, FailureType.UNAUTHORIZED, "JwtInvalid"),
    (VIEW, {"token": {"nbf": 9_999_999_999}}, FailureType.UNAUTHORIZED, "JwtInvalid"),
    (VIEW, {"token": PERSON}, FailureType.FORBIDDEN, "token.human"),
    (VIEW, {"token": {"idtyp": "user"}}, FailureType.FORBIDDEN, "token.human"),
    (VIEW, {"token": {"sub": "another"}}, FailureType.FORBIDDEN, "token.human"),
    (VIEW, {"token": {"roles": ["Data.View"]}}, FailureType.FORBIDDEN, "token.role"),
    (VIEW, {"token": {"roles": None}}, FailureType.FORBIDDEN, "token.role"),
    ("/data/views/none/v1", {}, FailureType.NOT_FOUND, "OperationNotFound"),
    ("/nowhere", {}, FailureType.NOT_FOUND, "OperationNotFound"),
    ("/data/views/%2e%2e/v1", {}, FailureType.MALFORMED_REQUEST, "PathInvalid"),
    (VIEW, {"content": b"x" * 1_048_577}, FailureType.PAYLOAD_TOO_LARGE, "TooLarge"),
    (STORE, {"content": b"x" * 33_554_433}, FailureType.PAYLOAD_TOO_LARGE, "TooLarge"),
    (
        VIEW,
        {"headers": {"content-type": "text/csv"}},
        FailureType.UNSUPPORTED_MEDIA_TYPE,
        "content_type",
    ),
    (VIEW, {"headers": {"content-type": None}}, FailureType.UNSUPPORTED_MEDIA_TYPE, "content_type"),
    (STORE, {}, FailureType.UNSUPPORTED_MEDIA_TYPE, "content_type"),
]


@pytest.mark.parametrize(("path", "options", "kind", "reason"), REFUSALS)
async def test_refusal_is_an_outcome_and_evidence_and_never_reaches_the_back_end(
    edge: Edge, path: str, options: dict[str, Any], kind: FailureType, reason: str
) -> None:
    options = dict(options)
    claims = options.pop("token", None)
    if claims is not None:
        options["headers"] = {"authorization": f"Bearer {token(**claims)}"}
    response = await edge.post(path, **options)
    assert failure(response) is kind
    assert reason in response.json()["failure"]["reason"]
    assert edge.back_end.requests == []
    assert edge.last.failure_type == kind.value
    assert edge.last.outcome == "refused"
    assert edge.last.detail["backend"] is False


async def test_token_of_another_key_is_refused(edge: Edge) -> None:
    other = RSAKey.generate_key(2048, {"kid": "k1"})
    response = await edge.post(headers={"authorization": f"Bearer {token(other)}"})
    assert failure(response) is FailureType.UNAUTHORIZED
    assert "TokenSignatureInvalid" in response.json()["failure"]["reason"]


async def test_unknown_key_is_looked_up_but_the_issuer_is_not_hammered(edge: Edge) -> None:
    other = RSAKey.generate_key(2048, {"kid": "k2"})
    credential = {"authorization": f"Bearer {token(other, kid='k2')}"}
    for _ in range(5):
        assert failure(await edge.post(headers=credential)) is FailureType.UNAUTHORIZED
    assert edge.back_end.key_fetches == 1
    edge.back_end.keys.append(other)
    edge.clock.ahead += 31
    assert (await edge.post(headers=credential)).status_code == 200
    assert edge.back_end.key_fetches == 2


async def test_removed_key_opens_nothing_after_the_key_set_is_renewed(edge: Edge) -> None:
    credential = {"authorization": f"Bearer {token(exp=9_999_999_999)}"}
    assert (await edge.post(headers=credential)).status_code == 200
    edge.back_end.keys = [RSAKey.generate_key(2048, {"kid": "k9"})]
    edge.clock.ahead += 3601
    assert failure(await edge.post(headers=credential)) is FailureType.UNAUTHORIZED


async def test_identity_headers_of_the_caller_do_not_get_through(edge: Edge) -> None:
    response = await edge.post(
        headers={"X-Mandate-Principal": "admin", "x-mandate-extra": "1", "X-MANDATE-more": "2"}
    )
    assert response.status_code == 200
    headers = edge.back_end.requests[0]["headers"]
    assert headers["x-mandate-principal"] == "caller"
    assert not {"x-mandate-extra", "x-mandate-more"} & headers.keys()


async def test_too_many_identity_headers_are_refused(edge: Edge) -> None:
    many = {f"x-mandate-{number}": "1" for number in range(60)}
    response = await edge.post(headers=many)
    assert failure(response) is FailureType.MALFORMED_REQUEST


async def test_file_upload_passes_up_to_its_own_limit(edge: Edge) -> None:
    stored = {"handle": "f", "digest": "0", "size": 1, "contentType": "text/csv", "fileName": None}
    outcome = Outcome(status=Status.SUCCEEDED, correlation_id=CORRELATION, data=stored)

    async def store(request: Any, send: Any) -> None:
        await respond(send, 200, json.dumps(outcome.to_json()).encode(), [JSON])

    edge.back_end.answer = store
    response = await edge.post(
        STORE, headers={"content-type": "text/csv; charset=utf-8"}, content=b"x" * 5_000_000
    )
    assert response.status_code == 200
    assert edge.back_end.requests[0]["size"] == 5_000_000


async def test_chunked_body_is_counted_while_it_streams(edge: Edge) -> None:
    async def chunks() -> Any:
        for _ in range(20):
            yield b"x" * 100_000

    response = await edge.post(content=chunks())
    assert failure(response) is FailureType.PAYLOAD_TOO_LARGE
    assert edge.back_end.requests == []


async def test_location_of_a_job_is_the_callers_address(edge: Edge) -> None:
    async def accepted(request: Any, send: Any) -> None:
        location = [JSON, (b"location", b"/jobs/j1"), (b"retry-after", b"2")]
        await respond(send, 202, ACCEPTED, location)

    edge.back_end.answer = accepted
    asked = json.dumps({"handle": "f1", "profile": "invoice"}).encode()
    response = await edge.post("/exec/operations/spreadsheets.normalize/v1", content=asked)
    assert response.status_code == 202
    assert response.headers["location"] == "/exec/jobs/j1"
    assert response.headers["retry-after"] == "2"
    polled = await edge.client.get(
        edge.url + "/exec/jobs/j1",
        headers={"authorization": f"Bearer {token()}", "x-correlation-id": CORRELATION},
    )
    assert polled.status_code == 202
    assert edge.back_end.requests[-1]["path"] == "/jobs/j1"


async def test_refusal_of_the_back_end_passes_and_its_failure_type_is_evidence(edge: Edge) -> None:
    refused = refusal(FailureType.CONFLICT, "stale", correlation_id=CORRELATION)
    body = json.dumps(refused.to_json()).encode()

    async def conflict(request: Any, send: Any) -> None:
        await respond(send, 409, body, [(b"content-type", b"application/json")])

    edge.back_end.answer = conflict
    response = await edge.post()
    assert (response.status_code, response.content) == (409, body)
    assert edge.last.failure_type == "conflict"
    assert edge.last.detail["refusedBy"] == "backend"


class TestLimits:
    @pytest.fixture
    def named_values(self) -> dict[str, str]:
        return {
            "backend-timeout-seconds": "1",
            "rate-calls-per-minute": "3",
            "quota-calls-per-day": "5",
        }

    async def test_rate_is_by_principal_with_the_time_to_wait(self, edge: Edge) -> None:
        for _ in range(3):
            assert (await edge.post()).status_code == 200
        response = await edge.post()
        assert failure(response) is FailureType.THROTTLED
        assert 1 <= int(response.headers["retry-after"]) <= 60
        other = token(oid="other", sub="other")
        assert (await edge.post(headers={"authorization": f"Bearer {other}"})).status_code == 200
        edge.clock.ahead += 61
        assert (await edge.post()).status_code == 200

    async def test_quota_ends_with_its_period(self, edge: Edge) -> None:
        rest_of_day = 86400 - edge.clock() % 86400
        if rest_of_day < 300:  # the day of the quota must not end within the test
            edge.clock.ahead += rest_of_day
        for _ in range(5):
            assert (await edge.post()).status_code == 200
            edge.clock.ahead += 30
        response = await edge.post()
        assert failure(response) is FailureType.QUOTA_EXCEEDED
        assert int(response.headers["retry-after"]) > 60

    async def test_stampede_lets_exactly_the_limit_through(self, edge: Edge) -> None:
        answers = await asyncio.gather(*(edge.post() for _ in range(60)))
        assert sorted(each.status_code for each in answers) == [200] * 3 + [429] * 57
        assert len(edge.back_end.requests) == 3

    async def test_silent_back_end_is_a_timeout(self, edge: Edge) -> None:
        async def silence(request: Any, send: Any) -> None:
            await asyncio.sleep(1.5)
            await respond(send, 200, b"")

        edge.back_end.answer = silence
        response = await edge.post()
        assert failure(response) is FailureType.TIMEOUT
        assert edge.last.outcome == "failed"


@pytest.fixture
def missing_back_end(
    named_values: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    nowhere = tmp_path_factory.mktemp("nowhere") / "b.sock"
    named_values["data-backend"] = f"http+unix://{nowhere}"


@pytest.mark.usefixtures("missing_back_end")
async def test_missing_back_end_is_downstream_unavailable(edge: Edge) -> None:
    response = await edge.post()
    assert failure(response) is FailureType.DOWNSTREAM_UNAVAILABLE
    assert edge.last.failure_type == "downstream_unavailable"


async def test_gateway_without_its_own_token_is_downstream_unavailable(edge: Edge) -> None:
    edge.identity.available = False
    response = await edge.post()
    assert failure(response) is FailureType.DOWNSTREAM_UNAVAILABLE
    assert edge.back_end.requests == []


def test_refusals_cover_what_the_gateway_can_refuse() -> None:
    met = {kind for _, _, kind, _ in REFUSALS}
    elsewhere = {
        FailureType.THROTTLED,
        FailureType.QUOTA_EXCEEDED,
        FailureType.TIMEOUT,
        FailureType.DOWNSTREAM_UNAVAILABLE,
    }
    of_other_tiers = {
        FailureType.CONFLICT,
        FailureType.CONTRACT_RETIRED,
        FailureType.VALIDATION_ERROR,
        FailureType.INTERNAL_ERROR,
    }
    assert met | elsewhere | of_other_tiers == set(FailureType)
