"""The rows of the views that a profile names: all of them, or those that a file asks for.

A view gives at most so many rows (`max_rows` of the manifest). Of a larger one only the rows are
fetched whose values stand in the file, some values a call, so that what is held in memory follows
from the file and stays within :data:`MAX_VALUES`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from hybridmandate.contracts import Call, FailureType, Outcome, Refused
from hybridmandate.execution.services.spreadsheets.profile import Profile

VALUES_A_CALL = 50
"""Values of one call: as many as a query of Dataverse can hold when each is long."""
MAX_VALUES = 5_000
"""Different values of a file that are looked up in one view."""

ValuesInFile = Callable[[str], Awaitable[Sequence[Any] | None]]
"""The different values of a column in the whole file; None for more than :data:`MAX_VALUES`."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """A column of a view that is held against a column of the file."""

    view_column: str
    column: str


def without_views(profile: Profile) -> Profile:
    """The same columns, without anything that needs a view or looks at more than a cell."""
    plain = profile.model_dump(exclude={"duplicates", "rules", "file_rules"})
    for column in plain["columns"].values():
        column["reference"] = None
    return Profile.model_validate(plain)


async def view_rows(
    call: Call, profile: Profile, values_in_file: ValuesInFile
) -> dict[str, pl.DataFrame]:
    """The rows that decide on membership, by view.

    :raises Refused: as the data gateway does; ``profile.view`` when a view gives no rows,
        ``profile.view_cut`` when it has more than can be held against the file.
    """
    found = {}
    for view, parameters in profile.views().items():
        rows, more = _rows(view, await call.data.view(view, parameters))
        if more:
            pages = _Pages(call, view, parameters)
            rows = [
                row
                for lookup in dict.fromkeys(_lookups(profile, view))
                for row in await pages.rows(lookup, await values_in_file(lookup.column))
            ]
        found[view] = _frame(profile, view, rows)
    return found


def _frame(profile: Profile, view: str, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    if rows:
        return pl.DataFrame(rows, infer_schema_length=None)
    # A view without rows still has the columns that the profile looks at.
    return pl.DataFrame(schema=dict.fromkeys(_view_columns(profile, view), pl.String))


def _lookups(profile: Profile, view: str) -> Iterator[Lookup]:
    for name, column in profile.columns.items():
        if column.reference is not None and column.reference.view == view:
            yield Lookup(column.reference.column, name)
    committed = _committed(profile, view)
    if profile.duplicates is not None and committed:
        yield Lookup(committed[0], profile.duplicates.key[0])


def _view_columns(profile: Profile, view: str) -> list[str]:
    looked_up = [lookup.view_column for lookup in _lookups(profile, view)]
    return [*looked_up, *_committed(profile, view)]


def _committed(profile: Profile, view: str) -> tuple[str, ...]:
    """The columns of the view that show what was committed; none when it shows something else."""
    committed = profile.duplicates.committed if profile.duplicates else None
    return committed.columns if committed is not None and committed.view == view else ()


@dataclass(frozen=True, slots=True)
class _Pages:
    """A view that is asked for some values at a time."""

    call: Call
    view: str
    parameters: Mapping[str, Any]

    async def rows(self, lookup: Lookup, values: Sequence[Any] | None) -> list[dict[str, Any]]:
        """The rows in which the column of the view has one of the values."""
        if values is None or lookup.view_column in self.parameters:
            raise _cut(self.view)
        found: list[dict[str, Any]] = []
        for start in range(0, len(values), VALUES_A_CALL):
            found += await self._page(lookup, values[start : start + VALUES_A_CALL])
        return found

    async def _page(self, lookup: Lookup, values: Sequence[Any]) -> list[dict[str, Any]]:
        asked = {**self.parameters, lookup.view_column: list(values)}
        rows, more = _rows(self.view, await self.call.data.view(self.view, asked))
        if not more:
            return rows
        if len(values) == 1:
            raise _cut(self.view)
        half = len(values) // 2
        return [
            *await self._page(lookup, values[:half]),
            *await self._page(lookup, values[half:]),
        ]


def _rows(view: str, outcome: Outcome) -> tuple[list[dict[str, Any]], bool]:
    """The rows of an answer, and whether the view has more."""
    data = outcome.data if isinstance(outcome.data, dict) else {"rows": outcome.data}
    rows = data.get("rows")
    if outcome.failure is not None or not isinstance(rows, list):
        raise Refused(
            FailureType.INTERNAL_ERROR,
            f"the view '{view}' that the profile names gave no rows"
            + ("" if outcome.failure is None else f": {outcome.failure.message}"),
            reason="profile.view",
        )
    return rows, bool(data.get("more"))


def _cut(view: str) -> Refused:
    return Refused(
        FailureType.INTERNAL_ERROR,
        f"the view '{view}' has more rows than it may give, and so has the file different values: "
        "it cannot decide on membership",
        reason="profile.view_cut",
    )
