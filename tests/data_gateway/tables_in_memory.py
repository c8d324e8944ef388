"""Dataverse as the data gateway sees it, in memory, with faults in an order that a test chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from hybridmandate.contracts import FailureType, Refused
from hybridmandate.governance.data.tables import Change, ChangeSetFailed, EntitySet

BUSINESS = EntitySet("hm_invoice", "hm_invoices", "hm_invoiceid")
LEDGER = EntitySet("hm_jobrecord", "hm_jobrecords", "hm_jobrecordid")
BAD = "EURO"
"""A currency that Dataverse refuses: longer than its column."""


class Fault(StrEnum):
    """What happens to one change set."""

    NONE = "none"
    LOST_ANSWER = "done, but the answer is lost"
    UNREACHED = "not done, no answer"
    THROTTLED = "not done, refused for a limit"
    RACED = "another writer changes every row first"


class TablesInMemory:
    """Rows by table and id. ``names_the_change`` says whether errors carry a Content-ID."""

    def __init__(self, faults: Sequence[Fault] = (), *, names_the_change: bool = True) -> None:
        self.rows: dict[str, dict[str, dict[str, Any]]] = {"hm_invoices": {}, "hm_jobrecords": {}}
        self.sizes: list[int] = []
        self._faults = list(faults)
        self._names = names_the_change
        self._version = 0

    async def describe(self, table: str) -> EntitySet:
        return {each.logical_name: each for each in (BUSINESS, LEDGER)}[table]

    async def rows_by_key(
        self, entity: EntitySet, keys: Sequence[Mapping[str, Any]], select: Sequence[str]
    ) -> list[dict[str, Any]]:
        wanted = {_key(each) for each in keys}
        return [dict(row) for row in self.rows[entity.name].values() if _key(row) in wanted]

    async def rows_by_id(
        self, entity: EntitySet, ids: Sequence[str], select: Sequence[str]
    ) -> list[dict[str, Any]]:
        found = self.rows[entity.name]
        return [dict(found[each]) for each in ids if each in found]

    async def rows_where(
        self, entity: EntitySet, equal: Mapping[str, Sequence[Any]], select: Sequence[str], top: int
    ) -> list[dict[str, Any]]:
        raise AssertionError("a commit reads by key and id only")

    async def change(self, changes: Sequence[Change]) -> None:
        self.sizes.append(len(changes))
        fault = self._faults.pop(0) if self._faults else Fault.NONE
        if fault is Fault.UNREACHED:
            raise Refused(FailureType.DOWNSTREAM_UNAVAILABLE, "no answer")
        if fault is Fault.THROTTLED:
            raise Refused(FailureType.THROTTLED, "limit", retry_after_seconds=2)
        if fault is Fault.RACED:
            self._race()
        self._do(changes)
        if fault is Fault.LOST_ANSWER:
            raise Refused(FailureType.DOWNSTREAM_UNAVAILABLE, "no answer")

    def _race(self) -> None:
        for row in self.rows["hm_invoices"].values():
            row["@odata.etag"] = self._etag()
            row["hm_description"] = f"another writer {self._version}"

    def _do(self, changes: Sequence[Change]) -> None:
        before = {name: {i: dict(r) for i, r in rows.items()} for name, rows in self.rows.items()}
        for position, each in enumerate(changes):
            try:
                self._one(each)
            except ChangeSetFailed as failed:
                self.rows = before
                failed.position = position if self._names else None
                raise

    def _one(self, change: Change) -> None:
        rows = self.rows[change.entity.name]
        row = rows.get(change.row_id)
        if change.etag is not None and row is None:
            raise ChangeSetFailed(None, 404, "0x80040217", "there is no such row")
        if row is not None and row["@odata.etag"] != change.etag:
            raise ChangeSetFailed(None, 412, "0x80060882", "the version is stale")
        if change.values.get("hm_currency") == BAD:
            raise ChangeSetFailed(None, 400, "0x80044331", "hm_currency is too long")
        made = {
            **(row or {change.entity.primary_id: change.row_id}),
            **change.values,
            "@odata.etag": self._etag(),
        }
        if change.entity is BUSINESS and any(
            _key(other) == _key(made) for i, other in rows.items() if i != change.row_id
        ):
            raise ChangeSetFailed(None, 412, "0x80040237", "the key is taken")
        rows[change.row_id] = made

    def _etag(self) -> str:
        self._version += 1
        return f'W/"{self._version}"'


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name].casefold() for name in ("hm_vendornumber", "hm_invoicenumber"))
