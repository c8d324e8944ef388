"""Committing records: each change and its ledger row in one change set, exactly once (D2, S2).

The ledger row of (job, record) has a fixed id. A replay, or a second call at the same time, meets
that id and is answered 'already processed'; a lost answer is resolved by reading the ledger.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
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
)
from hybridmandate.manifest import Commit

MAX_ATTEMPTS = 6
"""How often a batch is planned anew: another writer, a bad record, a lost answer."""

_PRECONDITION_FAILED = 412


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


class Committer:
    """Commits the records of one declared commit.

    ``clock`` gives epoch seconds, ``sleep`` waits, ``new_id`` makes ids of business rows.
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
    ) -> None:
        self._name = name
        self._commit = commit
        self._tables = tables
        self._authority = authority
        self._pace = pace
        self._clock = clock
        self._sleep = sleep
        self._new_id = new_id
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
        for _ in range(MAX_ATTEMPTS):
            left = [each for each in batch if each.record not in results]
            processed = await self._processed(left, ledger)
            results |= {each.record: each for each in processed}
            left = [each for each in left if each.record not in results]
            if not left:
                return results
            changes = await self._planned(left, business)
            refused = {each.record: each for each in self._not_allowed(changes)}
            results |= refused
            wanted = [each for each in changes if each.candidate.record not in refused]
            if not wanted:
                return results
            done = await self._attempt(job, wanted, business, ledger)
            results |= {each.record: each for each in done}
            if len(results) == len(batch):
                return results
        # Whoever keeps changing these rows wins; nothing of them was written by this call.
        results |= {
            each.record: RecordResult(each.record, RecordStatus.CONFLICT, reason="row.changing")
            for each in batch
            if each.record not in results
        }
        return results

    async def _attempt(
        self,
        job: str,
        wanted: Sequence[PlannedChange],
        business: EntitySet,
        ledger: EntitySet,
    ) -> list[RecordResult]:
        """Results of one change set; none when it was undone and must be planned anew."""
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
            return self._after_failure(failed, owners, wanted)
        except Refused as refused:
            await self._wait_or_raise(refused)
            return []
        return [
            RecordResult(
                each.candidate.record,
                each.status,
                new_ids[each.candidate.record],
                before=each.before,
                after=each.after,
            )
            for each in wanted
        ]

    def _after_failure(
        self,
        failed: ChangeSetFailed,
        owners: Sequence[PlannedChange],
        wanted: Sequence[PlannedChange],
    ) -> list[RecordResult]:
        """A bad record is taken out so that the others commit; a race is planned anew."""
        if failed.status == _PRECONDITION_FAILED:
            return []
        culprit = owners[failed.position] if failed.position is not None else None
        if culprit is None and len(wanted) == 1:
            culprit = wanted[0]
        if culprit is None:
            raise Refused(
                FailureType.INTERNAL_ERROR,
                f"Dataverse undid a change set and does not say why: {failed.message}",
                reason="dataverse.refused",
            )
        reason = f"{failed.code}: {failed.message}".strip(": ")
        return [RecordResult(culprit.candidate.record, RecordStatus.REJECTED, reason=reason)]

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
