"""P5: a principal is disabled while a flow uses it; the business process is not touched."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner
from world import EXAMPLE, World

from hybridmandate.cli.app import app

pytestmark = pytest.mark.xdist_group("principal-disabled")

PRINCIPAL = "flow-invoice-intake"
STATED_SECONDS = 3.0
"""principal-state-seconds of environments/local.toml."""


def digest_of_solution() -> dict[str, str]:
    files = [each for each in EXAMPLE.rglob("*") if each.is_file()]
    return {str(each): hashlib.sha256(each.read_bytes()).hexdigest() for each in files}


@contextmanager
def disabled(world: World) -> Iterator[None]:
    """The principal is disabled, as an operator does it, and enabled again."""
    for command in ("disable", "enable"):
        result = CliRunner().invoke(
            app, ["principal", command, PRINCIPAL, "--state", str(world.state)]
        )
        assert result.exit_code == 0, result.output
        if command == "disable":
            time.sleep(STATED_SECONDS + 0.5)
            yield


def test_the_flow_gets_unauthorized_and_goes_on_when_the_principal_is_back(world: World) -> None:
    before = digest_of_solution()
    principal = world.machine.boot.directory.named(PRINCIPAL)
    assert principal is not None
    content = (EXAMPLE / "samples" / "09-above-threshold.xlsx").read_bytes()
    run = world.drop("disabled.xlsx", content)
    world.reaches(run, "awaitingApproval")
    totals = world.totals()
    with disabled(world):
        # The connection still holds a token that is good for most of an hour.
        world.approve()
        world.ended(run["id"])
        parked = world.tracking(run["correlationId"])
        assert parked["hm_failuretype"] == "unauthorized"
        assert world.totals() == totals, "nothing was written"
        refused = [
            each
            for each in world.trace(run["correlationId"]).steps
            if each.kind == "gateway.call" and each.failure_type == "unauthorized"
        ]
        assert refused
        assert {each.principal for each in refused} == {principal.object_id}
        assert world.totals() == totals
    time.sleep(STATED_SECONDS + 0.5)
    again = world.do(world.machine.flows.resubmit(run["id"]))
    world.reaches({"correlationId": run["correlationId"]}, "awaitingApproval")
    world.approve()
    assert world.ended(again)["status"] == "Succeeded"
    assert world.tracking(run["correlationId"])["hm_state"] == "committed"
    assert digest_of_solution() == before, "no file of the solution changed"
