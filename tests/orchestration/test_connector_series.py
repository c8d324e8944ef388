"""Recurring events: on which days a series takes place, and how flows make and read it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from office_kit import MAILBOX, Office
from office_kit import office as served

from hybridmandate.twin.office.series import MAX_DAYS, PatternUnknown, SeriesInvalid, series

OUTLOOK = "shared_office365"
BERLIN = ZoneInfo("Europe/Berlin")
END_OF_TIME = datetime(4000, 1, 1, tzinfo=UTC).timestamp()


@pytest.fixture(name="office")
def _office(tmp_path: Path) -> Iterator[Office]:
    with served(tmp_path) as started:
        yield started


def days(pattern: dict[str, Any], first: str, **reach: Any) -> list[str]:
    """The first days of a series that begins at nine in Berlin."""
    begin = datetime.fromisoformat(f"{first}T09:00").replace(tzinfo=BERLIN)
    whole = {"pattern": {"interval": 1, **pattern}, "range": {"type": "noEnd", **reach}}
    found = series(whole, begin, BERLIN).starts(END_OF_TIME)
    return [day.isoformat() for day, _ in islice(found, 4)]


PATTERNS: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"type": "daily", "interval": 3}, "2026-02-27", ["02-27", "03-02", "03-05", "03-08"]),
    ({"type": "weekly", "daysOfWeek": ["monday", "Friday"]}, "2026-01-02",
     ["01-02", "01-05", "01-09", "01-12"]),
    # Weeks begin on Sunday: Sunday, 4 January belongs to the week after Friday, 2 January.
    ({"type": "weekly", "interval": 2, "daysOfWeek": ["friday", "sunday"]}, "2026-01-02",
     ["01-02", "01-11", "01-16", "01-25"]),
    ({"type": "weekly", "interval": 2, "daysOfWeek": ["friday", "sunday"],
      "firstDayOfWeek": "monday"}, "2026-01-02", ["01-02", "01-04", "01-16", "01-18"]),
    ({"type": "absoluteMonthly", "dayOfMonth": 31}, "2026-01-31",
     ["01-31", "02-28", "03-31", "04-30"]),
    ({"type": "absoluteMonthly", "dayOfMonth": 5, "interval": 4}, "2026-01-31",
     ["05-05", "09-05"]),
    ({"type": "absoluteYearly", "month": 2, "dayOfMonth": 29}, "2026-03-01", []),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "first", "expected"), PATTERNS)
def test_a_series_takes_place_on_the_days_of_its_pattern(
    pattern: dict[str, Any], first: str, expected: list[str]
) -> None:
    shown = days(pattern, first, type="endDate", endDate="2026-12-31")
    assert shown == [f"2026-{each}" for each in expected]


def test_a_year_without_the_day_has_the_last_of_the_month() -> None:
    leap = {"type": "absoluteYearly", "month": 2, "dayOfMonth": 29}
    assert days(leap, "2026-03-01") == ["2027-02-28", "2028-02-29", "2029-02-28", "2030-02-28"]


def test_a_series_ends_by_number_or_by_date_and_is_always_bounded() -> None:
    assert len(days({"type": "daily"}, "2026-01-01", type="numbered", numberOfOccurrences=2)) == 2
    ended = days({"type": "daily"}, "2026-01-01", type="endDate", endDate="2026-01-03")
    assert ended[-1] == "2026-01-03"
    whole = {"pattern": {"type": "daily", "interval": 1}, "range": {"type": "noEnd"}}
    endless = series(whole, datetime(2026, 1, 1, 9, tzinfo=UTC), BERLIN)
    assert sum(1 for _ in endless.starts(END_OF_TIME)) == MAX_DAYS
    far = {"pattern": {"type": "daily", "interval": 999},
           "range": {"type": "noEnd", "startDate": "4400-01-01"}}  # fmt: skip
    assert sum(1 for _ in series(far, datetime(2026, 1, 1, tzinfo=UTC), BERLIN).starts(9e18)) > 9


WEEKLY = {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"]}
INVALID: list[dict[str, Any]] = [
    {},
    {"pattern": WEEKLY},
    {"pattern": [], "range": {"type": "noEnd"}},
    {"pattern": WEEKLY, "range": {"type": "sometimes"}},
    {"pattern": {**WEEKLY, "type": "hourly"}, "range": {"type": "noEnd"}},
    {"pattern": {**WEEKLY, "interval": 0}, "range": {"type": "noEnd"}},
    {"pattern": {**WEEKLY, "interval": True}, "range": {"type": "noEnd"}},
    {"pattern": {**WEEKLY, "daysOfWeek": []}, "range": {"type": "noEnd"}},
    {"pattern": {**WEEKLY, "daysOfWeek": ["moonday"]}, "range": {"type": "noEnd"}},
    {"pattern": {**WEEKLY, "firstDayOfWeek": "x"}, "range": {"type": "noEnd"}},
    {"pattern": WEEKLY, "range": {"type": "endDate", "endDate": "soon"}},
    {"pattern": WEEKLY, "range": {"type": "noEnd", "startDate": "0001-01-01"}},
    {"pattern": WEEKLY, "range": {"type": "numbered", "numberOfOccurrences": 1000}},
    {"pattern": {"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 32},
     "range": {"type": "noEnd"}},
]  # fmt: skip


@pytest.mark.parametrize("recurrence", INVALID)
def test_a_recurrence_that_cannot_be_read_is_refused(recurrence: dict[str, Any]) -> None:
    with pytest.raises(SeriesInvalid):
        series(recurrence, datetime(2026, 1, 1, tzinfo=UTC), BERLIN)


def test_a_pattern_that_is_not_here_is_told() -> None:
    relative = {"pattern": {"type": "relativeMonthly", "interval": 1}, "range": {"type": "noEnd"}}
    with pytest.raises(PatternUnknown):
        series(relative, datetime(2026, 1, 1, tzinfo=UTC), BERLIN)


async def outlook(office: Office, operation: str, **parameters: Any) -> Any:
    given = {name.replace("__", "/"): value for name, value in parameters.items()}
    return await office.call(OUTLOOK, operation, given, sender=MAILBOX)


async def starts(office: Office, first: str, last: str) -> list[str]:
    span = {"startDateTimeUtc": first, "endDateTimeUtc": last}
    seen = await outlook(office, "GetEventsCalendarViewV3", calendarId="Calendar", **span)
    assert seen.status == 200, seen.body
    return [each["start"][:16] for each in seen.body["value"]]


async def test_a_flow_makes_reads_and_changes_a_series(office: Office) -> None:
    await outlook(
        office, "V4CalendarPostItem", table="Calendar", item__subject="Once",
        item__start="2026-03-25T12:00:00", item__end="2026-03-25T13:00:00",
    )  # fmt: skip
    weekly = {
        "item__subject": "Close", "item__start": "2026-03-23T09:00:00",
        "item__end": "2026-03-23T10:00:00", "item__timeZone": "W. Europe Standard Time",
        "item__recurrence": "weekly", "item__selectedDaysOfWeek": ["monday"],
        "item__numberOfOccurences": 3,
    }  # fmt: skip
    for _ in range(2):
        made = await outlook(office, "V4CalendarPostItem", table="Calendar", **weekly)
    assert (made.body["recurrence"], made.body["numberOfOccurences"]) == ("weekly", 3)
    # The clocks of Berlin change on 29 March: nine o'clock there is eight, then seven in UTC.
    view = await starts(office, "2026-03-01T00:00:00", "2026-05-01T00:00:00")
    assert view == ["2026-03-23T08:00", "2026-03-25T12:00", "2026-03-30T07:00", "2026-04-06T07:00"]
    assert await starts(office, "2026-03-30T07:30:00", "2026-03-30T07:45:00") == view[2:3]
    listed = await outlook(office, "V4CalendarGetItems", table="Calendar")
    assert [each["recurrence"] for each in listed.body["value"]] == ["weekly", "none"]
    own = {"table": "Calendar", "id": f"{made.body['id']}.20260330"}
    one = await outlook(office, "V3CalendarGetItem", **own)
    assert (one.body["start"][:16], one.body["seriesMasterId"]) == (view[2], made.body["id"])
    missing = await outlook(office, "V3CalendarGetItem", **{**own, "id": f"{made.body['id']}.2"})
    assert missing.status == 404
    deletion = await outlook(office, "CalendarDeleteItem_V2", calendar="Calendar", event=own["id"])
    assert (deletion.fault, "one event of a series" in deletion.message) == ("refused", True)
    series_id = {"table": "Calendar", "id": made.body["id"]}
    renamed = await outlook(office, "V4CalendarPatchItem", **series_id, item__subject="Closing")
    assert (renamed.body["recurrence"], renamed.body["subject"]) == ("weekly", "Closing")
    await outlook(office, "V4CalendarPatchItem", **series_id, item__recurrence="none")
    assert len(await starts(office, "2026-03-01T00:00:00", "2026-05-01T00:00:00")) == 2
    event = {"subject": "x", "start": {"dateTime": "2026-01-01T00:00"},
             "end": {"dateTime": "2026-01-01T01:00"}}  # fmt: skip
    ada = "ada@contoso.example"
    nowhere = {"type": "noEnd", "recurrenceTimeZone": "Nowhere"}
    relative = {"type": "relativeYearly", "interval": 1}
    refused: list[tuple[Any, int]] = [
        ("weekly", 400),
        ({"range": {}}, 400),
        ({"pattern": WEEKLY, "range": nowhere}, 400),
        ({"pattern": relative, "range": {"type": "noEnd"}}, 501),
    ]
    for bad, status in refused:
        body = {**event, "recurrence": bad}
        answer = office.person(
            ada, "POST", f"/v1.0/users/{ada}/calendars/calendar/events", json=body
        )
        assert answer.status_code == status, bad
