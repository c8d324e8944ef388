"""Committing records: each change and its ledger row in one change set, exactly once (D2, S2).

The ledger row of (job, record) has a fixed id. A replay, or a second call at the same time, meets
that id and is answered 'already processed'; a lost answer is resolved by reading the ledger.

A change set that Dataverse undoes never costs a good record: the record that it names is taken
out; when it names none, or when other writers keep getting in between, the batch is halved until
the record stands alone. (The Dataverse guide to batch operations does not show the answer to a
change set that fails, so a Content-ID in it is used, but not relied on.)
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from hybridmandate.contracts import FailureType, Refused
from hybridmandate.governance.data.planner import (
    Candidate,
    PlannedChange,
    RecordStatus,
    batches,
    normal_key,
    plan_change,
)
from hybridmandate.governance.data.tables import (
    Change,
    ChangeSetFailed,
    DataverseTables,
    EntitySet,
    ValuesRefused,
)
from hybridmandate.manifest import Commit

MAX_RACES = 6
"""How often the same records are planned anew because another writer was faster."""

_RACES = frozenset({404, 412})
"""The row or its ledger row is there already or has another version (412), or is gone (404)."""


@dataclass(frozen=True, slots=True)
class RecordResult:
    """What became of one record; ``row_id`` is the row's id where it is known."""

    record: str
    status: RecordStatus
    row_id: str | None = None
    reason: str | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Authority:
    """Who commits, for the ledger: the caller's principal and the transaction."""

    principal: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Pace:
    """``batch`` records a change set (two writes each); ``patience`` seconds to wait for limits."""

    batch: int = 100
    patience: float = 20.0


@dataclass(frozen=True, slots=True)
class _Group:
    """Candidates that go into one change set, and how many races they have lost."""

    candidates: Sequence[Candidate]
    races: int = 0

    def halves(self) -> tuple[_Group, _Group]:
        """Two groups in the same order; their races count anew."""
        middle = len(self.candidates) // 2
        return _Group(self.candidates[:middle]), _Group(self.candidates[middle:])


@dataclass(frozen=True, slots=True)
class _Step:
    """What one change set brought: results, and the groups that are still to be done."""

    results: Sequence[RecordResult] = ()
    left: Sequence[_Group] = ()


class Committer:
    """Commits the records of one declared commit.

    ``clock`` gives epoch seconds, ``sleep`` waits, ``new_id`` makes ids of business rows.
    ``settled`` is told each result as soon as it stands, also when the call breaks off later.
    """

    def __init__(
        self,
        name: str,
        commit: Commit,
        tables: DataverseTables,
        authority: Authority,
        *,
        pace: Pace,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        new_id: Callable[[], str],
        settled: Callable[[RecordResult], None],
    ) -> None:
        self._name = name
        self._commit = commit
        self._tables = tables
        self._authority = authority
        self._pace = pace
        self._clock = clock
        self._sleep = sleep
        self._new_id = new_id
        self._settled = settled
        self._deadline = clock() + pace.patience

    async def commit(self, job: str, planned: Sequence[Candidate]) -> list[RecordResult]:
        """Commit all candidates; one result each, in the same order.

        :raises Refused: ``throttled`` or ``downstream_unavailable`` when Dataverse does not let it
            finish in time; whatever was committed stays, and a replay goes on from there.
        """
        business = await self._patiently(lambda: self._tables.describe(self._commit.table))
        ledger = await self._patiently(lambda: self._tables.describe(self._commit.ledger))
        results: dict[str, RecordResult] = {}
        for batch in batches(planned, self._pace.batch):
            results |= await self._batch(job, batch, business, ledger)
        return [results[each.record] for each in planned]

    async def _batch(
        self, job: str, batch: Sequence[Candidate], business: EntitySet, ledger: EntitySet
    ) -> dict[str, RecordResult]:
        results: dict[str, RecordResult] = {}
        groups = deque([_Group(batch)])
        while groups:
            step = await self._step(job, groups.popleft(), business, ledger)
            for each in step.results:
                results[each.record] = each
                self._settled(each)
            groups.extendleft(each for each in reversed(step.left) if each.candidates)
        return results

    async def _step(self, job: str, group: _Group, business: EntitySet, ledger: EntitySet) -> _Step:
        """Look, plan, and send one change set for what is left of a group."""
        known = await self._processed(group.candidates, ledger)
        left = _without(group.candidates, known)
        if not left:
            return _Step(known)
        try:
            changes = await self._planned(left, business)
        except ValuesRefused as unusable:
            step = _fault_of_one(f"key.value: {unusable}", replace(group, candidates=left))
            return _Step([*known, *step.results], step.left)
        known += self._not_allowed(changes)
        refused = {each.record for each in known}
        wanted = [each for each in changes if each.candidate.record not in refused]
        if not wanted:
            return _Step(known)
        group = replace(group, candidates=_without(left, known))
        step = await self._attempt(job, group, wanted, business, ledger)
        return _Step([*known, *step.results], step.left)

    async def _attempt(
        self,
        job: str,
        group: _Group,
        wanted: Sequence[PlannedChange],
        business: EntitySet,
        ledger: EntitySet,
    ) -> _Step:
        new_ids = {each.candidate.record: each.row_id or self._new_id() for each in wanted}
        writes: list[Change] = []
        owners: list[PlannedChange] = []
        for each in wanted:
            row_id = new_ids[each.candidate.record]
            if each.status is not RecordStatus.ALREADY_COMPLIANT:
                writes.append(Change(business, row_id, dict(each.after), each.etag))
                owners.append(each)
            writes.append(self._ledger_row(job, each, row_id, ledger))
            owners.append(each)
        try:
            await self._tables.change(writes)
        except ChangeSetFailed as failed:
            return _after_failure(failed, owners, group)
        except Refused as refused:
            await self._wait_or_raise(refused)
            return _Step(left=[group])
        return _Step(
            [
                RecordResult(
                    each.candidate.record,
                    each.status,
                    new_ids[each.candidate.record],
                    before=each.before,
                    after=each.after,
                )
                for each in wanted
            ]
        )

    async def _processed(self, left: Sequence[Candidate], ledger: EntitySet) -> list[RecordResult]:
        by_id = {each.ledger_id: each.record for each in left}
        rows = await self._patiently(
            lambda: self._tables.rows_by_id(ledger, list(by_id), ("hm_status", "hm_rowid"))
        )
        return [
            RecordResult(
                by_id[str(row[ledger.primary_id])],
                RecordStatus.ALREADY_PROCESSED,
                row.get("hm_rowid"),
                reason=row.get("hm_status"),
            )
            for row in rows
        ]

    async def _planned(self, left: Sequence[Candidate], business: EntitySet) -> list[PlannedChange]:
        keys = [{name: each.values[name] for name in self._commit.key} for each in left]
        rows = await self._patiently(
            lambda: self._tables.rows_by_key(business, keys, self._commit.columns)
        )
        by_key = {normal_key(row, self._commit): row for row in rows}
        return [plan_change(each, by_key.get(each.key), business.primary_id) for each in left]

    def _not_allowed(self, changes: Sequence[PlannedChange]) -> list[RecordResult]:
        actions = {RecordStatus.CREATED: "create", RecordStatus.UPDATED: "update"}
        return [
            RecordResult(
                each.candidate.record,
                RecordStatus.REJECTED,
                each.row_id,
                reason=f"commit.action: this commit may not {actions[each.status]}",
            )
            for each in changes
            if each.status in actions and actions[each.status] not in self._commit.actions
        ]

    def _ledger_row(
        self, job: str, change: PlannedChange, row_id: str, ledger: EntitySet
    ) -> Change:
        values = {
            "hm_job": job,
            "hm_record": change.candidate.record,
            "hm_commit": self._name,
            "hm_table": self._commit.table,
            "hm_rowid": row_id,
            "hm_status": str(change.status),
            "hm_before": json.dumps(change.before, ensure_ascii=False, sort_keys=True),
            "hm_after": json.dumps(change.after, ensure_ascii=False, sort_keys=True),
            "hm_correlationid": self._authority.correlation_id,
            "hm_principal": self._authority.principal,
            "hm_committedon": datetime.fromtimestamp(self._clock(), UTC).isoformat(),
        }
        return Change(ledger, change.candidate.ledger_id, values, None)

    async def _patiently(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        while True:
            try:
                return await ask()
            except Refused as refused:
                await self._wait_or_raise(refused)

    async def _wait_or_raise(self, refused: Refused) -> None:
        """Wait as long as Dataverse says, never less, when there is time for it."""
        if refused.type not in (FailureType.THROTTLED, FailureType.DOWNSTREAM_UNAVAILABLE):
            raise refused
        wait = float(refused.retry_after_seconds or 1)
        if self._clock() + wait > self._deadline:
            raise refused
        await self._sleep(wait)


def _after_failure(
    failed: ChangeSetFailed, owners: Sequence[PlannedChange], group: _Group
) -> _Step:
    """What is left of a group whose change set was undone. Each way makes the work smaller."""
    if failed.status in _RACES:
        return _after_race(group)
    reason = f"{failed.code}: {failed.message}".strip(": ")
    if failed.position is not None:
        return _rejected(owners[failed.position].candidate, reason, group)
    return _fault_of_one(reason, group)


def _fault_of_one(reason: str, group: _Group) -> _Step:
    """Some record of the group is at fault: reject it when it stands alone, else halve."""
    if len(group.candidates) == 1:
        return _rejected(group.candidates[0], reason, group)
    return _Step(left=group.halves())


def _after_race(group: _Group) -> _Step:
    """Plan anew; when that does not help, find the rows that somebody keeps changing."""
    if group.races + 1 < MAX_RACES:
        return _Step(left=[replace(group, races=group.races + 1)])
    if len(group.candidates) > 1:
        return _Step(left=group.halves())
    record = group.candidates[0].record
    return _Step([RecordResult(record, RecordStatus.CONFLICT, reason="row.changing")])


def _rejected(candidate: Candidate, reason: str, group: _Group) -> _Step:
    result = RecordResult(candidate.record, RecordStatus.REJECTED, reason=reason)
    return _Step([result], [replace(group, candidates=_without(group.candidates, [result]))])


def _without(candidates: Sequence[Candidate], settled: Sequence[RecordResult]) -> list[Candidate]:
    records = {each.record for each in settled}
    return [each for each in candidates if each.record not in records]
