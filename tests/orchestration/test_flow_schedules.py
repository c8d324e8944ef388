"""Recurrence and Sliding window: due moments as documented, each run once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from flow_kit import compose, flow_of

from hybridmandate.orchestration.triggers import schedule
from hybridmandate.orchestration.triggers.recurrence import Recurrence, RecurrenceInvalid
from hybridmandate.orchestration.triggers.schedule import Schedule


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def shown(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M")


@pytest.mark.parametrize(
    ("declared", "moments"),
    [
        ({"frequency": "Minute", "interval": 15}, ["2026-03-27T10:15", "2026-03-27T10:30"]),
        (
            {"frequency": "Hour", "interval": 6, "startTime": "2026-03-01T01:30:00Z"},
            ["2026-03-27T13:30", "2026-03-27T19:30"],
        ),
        # Berlin changes to summer time on 2026-03-29: the wall clock's time stays.
        (
            {
                "frequency": "Day",
                "interval": 1,
                "startTime": "2026-03-01T08:00:00",
                "timeZone": "W. Europe Standard Time",
            },
            ["2026-03-28T07:00", "2026-03-29T06:00", "2026-03-30T06:00"],
        ),
        (
            {"frequency": "Month", "interval": 1, "startTime": "2026-01-31T00:00:00Z"},
            ["2026-03-31T00:00", "2026-04-30T00:00", "2026-05-31T00:00"],
        ),
        (
            {
                "frequency": "Week",
                "interval": 1,
                "schedule": {"weekDays": ["Monday", "Friday"], "hours": ["8", 17], "minutes": [30]},
            },
            ["2026-03-27T17:30", "2026-03-30T08:30", "2026-03-30T17:30", "2026-04-03T08:30"],
        ),
        (
            {"frequency": "Day", "interval": 1, "schedule": {"hours": [6]}},
            ["2026-03-28T06:00", "2026-03-29T06:00"],
        ),
        (
            {"frequency": "Month", "interval": 1, "schedule": {"monthDays": [1], "hours": [0]}},
            ["2026-04-01T00:00", "2026-05-01T00:00"],
        ),
    ],
)
def test_a_recurrence_is_due_when_it_says(declared: dict[str, Any], moments: list[str]) -> None:
    recurrence, origin = Recurrence.of(declared), at("2026-03-27T10:00")
    moment, found = origin, []
    for _ in moments:
        moment = recurrence.after(moment, origin)
        found.append(shown(moment))
    assert found == moments


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (None, "no recurrence"),
        ({"frequency": "Fortnight", "interval": 1}, "unknown"),
        ({"frequency": "Day", "interval": 0}, "whole number"),
        ({"frequency": "Second", "interval": 59}, "60 s to 500 days"),
        ({"frequency": "Month", "interval": 18}, "60 s to 500 days"),
        ({"frequency": "Day", "interval": 1, "timeZone": "Middle Earth"}, "time zone"),
        ({"frequency": "Day", "interval": 1, "startTime": "soon"}, "no moment"),
        ({"frequency": "Day", "interval": 1, "schedule": {"hours": [24]}}, "from 0 to 23"),
        ({"frequency": "Week", "interval": 1, "schedule": {"weekDays": ["Funday"]}}, "weekDays"),
    ],
)
def test_a_recurrence_that_cannot_be_followed_says_why(declared: Any, message: str) -> None:
    with pytest.raises(RecurrenceInvalid, match=message):
        Recurrence.of(declared)


def test_a_schedule_that_never_comes_is_an_error_in_bounded_time() -> None:
    never = {"frequency": "Month", "interval": 1, "schedule": {"monthDays": [0]}}
    with pytest.raises(RecurrenceInvalid, match="ever comes"):
        Recurrence.of(never).after(0, 0)


class Cursors:
    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}

    def cursor(self, flow: str) -> Any:
        return self.kept.get(flow)

    def keep_cursor(self, flow: str, cursor: Any) -> None:
        self.kept[flow] = cursor


class Host:
    """Takes starts; a run id starts once."""

    def __init__(self) -> None:
        self.history, self.time, self.started = Cursors(), at("2026-03-27T10:00"), {}

    def now(self) -> float:
        return self.time

    def parameters(self, flow: Any) -> dict[str, Any]:
        return {}

    async def start(self, name: str, outputs: Any, *, run_id: str) -> tuple[str, bool]:
        new = run_id not in self.started
        self.started.setdefault(run_id, outputs)
        return run_id, new


def scheduled(kind: str) -> Any:
    recurrence = {"frequency": "Hour", "interval": 1}
    trigger = {"Every": {"type": kind, "recurrence": recurrence}}
    return flow_of({"Say": compose("now")}, trigger=trigger)


@pytest.mark.parametrize(("kind", "runs"), [("Recurrence", 2), ("SlidingWindow", 4)])
async def test_what_was_missed_is_caught_up_by_windows_only(kind: str, runs: int) -> None:
    host = Host()
    flow = scheduled(kind)
    recurrence = Recurrence.of(flow.trigger.recurrence)
    await Schedule(flow, host).start_due(recurrence)
    assert len(host.started) == 1, "without a start time the first run is at once"
    host.time += 3 * 3600 + 60
    due = await Schedule(flow, host).start_due(recurrence)
    assert len(host.started) == runs
    assert shown(due) == "2026-03-27T14:00"
    if kind == "SlidingWindow":
        assert list(host.started.values())[-1]["body"] == {
            "windowStartTime": "2026-03-27T12:00:00Z",
            "windowEndTime": "2026-03-27T13:00:00Z",
        }


async def test_a_crash_before_the_cursor_is_kept_starts_nothing_twice() -> None:
    host, flow = Host(), scheduled("SlidingWindow")
    recurrence = Recurrence.of(flow.trigger.recurrence)
    await Schedule(flow, host).start_due(recurrence)
    before = dict(host.history.kept)
    host.time += 7200
    await Schedule(flow, host).start_due(recurrence)
    started = len(host.started)
    host.history.kept = before
    await Schedule(flow, host).start_due(recurrence)
    assert len(host.started) == started == 3


async def test_a_crash_before_the_first_run_is_started_does_not_lose_it() -> None:
    host, flow = Host(), scheduled("Recurrence")
    recurrence = Recurrence.of(flow.trigger.recurrence)
    start = host.start

    async def killed(*_: Any, **__: Any) -> Any:
        raise asyncio.CancelledError

    host.start = killed  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await Schedule(flow, host).start_due(recurrence)
    host.start = start  # type: ignore[method-assign]
    host.time += 60
    for _ in range(2):
        await Schedule(flow, host).start_due(recurrence)
    assert len(host.started) == 1


async def test_a_schedule_outlives_a_database_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(schedule, "TROUBLE_SECONDS", 0.01)
    host, flow = Host(), scheduled("Recurrence")
    answers = [OSError("locked"), None]
    host.history.cursor = lambda flow: _raise(answers.pop(0))  # type: ignore[method-assign]
    following = Schedule(flow, host)
    task = asyncio.create_task(following.run())
    while not host.started:
        await asyncio.sleep(0.01)
    task.cancel()
    assert len(host.started) == 1
    assert not answers


def _raise(answer: Exception | None) -> None:
    if answer is not None:
        raise answer
