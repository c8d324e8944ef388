"""schemathesis against the running services, with the policies, tokens and tables of a solution.

What it sends is drawn from every published contract, broken on purpose half of the time. Whatever
comes back is an answer of the contract: no service fails, and every refusal has a failure type.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from world import EXAMPLE, World

from hybridmandate.contracts import FAILURES, Outcome
from hybridmandate.identity.audiences import gateway_audience

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contracts")]

EXAMPLES = 15
CALLERS = {"/views/vendors/v1": "invoice-batch"}
"""Who may call an operation; all others are the flow's own."""


def operations() -> Iterator[Any]:
    for api in ("exec", "data"):
        document = EXAMPLE / "policies" / "apis" / api / "specification.yaml"
        for each in schemathesis.openapi.from_path(document).get_all_operations():
            operation = each.ok()
            yield pytest.param(api, operation, id=f"{operation.method.upper()} {operation.path}")


@pytest.fixture(name="open_world", scope="module")
def _open_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The example with room for thousands of calls a minute."""
    folder = tmp_path_factory.mktemp("contracts")
    shutil.copytree(EXAMPLE, folder / "solution")
    environment = folder / "solution" / "environments" / "local.toml"
    room = "[named_values]\nrate-calls-per-minute = '1000000'\nquota-calls-per-day = '1000000'"
    environment.write_text(environment.read_text().replace("[named_values]", room, 1))
    world = World(folder / "state", folder / "solution")
    yield world
    world.close()


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
@pytest.mark.parametrize(("api", "operation"), list(operations()))
def test_no_request_makes_a_service_fail(
    open_world: World, api: str, operation: Any, mode: schemathesis.GenerationMode
) -> None:
    machine = open_world.machine
    caller = CALLERS.get(operation.path, "flow-invoice-intake")
    audience = gateway_audience(machine.boot.folder.name, machine.plan.environment)
    token = open_world.do(machine.workload(caller).token(audience))
    gateway = machine.plan.origin("gateway")
    answered: set[int] = set()

    @given(case=operation.as_strategy(generation_mode=mode))
    @seed(20261124)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def run(case: schemathesis.Case) -> None:
        case.headers = {**(case.headers or {}), "authorization": f"Bearer {token}"}
        case.headers.setdefault("x-correlation-id", str(uuid.uuid4()))
        answer = case.call(base_url=f"{gateway}/{api}", timeout=20)
        answered.add(answer.status_code)
        assert answer.status_code < 500, case.as_curl_command()
        if answer.status_code >= 400:
            outcome = Outcome.model_validate_json(answer.content)
            assert outcome.failure is not None
            assert FAILURES[outcome.failure.type].http_status == answer.status_code

    run()
    assert answered - {401, 403, 429}, "the services were asked"


def test_the_services_live_on(open_world: World) -> None:
    sample = Path(EXAMPLE / "samples" / "01-clean.csv").read_bytes()
    run = open_world.drop("after.csv", sample)
    assert open_world.ended(run["id"])["status"] == "Succeeded"
    assert open_world.tracking(run["correlationId"])["hm_state"] == "committed"
    assert open_world.verify().intact
