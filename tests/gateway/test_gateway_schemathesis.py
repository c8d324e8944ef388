"""schemathesis against every published contract, through the real gateway: never an error of ours.

Bounded: so many examples an operation, with a fixed seed, so that a run means the same every time.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from gateway_edge import (
    CORRELATION,
    JSON,
    POLICIES,
    BackEnd,
    Evidence,
    OwnToken,
    environment,
    respond,
    token,
)
from hypothesis import HealthCheck, Phase, given, seed, settings

from hybridmandate.contracts import FAILURES, FailureType, Outcome, refusal
from hybridmandate.governance.gateway.conformance import Served
from hybridmandate.governance.gateway.layout import baseline_folder, load_layout
from hybridmandate.governance.gateway.server import create_app
from hybridmandate.governance.gateway.settings import GatewaySettings

EXAMPLES = 20
ROLES = [
    "Data.View.Vendors",
    "Data.Commit.Invoices",
    "Files.Store",
    "Files.Read",
    "Spreadsheets.Normalize",
]
OPERATIONS = [
    ("exec", path, method)
    for path, method in (
        ("/operations/files.store/v1", "POST"),
        ("/operations/files.read/v1", "POST"),
        ("/operations/spreadsheets.normalize/v1", "POST"),
        ("/jobs/{job}", "GET"),
    )
] + [("data", path, "POST") for path in ("/views/vendors/v1", "/commits/invoices/v1")]


async def nothing_there(request: Any, send: Any) -> None:
    """An answer that every contract allows."""
    outcome = refusal(FailureType.NOT_FOUND, "nothing is stored", correlation_id=CORRELATION)
    await respond(send, 404, json.dumps(outcome.to_json()).encode(), [JSON])


class Gateway:
    """A gateway in a thread of its own: schemathesis calls it from ordinary code."""

    def __init__(self) -> None:
        self.evidence = Evidence()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self.url = ""
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))
        self._thread.start()
        assert self._ready.wait(30)

    async def _run(self) -> None:
        back_end = BackEnd()
        back_end.answer = nothing_there
        async with Served(back_end) as services:
            configuration = load_layout(
                POLICIES,
                baseline=baseline_folder(),
                named_values={
                    **environment(services.url, services.url),
                    "rate-calls-per-minute": "1000000",
                    "quota-calls-per-day": "1000000",
                },
            )
            identity = OwnToken()
            app = create_app(GatewaySettings(), configuration, lambda _: identity, self.evidence)
            async with Served(app) as gateway:
                self.url = gateway.url
                self._ready.set()
                await self._stop.wait()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)


@pytest.fixture(name="gateway", scope="module")
def _gateway() -> Iterator[Gateway]:
    gateway = Gateway()
    yield gateway
    gateway.close()


def test_every_published_operation_is_tested() -> None:
    published = set()
    for api in ("exec", "data"):
        schema = schemathesis.openapi.from_path(POLICIES / "apis" / api / "specification.yaml")
        published |= {
            (api, each.ok().path, each.ok().method.upper()) for each in schema.get_all_operations()
        }
    assert published == set(OPERATIONS)


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
@pytest.mark.parametrize(("api", "path", "method"), OPERATIONS)
def test_no_request_makes_the_gateway_fail(
    gateway: Gateway, api: str, path: str, method: str, mode: schemathesis.GenerationMode
) -> None:
    file = Path(POLICIES) / "apis" / api / "specification.yaml"
    operation = schemathesis.openapi.from_path(file)[path][method]
    credentials = {"authorization": f"Bearer {token(roles=ROLES)}"}
    answered: list[int] = []

    @given(case=operation.as_strategy(generation_mode=mode))
    @seed(20260501)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def run(case: schemathesis.Case) -> None:
        case.headers = {**(case.headers or {}), **credentials}
        case.headers.setdefault("x-correlation-id", CORRELATION)
        answer = case.call(base_url=f"{gateway.url}/{api}", timeout=10)
        answered.append(answer.status_code)
        assert answer.status_code != 500, case.as_curl_command()
        if answer.status_code >= 400:
            outcome = Outcome.model_validate_json(answer.content)
            assert outcome.failure is not None
            assert FAILURES[outcome.failure.type].http_status == answer.status_code

    run()
    assert answered
