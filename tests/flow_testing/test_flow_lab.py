"""The test kit itself: mocks, assertions, clock, coverage, replay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lab_flows import ACTIONS, write_solution

from hybridmandate.orchestration.engine import Answer
from hybridmandate.orchestration.testing.branches import BranchCoverage
from hybridmandate.orchestration.testing.flow_lab import FlowLab, FlowRun
from hybridmandate.orchestration.testing.replay import RecordedRun, export_run

CHILD_ID = "11111111-2222-4333-8444-555555555555"
ROWS = {"value": [{"amount": 5, "due": "2026-01-31"}, {"amount": 500, "due": "2026-02-01"}]}


@pytest.fixture
def coverage() -> BranchCoverage:
    return BranchCoverage()


@pytest.fixture
def lab(tmp_path: Path, coverage: BranchCoverage) -> FlowLab:
    return FlowLab(write_solution(tmp_path), coverage)


def run_it(lab: FlowLab, rows: Any = ROWS) -> FlowRun:
    flow = lab("ship-rows").mock("ListRecords", rows).mock("Post", {"ok": True})
    return flow.trigger({})


def test_mocks_are_by_operation_or_by_action(lab: FlowLab) -> None:
    run = run_it(lab)
    lab.clock.advance(0)
    assert run.status == "Succeeded"
    assert run.action("Until_when").outputs == "2026-02-01"
    run.assert_called("PostRow", times=1, row=ROWS["value"][1])
    run.assert_not_called("DeleteRecord")


def test_what_is_not_mocked_says_how_to_mock_it(lab: FlowLab) -> None:
    run = lab("ShipRows").mock("List_rows", ROWS).trigger({})
    assert run.status == "Failed"
    post = run.actions("Post")[-1]
    assert "flow(...).mock('PostRow', answer)" in str(post.error)


def test_several_answers_come_one_after_the_other(lab: FlowLab) -> None:
    flow = lab("ShipRows").mock("ListRecords", Answer(503), Answer(503), {"value": []})
    run = flow.trigger({})
    assert run.status == "Running", "the retry waits for its time"
    lab.clock.advance(minutes=5)
    assert len(run.calls("List_rows")) == 3


def test_a_mock_may_be_a_function_of_the_call(lab: FlowLab) -> None:
    flow = lab("ShipRows")
    flow.mock("ListRecords", lambda call: {"value": [{"amount": 1, "due": "2026-01-31"}]})
    run = flow.trigger({})
    assert run.status == "Succeeded"


@pytest.mark.parametrize("name", ["NoSuchAction", "list_rows"])
def test_a_mock_of_something_that_is_not_there_is_an_error(lab: FlowLab, name: str) -> None:
    with pytest.raises(LookupError, match=name):
        lab("ShipRows").mock(name, {})


def test_a_flow_that_is_not_there_is_an_error_that_lists_the_flows(lab: FlowLab) -> None:
    with pytest.raises(LookupError, match="ShipRows"):
        lab("other")


def test_a_failed_call_assertion_shows_the_calls(lab: FlowLab) -> None:
    run = run_it(lab)
    with pytest.raises(AssertionError, match="called 1 times, not 2"):
        run.assert_called("Post", times=2)
    with pytest.raises(AssertionError, match="was not called so"):
        run.assert_called("Post", row={})
    with pytest.raises(AssertionError, match="was called"):
        run.assert_not_called("Post")


def test_coverage_names_what_no_test_reached(lab: FlowLab, coverage: BranchCoverage) -> None:
    run_it(lab, {"value": [{"amount": 1, "due": "2026-01-31"}]})
    (first,) = coverage.results()
    assert first.missed == ["Is_large/actions", "Post"]
    assert first.share == pytest.approx(5 / 7)
    run_it(lab)
    (both,) = coverage.results()
    assert (both.missed, both.share) == ([], 1.0)


def exported(run: FlowRun) -> dict[str, Any]:
    state = run.run.state
    return export_run(
        run_id=run.run.id,
        status=run.status,
        correlation_id=run.correlation_id,
        trigger=state["trigger"],
        records=run.run.tracked,
    )


def test_a_recorded_run_replays_as_a_test(lab: FlowLab) -> None:
    history = exported(run_it(lab))
    (lab.folder / "runs").mkdir()
    (lab.folder / "runs/one.json").write_text(json.dumps(history))
    again = FlowLab(lab.folder, BranchCoverage())("ShipRows").replay("runs/one.json")
    again.assert_as_recorded()
    assert again.correlation_id == history["properties"]["correlation"]["clientTrackingId"]


def test_a_replay_that_differs_says_where(lab: FlowLab, tmp_path: Path) -> None:
    history = exported(run_it(lab))
    changed = {**ACTIONS, "Until_when": {**ACTIONS["Until_when"], "inputs": "@int('x')"}}
    other = write_solution(tmp_path / "changed", changed)
    (other / "one.json").write_text(json.dumps(history))
    replayed = FlowLab(other, BranchCoverage())("ShipRows").replay("one.json")
    with pytest.raises(AssertionError, match=r"Until_when is \['Failed'\], was \['Succeeded'\]"):
        replayed.assert_as_recorded()


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({}, "has 'properties'"),
        ({"properties": {"actions": {}, "trigger": {"outputsLink": {}}}}, "no contents"),
    ],
)
def test_a_history_without_contents_is_refused(tree: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RecordedRun(tree)


PARENT = {
    "Ask_child": {
        "type": "Workflow",
        "inputs": {"host": {"workflowReferenceName": CHILD_ID}, "body": {"n": 4}},
        "runAfter": {},
    }
}
CHILD = {
    "triggers": {"manual": {"type": "Request", "kind": "Button", "inputs": {}}},
    "contentVersion": "1.0.0.0",
    "actions": {
        "Rest": {
            "type": "Wait",
            "inputs": {"interval": {"count": 2, "unit": "Hour"}},
            "runAfter": {},
        },
        "Answer": {
            "type": "Response",
            "inputs": {"statusCode": 200, "body": {"n": "@add(triggerBody()?['n'], 1)"}},
            "runAfter": {"Rest": ["Succeeded"]},
        },
    },
}


@pytest.fixture
def family(tmp_path: Path, coverage: BranchCoverage) -> FlowLab:
    folder = write_solution(tmp_path / "family", PARENT)
    (folder / "flows" / f"Child-{CHILD_ID.upper()}.json").write_text(json.dumps(CHILD))
    return FlowLab(folder, coverage)


def test_a_child_flow_of_the_solution_runs_with_its_parent_and_is_covered(
    family: FlowLab, coverage: BranchCoverage
) -> None:
    run = family("ShipRows").trigger({})
    assert (run.status, run.child("Ask_child").action("Rest").status) == ("Running", "Running")
    family.clock.advance(minutes=121)
    assert run.action("Ask_child").body == {"n": 5}
    assert run.child("Ask_child").status == run.status == "Succeeded"
    assert {each.flow: each.missed for each in coverage.results()} == {"Child": [], "ShipRows": []}


def test_a_child_flow_that_is_mocked_does_not_run(family: FlowLab) -> None:
    run = family("ShipRows").mock("Ask_child", {"n": 9}).trigger({})
    family.clock.advance(0)
    assert run.action("Ask_child").body == {"n": 9}
    with pytest.raises(LookupError, match="has started no child flow"):
        run.child("Ask_child")


def test_a_flow_that_starts_itself_again_and_again_ends(tmp_path: Path) -> None:
    own = {
        "Again": {**PARENT["Ask_child"], "inputs": {"host": {"workflowReferenceName": "ShipRows"}}}
    }
    lab = FlowLab(write_solution(tmp_path / "own", own), BranchCoverage())
    run = lab("ShipRows").trigger({})
    lab.clock.advance(days=1)
    assert run.status == "Failed"
    assert "nested deeper" in str(lab.host.runs[-1].action("Again")["error"])


def test_a_test_may_cancel_a_run(family: FlowLab) -> None:
    run = family("ShipRows").trigger({})
    run.cancel("not needed")
    assert (run.status, run.action("Ask_child").status) == ("Cancelled", "Cancelled")
