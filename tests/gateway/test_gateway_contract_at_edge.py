"""A4: what the service publishes is what the edge lets in and out, with every fault listed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from gateway_edge import CORRELATION, JSON, POLICIES, STORE, SUCCEEDED, VIEW, Edge, respond, token

from hybridmandate.contracts import FailureType, Outcome, Registry, refusal
from hybridmandate.contracts.openapi import openapi_document
from hybridmandate.governance.gateway.published_contracts import (
    data_document,
    execution_document,
)
from hybridmandate.local.operations import shipped_operations
from hybridmandate.manifest import load_solution

NORMALIZE = "/exec/operations/spreadsheets.normalize/v1"
COMMIT = "/data/commits/invoices/v1"
COMMIT_ROLES = ["Data.Commit.Invoices"]
RECORD = {"record": "r1", "values": {"hm_amount": 1}}


def faults(body: bytes) -> set[tuple[str, str | None]]:
    """(code, field) of the outcome's errors."""
    outcome = Outcome.model_validate_json(body)
    return {(each.code, each.field) for each in outcome.errors}


@pytest.mark.parametrize(
    ("path", "body", "pointers"),
    [
        (VIEW, {"parameters": {}, "surprise": 1}, {"/surprise"}),
        (VIEW, {"parameters": [], "top": 0, "x~/y": 1}, {"/parameters", "/top", "/x~0~1y"}),
        (VIEW, {"top": 5001}, {"/top"}),
        (VIEW, [], {""}),
        (VIEW, None, {""}),
        (NORMALIZE, {}, {"/handle", "/profile"}),
        (NORMALIZE, {"handle": "", "profile": 7, "more": 0}, {"/handle", "/profile", "/more"}),
    ],
)
async def test_every_fault_is_listed_by_pointer_and_nothing_reaches_the_service(
    edge: Edge, path: str, body: Any, pointers: set[str]
) -> None:
    answer = await edge.post(path, content=json.dumps(body).encode())
    assert answer.status_code == 422
    assert answer.json()["status"] == "rejected"
    assert answer.json()["failure"]["type"] == FailureType.VALIDATION_ERROR
    assert faults(answer.content) == {("contract.schema", each) for each in pointers}
    assert edge.back_end.requests == []
    assert edge.last.failure_type == "validation_error"
    assert {each.partition(":")[0] for each in edge.last.detail["faults"]} == pointers


async def test_an_array_over_its_limit_is_refused(edge: Edge) -> None:
    bearer = {"authorization": f"Bearer {token(roles=COMMIT_ROLES)}"}
    most = {"job": "j", "records": [RECORD] * 1000}
    answer = await edge.post(COMMIT, headers=bearer, content=json.dumps(most).encode())
    assert answer.status_code == 200
    most["records"] = [RECORD] * 1001
    answer = await edge.post(COMMIT, headers=bearer, content=json.dumps(most).encode())
    assert answer.status_code == 422
    assert faults(answer.content) == {("contract.schema", "/records")}


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{", FailureType.MALFORMED_REQUEST),
        (b"", FailureType.MALFORMED_REQUEST),
        (b"{'a': 1}", FailureType.MALFORMED_REQUEST),
        (b'{"top": NaN}', FailureType.MALFORMED_REQUEST),
        (b"\xff\xfe", FailureType.MALFORMED_REQUEST),
        (b"[" * 100_000, FailureType.MALFORMED_REQUEST),
        (b'{"parameters":{"a":' * 300 + b"1" + b"}}" * 300, FailureType.VALIDATION_ERROR),
    ],
)
async def test_a_body_that_is_no_json_is_malformed(
    edge: Edge, content: bytes, kind: FailureType
) -> None:
    answer = await edge.post(content=content)
    assert answer.json()["failure"]["type"] == kind
    assert edge.back_end.requests == []


async def test_a_parameter_that_breaks_its_schema_is_named(edge: Edge) -> None:
    answer = await edge.post(
        NORMALIZE,
        headers={"idempotency-key": "x" * 129},
        content=b'{"handle": "h", "profile": "p"}',
    )
    assert answer.status_code == 422
    assert faults(answer.content) == {("contract.parameter", "idempotency-key")}


async def test_a_file_is_not_read_as_json_whatever_it_holds(edge: Edge) -> None:
    async def refuse(request: Any, send: Any) -> None:
        outcome = refusal(FailureType.CONFLICT, "stale", correlation_id=CORRELATION)
        await respond(send, 409, json.dumps(outcome.to_json()).encode(), [JSON])

    edge.back_end.answer = refuse
    answer = await edge.post(STORE, headers={"content-type": "text/csv"}, content=b"{" * 9)
    assert answer.status_code == 409
    assert edge.back_end.requests[0]["size"] == 9


BROKEN_ANSWERS: list[tuple[int, bytes, list[tuple[bytes, bytes]]]] = [
    (200, b'{"status":"succeeded"}', [JSON]),
    (200, b"{", [JSON]),
    (200, SUCCEEDED[:-1] + b',"extra":1}', [JSON]),
    (201, SUCCEEDED, [JSON]),
    (302, b"", [(b"location", b"http://elsewhere")]),
    (400, b'{"error":"of the framework"}', [JSON]),
    (404, b"<html>not here</html>", [(b"content-type", b"text/html")]),
    (418, SUCCEEDED, [JSON]),
    (500, b"Internal Server Error", [(b"content-type", b"text/plain")]),
    (502, b"", []),
    (503, b"Traceback: secret", []),
]


@pytest.mark.parametrize(("status", "body", "headers"), BROKEN_ANSWERS)
async def test_an_answer_that_breaks_the_contract_leaves_as_internal_error(
    edge: Edge, status: int, body: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    async def answer(request: Any, send: Any) -> None:
        await respond(send, status, body, headers)

    edge.back_end.answer = answer
    response = await edge.post()
    outcome = Outcome.model_validate(response.json())
    assert outcome.failure is not None
    assert outcome.failure.type is FailureType.INTERNAL_ERROR
    assert response.status_code == 500
    assert b"secret" not in response.content
    assert edge.last.failure_type == "internal_error"
    assert edge.last.detail["faults"]


async def test_answer_too_large_to_be_checked_passes_whole_and_is_evidence(edge: Edge) -> None:
    content = b"[" + b"1," * 2_500_000 + b"1]"

    async def large(request: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [JSON]})
        await send({"type": "http.response.body", "body": content})

    edge.back_end.answer = large
    answer = await edge.post()
    assert (answer.status_code, answer.content == content) == (200, True)
    [fault] = edge.last.detail["faults"]
    assert "exceeds the configured limit of 4194304 bytes" in fault


@pytest.mark.parametrize("kind", FailureType)
async def test_every_refusal_of_a_service_passes_as_it_is(edge: Edge, kind: FailureType) -> None:
    outcome = refusal(kind, "no", correlation_id=CORRELATION)
    body = json.dumps(outcome.to_json()).encode()

    async def answer(request: Any, send: Any) -> None:
        await respond(send, outcome.http_status, body, [JSON])

    edge.back_end.answer = answer
    response = await edge.post()
    assert (response.status_code, response.content) == (outcome.http_status, body)


def _specification(api: str) -> Any:
    path = POLICIES / "apis" / api / "specification.yaml"
    return yaml.safe_load(path.read_text("utf-8"))


@pytest.fixture(name="registry")
def _registry() -> Registry:
    folder = load_solution(POLICIES.parent)
    shipped = Registry(shipped_operations(folder.profiles))
    return Registry(shipped.find(ref) for ref in folder.solution.services.refs)


def test_documents_of_the_example_say_what_the_contracts_say(registry: Registry) -> None:
    solution = load_solution(POLICIES.parent).solution
    title, version = solution.solution.title, solution.solution.version
    execution = execution_document(registry, title=f"{title}: execution", version=version)
    data = data_document(solution.views, solution.commits, title=f"{title}: data", version=version)
    assert _specification("exec") == json.loads(json.dumps(execution)), (
        "mandate contract specification"
    )
    assert _specification("data") == json.loads(json.dumps(data)), "mandate contract specification"


def test_the_edge_validates_the_document_that_the_service_publishes(registry: Registry) -> None:
    published = openapi_document(registry, title="t", version="1", server_url="/exec")
    edge = _specification("exec")
    for document in (published, edge):
        for path in document["paths"].values():
            for operation in path.values():
                del operation["operationId"]
    assert edge["paths"] == json.loads(json.dumps(published["paths"]))
    assert edge["components"] == json.loads(json.dumps(published["components"]))


def test_every_operation_of_the_example_is_held_to_its_contract() -> None:
    policies = list(Path(POLICIES).glob("apis/*/operations/*/policy.xml"))
    assert len(policies) == 6
    for policy in policies:
        text = policy.read_text()
        assert 'fragment-id="mandate-contract"' in text, policy
        assert 'fragment-id="mandate-contract-answer"' in text, policy
