"""Random well-formed flows: they end, each action once, in the order that runAfter says."""

from __future__ import annotations

import random
from typing import Any

from flow_kit import call, compose, fails, flow_of
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridmandate.orchestration.definition import Flow
from hybridmandate.orchestration.definition.mentions import walk
from hybridmandate.orchestration.engine import Answer, Call
from hybridmandate.orchestration.shells.memory import Delayed, MemoryHost, MemoryRun

STATUSES = ["Succeeded", "Failed", "Skipped", "TimedOut"]
FINAL = {*STATUSES, "Cancelled"}


class Maker:
    """Makes a definition from a random number generator; names are unique."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._names = 0

    def actions(self, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for _ in range(self._chance.randint(0, 4)):
            self._names += 1
            name = f"A{self._names}"
            action = self._action(depth)
            before = self._chance.sample(list(made), self._chance.randint(0, min(2, len(made))))
            action["runAfter"] = {
                each: self._chance.sample(STATUSES, self._chance.randint(1, 4)) for each in before
            }
            made[name] = action
        return made

    def _action(self, depth: int) -> dict[str, Any]:
        plain = [
            lambda: compose(1),
            fails,
            lambda: call("Op", retry={"type": "none"}),
            lambda: {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Hour"}}},
        ]
        if depth == 0:
            return self._chance.choice(plain)()
        inside = self.actions
        containers = [
            lambda: {"type": "Scope", "actions": inside(depth - 1)},
            lambda: {
                "type": "If",
                "expression": self._chance.choice(["@true", "@false", "@concat('?')"]),
                "actions": inside(depth - 1),
                "else": {"actions": inside(depth - 1)},
            },
            lambda: {
                "type": "Switch",
                "expression": self._chance.choice(["a", "b"]),
                "cases": {"A": {"case": "a", "actions": inside(depth - 1)}},
                "default": {"actions": inside(depth - 1)},
            },
            lambda: {
                "type": "Foreach",
                "foreach": list(range(self._chance.randint(0, 3))),
                "actions": inside(depth - 1),
                "runtimeConfiguration": {
                    "concurrency": {"repetitions": self._chance.randint(1, 3)}
                },
            },
            lambda: {
                "type": "Until",
                "expression": self._chance.choice(["@true", "@false"]),
                "limit": {"count": 2, "timeout": "PT5H"},
                "actions": inside(depth - 1),
            },
        ]
        return self._chance.choice(plain + containers)()


def _made(seed: int) -> tuple[Flow, MemoryRun]:
    chance = random.Random(seed)
    flow = flow_of(Maker(chance).actions(3))

    def service(asked: Call) -> Delayed:
        answer = chance.choice([Answer(200), Answer(400), Answer.timed_out("slow")])
        return Delayed(answer, chance.choice([0.0, 1.0, 60.0]))

    host = MemoryHost(service)
    return flow, host.finish(host.start(flow))


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 10**9))
def test_a_random_flow_ends_with_one_final_status_per_action_and_place(seed: int) -> None:
    flow, ended = _made(seed)
    places = [(each["name"], *each["at"]) for each in ended.tracked]
    assert len(places) == len(set(places)), "one final status each"
    assert all(each["status"] in FINAL for each in ended.tracked)
    outside_loops = {action.name for action in walk(flow.graph) if not action.loops}
    assert {name for name, *at in places if not at} == outside_loops
    assert not ended.waiting


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 10**9))
def test_a_random_flow_keeps_the_order_that_run_after_says(seed: int) -> None:
    flow, ended = _made(seed)
    order = {(each["name"], *each["at"]): each for each in ended.tracked}
    position = {place: index for index, place in enumerate(order)}
    for (name, *at), record in order.items():
        action = flow.actions[name]
        for before, wanted in action.run_after.items():
            place = (before, *at)
            if record["code"] == "ActionBranchingConditionNotSatisfied" or place not in order:
                continue
            assert position[place] < position[(name, *at)]
            if record["status"] not in ("Skipped", "Cancelled"):
                assert order[place]["status"] in wanted


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**9))
def test_the_same_events_give_the_same_run(seed: int) -> None:
    assert _made(seed)[1].state == _made(seed)[1].state
