"""A deprecated version says so on each answer; after its end it is refused at the edge."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateway_edge import (
    CORRELATION,
    BackEnd,
    Clock,
    Edge,
    Evidence,
    OwnToken,
    environment,
    token,
)

from hybridmandate.contracts import FailureType
from hybridmandate.governance.gateway.conformance import Served
from hybridmandate.governance.gateway.effective_policy import effective_policy
from hybridmandate.governance.gateway.errors import PolicyDocumentError
from hybridmandate.governance.gateway.layout import baseline_folder, load_layout
from hybridmandate.governance.gateway.server import create_app
from hybridmandate.governance.gateway.settings import GatewaySettings

BASE = (
    "<policies><inbound><base />{}</inbound><backend><base /></backend>"
    "<outbound><base /></outbound><on-error><base /></on-error></policies>"
)
DEPRECATED = {"x-mandate-deprecated": "2026-01-01"}
ENDING = {
    **DEPRECATED,
    "x-mandate-sunset": "2027-01-01",
    "x-mandate-successor": "/exec/operations/a.b/v2",
}


def write(folder: Path, lifecycle: dict[str, str], policy: str = BASE.format("")) -> None:
    """An API `exec` with the operation a.b v1, which has that lifecycle."""
    api = folder / "apis" / "exec"
    (api / "operations" / "a-b-v1").mkdir(parents=True)
    information = {"properties": {"path": "exec", "serviceUrl": "{{execution-backend}}"}}
    (api / "apiInformation.json").write_text(json.dumps(information))
    (api / "policy.xml").write_text(BASE.format(""))
    (api / "operations" / "a-b-v1" / "policy.xml").write_text(policy)
    operation = {"operationId": "a-b-v1", "responses": {"200": {"description": "x"}}, **lifecycle}
    document = {"openapi": "3.0.1", "paths": {"/operations/a.b/v1": {"post": operation}}}
    (api / "specification.json").write_text(json.dumps(document))


@pytest.fixture(name="lifecycle")
def _lifecycle() -> dict[str, str]:
    return ENDING


@pytest.fixture(name="edge")
async def _edge(tmp_path: Path, lifecycle: dict[str, str]) -> AsyncIterator[Edge]:
    folder = tmp_path / "policies"
    write(folder, lifecycle)
    back_end, identity, evidence, clock = BackEnd(), OwnToken(), Evidence(), Clock()
    async with Served(back_end) as service:
        values = environment(service.url, service.url)
        configuration = load_layout(folder, baseline=baseline_folder(), named_values=values)
        app = create_app(
            GatewaySettings(), configuration, lambda _: identity, evidence, clock=clock
        )
        async with Served(app) as gateway, httpx.AsyncClient(trust_env=False) as client:
            yield Edge(gateway.url, back_end, identity, evidence, clock, app, client)


async def call(edge: Edge, day: datetime) -> httpx.Response:
    """A call at noon of a day, with a token of that time."""
    edge.clock.ahead = day.timestamp() - datetime.now(UTC).timestamp()
    now = int(day.timestamp())
    bearer = token(iat=now, nbf=now, exp=now + 600)
    return await edge.post("/exec/operations/a.b/v1", headers={"authorization": f"Bearer {bearer}"})


async def test_a_deprecated_version_answers_and_says_until_when(edge: Edge) -> None:
    answer = await call(edge, datetime(2026, 12, 31, 23, 59, 50, tzinfo=UTC))
    assert answer.status_code == 200
    assert answer.headers["deprecation"] == "@1767225600"
    assert answer.headers["sunset"] == "Fri, 01 Jan 2027 00:00:00 GMT"
    assert answer.headers["link"] == '</exec/operations/a.b/v2>; rel="successor-version"'


async def test_a_retired_version_is_refused_before_the_back_end_is_asked(edge: Edge) -> None:
    answer = await call(edge, datetime(2027, 1, 1, tzinfo=UTC))
    assert answer.status_code == 410
    outcome = answer.json()
    assert outcome["failure"]["type"] == FailureType.CONTRACT_RETIRED
    assert outcome["failure"]["retryable"] is False
    assert "/exec/operations/a.b/v2" in outcome["failure"]["message"]
    assert outcome["correlationId"] == CORRELATION
    assert edge.back_end.requests == []


async def test_evidence_names_who_still_called_the_retired_version(edge: Edge) -> None:
    await call(edge, datetime(2027, 6, 1, tzinfo=UTC))
    assert edge.last.failure_type == "contract_retired"
    assert edge.last.principal == "caller"


@pytest.mark.parametrize("lifecycle", [DEPRECATED])
async def test_deprecation_without_an_end_is_a_header_and_nothing_else(edge: Edge) -> None:
    answer = await call(edge, datetime(2099, 1, 1, tzinfo=UTC))
    assert answer.status_code == 200
    assert "deprecation" in answer.headers
    assert not {"sunset", "link"} & answer.headers.keys()


@pytest.mark.parametrize("lifecycle", [{}])
async def test_a_version_without_lifecycle_has_none_of_the_headers(edge: Edge) -> None:
    answer = await call(edge, datetime(2099, 1, 1, tzinfo=UTC))
    assert answer.status_code == 200
    assert not {"deprecation", "sunset", "link"} & answer.headers.keys()


def test_the_policies_of_the_lifecycle_can_be_read_as_what_they_are(tmp_path: Path) -> None:
    write(tmp_path, ENDING)
    text = effective_policy(
        load_layout(tmp_path, baseline=baseline_folder(), named_values={}), "exec", "a-b-v1"
    )
    assert "DateTime.UtcNow >= new DateTime(2027, 1, 1" in text
    assert '<set-header name="Sunset"' in text


@pytest.mark.parametrize(
    ("lifecycle", "reason"),
    [
        ({"x-mandate-sunset": "2027-01-01"}, "needs x-mandate-deprecated"),
        ({"x-mandate-deprecated": "soon"}, "soon"),
        ({**DEPRECATED, "x-mandate-sunset": "2025-01-01"}, "cannot end before"),
        ({**DEPRECATED, "x-mandate-successor": "v2"}, "no path"),
    ],
)
def test_a_lifecycle_that_makes_no_sense_is_refused_at_load(
    tmp_path: Path, lifecycle: dict[str, Any], reason: str
) -> None:
    write(tmp_path, lifecycle)
    with pytest.raises(PolicyDocumentError, match=reason):
        load_layout(tmp_path, baseline=baseline_folder())
