"""Processes are killed at bad moments: nothing is lost, nothing is done twice."""

import time

import pytest
from world import EXAMPLE, World, invoices_csv

from hybridmandate.local.run_plan import HAS_SHARED_PORTS

pytestmark = [pytest.mark.slow, pytest.mark.kill, pytest.mark.xdist_group("kills")]


def test_execution_killed_while_it_works(world: World) -> None:
    run = world.drop("big.csv", invoices_csv("KE", 1500))
    world.reaches(run, "processing")
    world.local.supervisor.kill("execution")
    world.ended(run["id"])
    assert world.tracking(run["correlationId"])["hm_state"] == "committed"
    assert len(world.invoices("KE-")) == 1500
    assert len(world.ledger(run["correlationId"])) == 1500


def test_data_gateway_killed_while_it_commits(world: World) -> None:
    run = world.drop("commit.csv", invoices_csv("KD", 1200))
    world.reaches(run, "committing")
    for _ in range(2):
        time.sleep(0.3)
        world.local.supervisor.kill("data")
    world.ended(run["id"], 120)
    assert world.tracking(run["correlationId"])["hm_state"] == "committed"
    assert len(world.invoices("KD-")) == 1200
    assert len(world.ledger(run["correlationId"])) == 1200


def test_flow_engine_killed_while_a_person_is_asked(world: World) -> None:
    content = (EXAMPLE / "samples" / "09-above-threshold.xlsx").read_bytes()
    run = world.drop("waiting.xlsx", content)
    world.reaches(run, "awaitingApproval")
    world.local.supervisor.kill("flows")
    world.approve()
    ended = world.ended(run["id"])
    assert ended["status"] == "Succeeded"
    assert world.tracking(run["correlationId"])["hm_state"] == "committed"
    assert len(world.ledger(run["correlationId"])) == 3


def test_flow_engine_killed_again_and_again(world: World) -> None:
    run = world.drop("flows.csv", invoices_csv("KF", 40))
    for _ in range(3):
        time.sleep(0.4)
        world.local.supervisor.kill("flows")
    world.ended(run["id"])
    assert world.tracking(run["correlationId"])["hm_state"] == "committed"
    assert len(world.invoices("KF-")) == 40
    assert len(world.ledger(run["correlationId"])) == 40


def test_execution_down_parks_the_file_and_a_resubmit_finishes_it(world: World) -> None:
    world.do(world.local.supervisor.pause("execution"))
    run = world.drop("parked.csv", invoices_csv("KP", 5))
    world.ended(run["id"], 120)
    tracking = world.tracking(run["correlationId"])
    assert tracking["hm_state"] == "parked"
    assert tracking["hm_failuretype"] == "downstream_unavailable"
    assert world.invoices("KP-") == []
    world.local.supervisor.resume("execution")
    again = world.do(world.machine.flows.resubmit(run["id"]))
    ended = world.ended(again)
    assert ended["correlationId"] == run["correlationId"]
    assert world.tracking(run["correlationId"])["hm_state"] == "committed"
    assert len(world.invoices("KP-")) == 5


@pytest.mark.skipif(not HAS_SHARED_PORTS, reason="a port belongs to one process here")
def test_gateway_process_killed_leaves_the_others_to_serve(world: World) -> None:
    run = world.drop("gateway.csv", invoices_csv("KG", 400))
    for name in ("gateway", "gateway-2"):
        world.reaches(run, "processing", "committing", "committed")
        world.local.supervisor.kill(name)
    world.ended(run["id"])
    assert world.tracking(run["correlationId"])["hm_state"] == "committed"
    assert len(world.invoices("KG-")) == 400
    assert len(world.ledger(run["correlationId"])) == 400

    def back() -> bool | None:
        return all(world.do(world.machine.ready(each)) for each in ("gateway", "gateway-2")) or None

    world.until(back, "both gateway processes")
