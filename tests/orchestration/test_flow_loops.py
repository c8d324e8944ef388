"""Foreach and Until, case by case."""

from __future__ import annotations

from typing import Any

import pytest
from flow_kit import (
    OK,
    after,
    call,
    compose,
    fails,
    flow_of,
    foreach,
    run,
    scope,
    statuses,
    variable,
)

from hybridmandate.orchestration.engine import Answer, Call
from hybridmandate.orchestration.shells.memory import Delayed, MemoryHost


def test_foreach_goes_on_after_a_failed_iteration_and_fails_at_the_end() -> None:
    def service(asked: Call) -> Answer:
        item = asked.request["parameters"]["item"]
        return Answer(400, {}, None) if item == 2 else OK

    body = {"Post": call("Post", parameters={"item": "@items('Loop')"})}
    ended = run({"Loop": foreach([1, 2, 3], body)}, service)
    assert [each["status"] for each in ended.records("Post")] == [
        "Succeeded",
        "Failed",
        "Succeeded",
    ]
    assert [each["at"] for each in ended.records("Post")] == [[0], [1], [2]]
    assert ended.action("Loop")["status"] == "Failed"
    assert ended.action("Loop")["iterationCount"] == 3


def test_foreach_is_sequential_unless_it_says_otherwise() -> None:
    def peak(concurrency: int | None) -> int:
        open_now, most = 0, 0

        def service(asked: Call) -> None:
            nonlocal open_now, most
            open_now += 1
            most = max(most, open_now)

        host = MemoryHost(service)
        loop = foreach("@range(0, 20)", {"P": call("P")}, concurrency=concurrency)
        started = host.start(flow_of({"Loop": loop}))
        while started.status == "Running":
            open_now -= 1
            host.answer(started, sorted(t for t in started.waiting if t != "run")[0], OK)
            host.advance(0)
        assert len(started.calls) == 20
        return most

    assert peak(None) == 1
    assert peak(1) == 1
    assert peak(7) == 7
    assert peak(50) == 20


def test_parallel_iterations_share_variables_in_the_order_of_events() -> None:
    actions = {
        "V": variable("seen", "array"),
        "Loop": foreach(
            [0, 1, 2, 3],
            {
                "Ask": call("Ask", parameters={"item": "@items('Loop')"}),
                "Add": {
                    "type": "AppendToArrayVariable",
                    "inputs": {"name": "seen", "value": "@items('Loop')"},
                    "runAfter": after("Ask"),
                },
            },
            after("V"),
            concurrency=4,
        ),
    }

    def service(asked: Call) -> Delayed:
        return Delayed(OK, 10.0 - asked.request["parameters"]["item"])

    first, second = run(actions, service), run(actions, service)
    assert first.state["variables"]["seen"]["value"] == [3, 2, 1, 0]
    assert first.state == second.state


def test_nested_loops_see_their_own_items_and_neighbours() -> None:
    inner = foreach(
        "@items('Outer')",
        {
            "Pair": compose("@concat(string(iterationIndexes('Outer')), ':', string(item()))"),
            "Again": compose("@outputs('Pair')", after("Pair")),
        },
    )
    ended = run({"Outer": foreach([[1, 2], [3]], {"Inner": inner})})
    assert [each["outputs"] for each in ended.records("Again")] == ["0:1", "0:2", "1:3"]
    assert [each["at"] for each in ended.records("Again")] == [[0, 0], [0, 1], [1, 0]]


def test_records_of_finished_iterations_do_not_pile_up() -> None:
    ended = run({"Loop": foreach("@range(0, 500)", {"A": compose("@item()")})})
    assert len(ended.records("A")) == 500
    assert len(ended.state["actions"]) == 2, "the loop and its last iteration"


def test_result_gives_every_iteration_where_a_flow_asks_for_it() -> None:
    actions = {
        "Loop": foreach([1, 2, 3], {"A": compose("@item()")}),
        "Seen": compose("@length(result('Loop'))", after("Loop")),
        "First": compose("@first(result('Loop'))['outputs']", after("Loop")),
    }
    ended = run(actions)
    assert ended.action("Seen")["outputs"] == 3
    assert ended.action("First")["outputs"] == 1


def test_result_of_a_failed_scope_says_what_failed() -> None:
    actions = {
        "Try": scope({"Good": compose(1), "Bad": fails()}),
        "Why": {
            "type": "Query",
            "inputs": {"from": "@result('Try')", "where": "@equals(item()['status'], 'Failed')"},
            "runAfter": after("Try", on=["Failed"]),
        },
    }
    found = run(actions).action("Why")["outputs"]["body"]
    assert [each["name"] for each in found] == ["Bad"]
    assert found[0]["error"]["code"] == "InvalidTemplate"


def test_foreach_over_nothing_succeeds_and_over_no_list_fails() -> None:
    ended = run({"E": foreach([], {"A": compose(1)}), "F": foreach("text", {"B": compose(1)})})
    assert statuses(ended) == {"E": "Succeeded", "F": "Failed"}


def _until(expression: str, limit: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {
        "V": variable("n", "integer", 0),
        "U": {
            "type": "Until",
            "expression": expression,
            "limit": limit,
            "actions": {
                "Up": {
                    "type": "IncrementVariable",
                    "inputs": {"name": "n", "value": 1},
                    "runAfter": {},
                },
                "Rest": {
                    "type": "Wait",
                    "inputs": {"interval": {"count": 1, "unit": "Minute"}},
                    "runAfter": after("Up"),
                },
            },
            "runAfter": after("V"),
            **parts,
        },
    }


@pytest.mark.parametrize(
    ("expression", "limit", "parts", "rounds", "status"),
    [
        ("@equals(variables('n'), 3)", {"count": 60, "timeout": "PT1H"}, {}, 3, "Succeeded"),
        ("@equals(variables('n'), 99)", {"count": 5, "timeout": "PT1H"}, {}, 5, "Succeeded"),
        ("@equals(variables('n'), 99)", {"count": 60, "timeout": "PT10M"}, {}, 10, "Succeeded"),
        (
            "@equals(variables('n'), 99)",
            {"count": 5, "timeout": "PT1H"},
            {"operationOptions": "FailWhenLimitsReached"},
            5,
            "Failed",
        ),
        ("@variables('n')", {"count": 5, "timeout": "PT1H"}, {}, 1, "Failed"),
    ],
)
def test_until(
    expression: str, limit: dict[str, Any], parts: dict[str, Any], rounds: int, status: str
) -> None:
    ended = run(_until(expression, limit, **parts))
    assert ended.state["variables"]["n"]["value"] == rounds
    assert ended.action("U")["status"] == status
    assert len(ended.records("Up")) == rounds


@pytest.mark.parametrize("limit", [{"count": 0}, {"count": 5001}, {"timeout": "soon"}])
def test_until_with_a_wrong_limit_fails(limit: dict[str, Any]) -> None:
    assert run(_until("@true", limit)).action("U")["status"] == "Failed"
