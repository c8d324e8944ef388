"""Membership in views that hold more rows than they may give: asked for the values of the file."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from test_operation import FakeCall, put

from hybridmandate.contracts import (
    Answer,
    ContractRef,
    FailureType,
    Outcome,
    Refused,
    Status,
    refusal,
)
from hybridmandate.execution.services.spreadsheets import (
    Profile,
    ProfileLibrary,
    read_profile,
    spreadsheet_operations,
)
from hybridmandate.execution.services.spreadsheets import view_rows as module
from hybridmandate.execution.services.spreadsheets.operation import NormalizeRequest

PROFILE = """
[profile]
name = "orders"
version = 1
title = "Orders"
[columns.vendor]
type = "text"
reference = { view = "vendors", column = "no", parameters = { country = "CH" } }
[columns.number]
type = "integer"
required = true
[duplicates]
key = ["number", "vendor"]
policy = "keep_first"
committed = { view = "booked", columns = ["num", "by"] }
"""
MAX_ROWS = 100


class LargeViews:
    """A data gateway whose views hold many rows and give at most a hundred."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.views: dict[str, list[dict[str, Any]]] = {
            "vendors": [{"no": f"V-{n}", "country": "CH"} for n in range(1, 3_000)],
            "booked": [{"num": n, "by": f"V-{n % 7}"} for n in range(0, 2_000, 2)],
        }

    async def view(self, name: str, parameters: Mapping[str, Any]) -> Outcome:
        values = next((len(v) for v in parameters.values() if isinstance(v, list)), 0)
        self.asked.append((name, values))
        found = [row for row in self.views[name] if _fits(row, parameters)]
        return Outcome(
            status=Status.SUCCEEDED,
            correlation_id="c",
            contract=ContractRef(operation=name, version=1),
            data={"rows": found[:MAX_ROWS], "more": len(found) > MAX_ROWS},
        )

    async def commit(self, name: str, job: str, records: Sequence[Mapping[str, Any]]) -> Outcome:
        raise AssertionError("normalising commits nothing")


def _fits(row: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:
    return all(
        row[name] in value if isinstance(value, list) else row[name] == value
        for name, value in parameters.items()
    )


def orders() -> Profile:
    return read_profile(PROFILE, source="orders.toml")


async def judged(views: Any, rows: Sequence[tuple[str, object]]) -> Answer[Any]:
    call: Any = FakeCall()
    call.data = views
    text = "vendor,number\n" + "".join(f"{vendor},{number}\n" for vendor, number in rows)
    (declared,) = spreadsheet_operations(ProfileLibrary([orders()]))
    request = NormalizeRequest(handle=await put(call, text.encode()), profile="orders")
    answer: Answer[Any] = await declared.function(request, call)
    return answer


async def test_rows_are_judged_by_the_part_of_a_large_view_that_they_name() -> None:
    views = LargeViews()
    rows = [(f"V-{n}", n) for n in range(1, 400)] + [("V-9999", 5000), ("V-6", "x"), ("V-0", 2)]
    answer = await judged(views, rows)
    codes = {(e.line, e.code) for e in answer.errors}
    # Line 402 is rejected for its number; its vendor is one of the view all the same.
    booked = {(n + 1, "duplicate.committed") for n in range(1, 400) if n % 2 == 0 and n % 7 == n}
    wanted = booked | {(401, "reference"), (402, "integer.format"), (403, "reference")}
    assert codes == wanted
    assert views.asked[0] == ("vendors", 0)
    assert all(1 <= values <= module.VALUES_A_CALL for _, values in views.asked if values)


async def test_view_that_gives_all_its_rows_is_asked_once() -> None:
    views = LargeViews()
    views.views = {"vendors": [{"no": "V-1", "country": "CH"}], "booked": []}
    answer = await judged(views, [("V-1", 1), ("V-2", 2)])
    assert [(e.line, e.code) for e in answer.errors] == [(3, "reference")]
    assert views.asked == [("vendors", 0), ("booked", 0)]


async def test_page_that_is_cut_is_asked_for_in_halves() -> None:
    views = LargeViews()
    views.views["vendors"] = views.views["vendors"][:5] * 30
    views.views["booked"] = []
    answer = await judged(views, [(f"V-{n}", n) for n in range(1, 9)])
    assert [e.line for e in answer.errors] == [7, 8, 9]
    assert [values for name, values in views.asked if name == "vendors"] == [0, 8, 4, 2, 2, 4]


async def test_one_value_with_more_rows_than_the_view_gives_is_a_typed_refusal() -> None:
    views = LargeViews()
    views.views["vendors"] = views.views["vendors"][:1] * 101
    with pytest.raises(Refused) as refused:
        await judged(views, [("V-1", 1)])
    assert refused.value.reason == "profile.view_cut"


async def test_file_with_too_many_values_is_a_typed_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from hybridmandate.execution.services.spreadsheets import operation

    monkeypatch.setattr(operation, "MAX_VALUES", 20)
    with pytest.raises(Refused) as refused:
        await judged(LargeViews(), [(f"V-{n}", n) for n in range(30)])
    assert (refused.value.type, refused.value.reason) == (
        FailureType.INTERNAL_ERROR,
        "profile.view_cut",
    )


async def test_view_that_may_not_be_filtered_by_its_column_says_so() -> None:
    class Unfiltered(LargeViews):
        async def view(self, name: str, parameters: Mapping[str, Any]) -> Outcome:
            if "no" in parameters:
                return refusal(
                    FailureType.VALIDATION_ERROR, "not by no", correlation_id="c", reason="x"
                )
            return await super().view(name, parameters)

    with pytest.raises(Refused, match="not by no") as refused:
        await judged(Unfiltered(), [("V-1", 1)])
    assert refused.value.reason == "profile.view"
