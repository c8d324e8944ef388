"""Limits of the platform: as data, as warnings from 80 %, and enforced at run time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from flow_kit import OK, after, call, compose, flow_of, foreach, no_calls

from hybridmandate.contracts import FailureType, Refused
from hybridmandate.evidence.record import Record
from hybridmandate.orchestration.definition import Flow
from hybridmandate.orchestration.engine import Answer, NearLimit, RunStarted, step
from hybridmandate.orchestration.limits import (
    LIMITS,
    Licence,
    Profile,
    RequestBudget,
    check_limits,
    limit,
    measure_flow,
)
from hybridmandate.orchestration.limits.budget import DAY, FIVE_MINUTES, Window
from hybridmandate.orchestration.shells.memory import MemoryHost
from hybridmandate.orchestration.shells.message_sizes import answer_size
from hybridmandate.orchestration.shells.pace import Pace

NOW = 1_774_000_000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


class Recorder:
    def __init__(self) -> None:
        self.records: list[Record] = []

    def record(self, record: Record) -> None:
        self.records.append(record)

    def limits(self) -> list[tuple[str, str, Any]]:
        return [(r.detail["limit"], r.outcome, r.detail["value"]) for r in self.records]


def pace(
    profile: Profile = Profile.MEDIUM, licence: Licence | None = None
) -> tuple[Pace, Recorder]:
    recorder = Recorder()
    budget = RequestBudget(Profile.MEDIUM, None)
    return Pace(recorder, Clock(), Profile.MEDIUM, budget), recorder


# --- Foreach, Until, pages ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "items", "status"),
    [
        ("low", 5_000, "Succeeded"),
        ("low", 5_001, "Failed"),
        ("medium", 5_001, "Succeeded"),
        ("high", 5_001, "Succeeded"),
    ],
)
def test_the_profile_bounds_the_items_of_a_loop(profile: str, items: int, status: str) -> None:
    flow = flow_of({"Loop": foreach(f"@range(0, {items})", {})})
    run = MemoryHost(no_calls, profile=profile).start(flow)
    assert run.action("Loop")["status"] == status
    if status == "Failed":
        assert run.action("Loop")["code"] == "ForeachItemsLimitExceeded"


def _near(flow: Flow, profile: str = "low") -> list[NearLimit]:
    started = RunStarted(NOW, "r", "r", {"outputs": {}}, profile=profile)
    return [each for each in step(flow, None, started).commands if isinstance(each, NearLimit)]


@pytest.mark.parametrize(("items", "said"), [(3_999, False), (4_000, True), (5_001, True)])
def test_a_loop_says_that_its_limit_is_near_from_80_percent_on(items: int, said: bool) -> None:
    near = _near(flow_of({"Loop": foreach(f"@range(0, {items})", {})}))
    expected = [NearLimit("foreach.items", "Loop", items, 5_000, NOW)] if said else []
    assert near == expected


def test_rows_of_a_paged_list_are_bounded_by_the_profile() -> None:
    paged = call("ListRecords")
    paged["runtimeConfiguration"] = {"paginationPolicy": {"minimumItemCount": 6_000}}
    flow = flow_of({"List": paged})
    low = MemoryHost(no_calls, profile="low").start(flow)
    assert low.action("List")["code"] == "InvalidPaginationPolicy"
    medium = MemoryHost(lambda asked: OK).start(flow)
    assert medium.calls[0].pagination == 6_000


@pytest.mark.parametrize(("profile", "waits"), [("low", (300.0, 600.0)), ("high", (0.0, 7.0))])
def test_the_profile_gives_the_retry_policy_of_actions_that_name_none(
    profile: str, waits: tuple[float, float]
) -> None:
    host = MemoryHost(lambda asked: Answer(503), profile=profile)
    run = host.start(flow_of({"A": call("Op")}))
    host.finish(run)
    assert waits[0] <= run.retries[0]["waitSeconds"] <= waits[1]
    assert len(run.calls) == {"low": 3, "high": 9}[profile]


# --- request budgets ---------------------------------------------------------------------------


def test_a_window_has_room_again_when_its_first_requests_have_left_it() -> None:
    window = Window("x", "flow", FIVE_MINUTES, 10)
    assert window.spend(6, NOW) is None
    assert window.spend(4, NOW + 100) is not None
    assert window.wait(NOW + 100) == pytest.approx(201, abs=1)
    assert window.wait(NOW + 302) == 0.0
    assert window.usage().value == 4


def test_a_window_warns_once_at_80_percent_and_again_after_it_fell_below() -> None:
    window = Window("x", "flow", FIVE_MINUTES, 10)
    said = [window.spend(1, NOW + n) is not None for n in range(10)]
    assert said == [False] * 7 + [True, False, False]
    assert window.spend(1, NOW + 400) is None
    assert window.spend(7, NOW + 401) is not None


def test_a_window_over_its_limit_by_far_waits_until_it_is_below() -> None:
    window = Window("x", "flow", FIVE_MINUTES, 10)
    window.spend(50, NOW)
    window.spend(5, NOW + 30)
    assert 270 < window.wait(NOW + 30) <= 302


@pytest.mark.parametrize(
    ("profile", "highest"),
    [(Profile.LOW, 10_000), (Profile.MEDIUM, 200_000), (Profile.HIGH, 500_000)],
)
def test_a_day_of_requests_depends_on_the_profile(profile: Profile, highest: int) -> None:
    budget = RequestBudget(profile, None)
    for part in range(10):
        budget.spend("a", highest // 10, NOW + part * 4_000)
    seconds, full = budget.wait("a", NOW + 40_000)
    assert full is not None
    assert (full.limit_id, full.value, full.highest) == ("requests.day", highest, highest)
    assert seconds == pytest.approx(DAY - 40_000, abs=600)
    assert budget.wait("b", NOW + 40_000) == (0.0, None), "each flow has a budget of its own"


@pytest.mark.parametrize(
    ("licence", "highest"),
    [(Licence.STANDARD, 6_000), (Licence.PREMIUM, 40_000), (Licence.PROCESS, 250_000)],
)
def test_the_licence_of_the_owner_is_used_by_all_flows_together(
    licence: Licence, highest: int
) -> None:
    budget = RequestBudget(Profile.HIGH, licence)
    budget.spend("a", highest // 2, NOW)
    assert not [u for u in budget.spend("a", 0, NOW) if u.limit_id == "requests.licence"]
    budget.spend("b", highest // 2, NOW + 1_000)
    _, full = budget.wait("c", NOW + 1_000)
    assert full is not None
    assert (full.limit_id, full.place) == ("requests.licence", licence)


async def test_a_flow_without_budget_is_slowed_down_not_failed() -> None:
    slept: list[float] = []
    recorder, clock = Recorder(), Clock()
    held = Pace(recorder, clock, Profile.LOW, RequestBudget(Profile.LOW, None))

    async def rest(seconds: float) -> bool:
        slept.append(seconds)
        clock.now += seconds
        return False

    held.spend("Busy", 9_999, "r1")
    await held.hold("Busy", "r1", rest)
    assert slept == []
    held.spend("Busy", 1, "r1")
    await held.hold("Busy", "r1", rest)
    assert sum(slept) == pytest.approx(DAY, abs=600)
    assert recorder.limits() == [
        ("requests.day", "warning", 9_999),
        ("requests.day", "limited", 10_000),
    ]
    assert recorder.records[1].detail["waitSeconds"] > 80_000
    assert {each.parent for each in recorder.records} == {"run:r1"}


# --- messages, calls, waiting runs -------------------------------------------------------------

MEGABYTE = 1024 * 1024


@pytest.mark.parametrize(
    ("answer", "size"),
    [
        (Answer(200, {"Content-Length": "17"}, {"a": 1}), 17),
        (Answer(200, {}, "text"), 4),
        (Answer(200, {}, {"$content-type": "x", "$content": "QUJD"}), 3),
        (Answer(200, {"content-length": "many"}, [1]), 3),
        (Answer.unreachable("away"), 0),
    ],
)
def test_the_size_of_a_message(answer: Answer, size: int) -> None:
    assert answer_size(answer) == size


@pytest.mark.parametrize(
    ("megabytes", "outcomes", "fault"),
    [(79, [], None), (80, ["warning"], None), (101, ["limited"], "too_large")],
)
def test_a_message_has_100_megabytes_at_most(
    megabytes: int, outcomes: list[str], fault: str | None
) -> None:
    kept, recorder = pace()
    answer = Answer(200, {"content-length": str(megabytes * MEGABYTE)}, {})
    assert kept.weigh("F", "Get", answer, 1.0, "r").fault == fault
    assert [each.outcome for each in recorder.records] == outcomes


def test_a_message_that_is_too_large_fails_its_action() -> None:
    host = MemoryHost(lambda asked: Answer.too_large("big"))
    run = host.finish(host.start(flow_of({"A": call("Op")})))
    assert (run.action("A")["status"], run.action("A")["code"]) == (
        "Failed",
        "MessageSizeLimitExceeded",
    )
    assert len(run.calls) == 1, "sending it again cannot help"


def test_a_call_that_takes_96_of_120_seconds_is_said() -> None:
    kept, recorder = pace()
    kept.weigh("F", "Get", OK, 95.0, "r")
    kept.weigh("F", "Get", OK, 96.0, "r")
    assert recorder.limits() == [("call.duration", "warning", 96)]


async def test_a_trigger_takes_no_more_when_10_and_its_degree_wait() -> None:
    trigger = {
        "manual": {
            "type": "Request",
            "kind": "Http",
            "inputs": {},
            "runtimeConfiguration": {"concurrency": {"runs": 2}},
        }
    }
    flow = flow_of({"A": compose(1)}, trigger=trigger)
    kept, recorder = pace()
    gate = asyncio.Event()

    async def run() -> None:
        async with kept.room(flow):
            await gate.wait()

    runs = [asyncio.create_task(run()) for _ in range(2 + 11)]
    await asyncio.sleep(0)
    kept.must_admit(flow)
    runs.append(asyncio.create_task(run()))
    await asyncio.sleep(0)
    with pytest.raises(Refused) as refused:
        kept.must_admit(flow)
    assert (refused.value.type, refused.value.retry_after_seconds) == (FailureType.THROTTLED, 10)
    assert recorder.limits() == [("trigger.waiting", "limited", 12)]
    gate.set()
    await asyncio.gather(*runs)
    kept.must_admit(flow)


def test_a_trigger_without_concurrency_control_takes_every_run() -> None:
    kept, _ = pace()
    for _ in range(100):
        kept.must_admit(flow_of({"A": compose(1)}))


# --- definitions -------------------------------------------------------------------------------


def _chain(count: int) -> dict[str, Any]:
    return {f"A{n}": compose(n, after(f"A{n - 1}") if n else None) for n in range(count)}


@pytest.mark.parametrize(
    ("actions", "level"), [(399, "ok"), (400, "warning"), (500, "warning"), (501, "over")]
)
def test_the_number_of_actions_is_measured(actions: int, level: str) -> None:
    measured = {each.limit.id: each for each in measure_flow(flow_of(_chain(actions)))}
    assert measured["flow.actions"].level == level
    assert bool(check_limits(flow_of(_chain(actions)))[1]) == (level == "over")


def test_near_limits_of_a_definition_are_said_when_the_process_starts() -> None:
    kept, recorder = pace()
    kept.announce(flow_of(_chain(450), name="Large.json"))
    assert recorder.limits() == [("flow.actions", "warning", 450)]
    assert recorder.records[0].detail["flow"] == "Large"


def test_literal_limits_of_loops_and_lists_are_measured() -> None:
    until = {
        "type": "Until",
        "expression": "@true",
        "limit": {"count": 4_500, "timeout": "PT1H"},
        "actions": {},
        "runAfter": {},
    }
    paged = call("ListRecords")
    paged["runtimeConfiguration"] = {"paginationPolicy": {"minimumItemCount": 100_001}}
    measured = {
        each.limit.id: each.level for each in measure_flow(flow_of({"U": until, "L": paged}))
    }
    assert measured["until.count"] == "warning"
    assert measured["page.items"] == "over"


def test_every_limit_has_a_value_for_every_profile_that_grows_with_it() -> None:
    for each in LIMITS:
        values = [each.of(profile) for profile in Profile]
        assert values == sorted(values)
        assert values[0] > 0
    assert limit("requests.5min").of(Profile.LOW) == 100_000
