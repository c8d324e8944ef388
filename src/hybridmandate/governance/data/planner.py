"""Planning a commit: pure, the same candidates give the same batches (requirement S2).

For each record: what stands in the table, what shall stand there, which columns differ. A batch is
cut by size from the records in the order of their identity, so that a replay plans the same.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hybridmandate.contracts import RowError
from hybridmandate.governance.data.requests import CommitRecord
from hybridmandate.manifest import Commit

LEDGER_SPACE = uuid.UUID("5c1f2a44-7d0e-4b43-9d62-3b7a8c0e9f10")
"""Namespace of ledger ids: the id of a record's ledger row is uuid5(this, job and record)."""

Key = tuple[Any, ...]
Row = Mapping[str, Any]


class RecordStatus(StrEnum):
    """What became of a record (requirement S2)."""

    CREATED = "created"
    UPDATED = "updated"
    ALREADY_COMPLIANT = "alreadyCompliant"
    ALREADY_PROCESSED = "alreadyProcessed"
    CONFLICT = "conflict"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A record that may be committed, with the key of its row and the id of its ledger row."""

    record: str
    key: Key
    values: Mapping[str, Any]
    ledger_id: str


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """What a record needs: ``status`` created, updated or alreadyCompliant.

    ``before`` and ``after`` hold the columns that change; ``row_id`` and ``etag`` the row that was
    read, None for a new one.
    """

    candidate: Candidate
    status: RecordStatus
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    row_id: str | None
    etag: str | None


def ledger_id(job: str, record: str) -> str:
    """The id of the ledger row of a record of a job: the same in every replay."""
    return str(uuid.uuid5(LEDGER_SPACE, f"{job}\x00{record}"))


def violations(records: Sequence[CommitRecord], commit: Commit) -> Iterator[RowError]:
    """Everything in the records that the commit does not declare, and identities sent twice.

    Codes beginning with ``commit.`` mean something that is not allowed at all; the others content.
    """
    seen: dict[str, int] = {}
    keys: dict[Key, int] = {}
    for position, each in enumerate(records):
        place = f"/records/{position}"
        for name in each.values:
            if name not in commit.columns:
                yield RowError(
                    code="commit.column",
                    message=f"column '{name}' is not declared for this commit",
                    record=each.record,
                    field=f"{place}/values/{name}",
                )
        for name in commit.key:
            if each.values.get(name) in (None, ""):
                yield RowError(
                    code="key.missing",
                    message=f"the key column '{name}' must be filled",
                    record=each.record,
                    field=f"{place}/values/{name}",
                )
        yield from _repeated(each, position, seen, keys, commit)


def _repeated(
    record: CommitRecord,
    position: int,
    seen: dict[str, int],
    keys: dict[Key, int],
    commit: Commit,
) -> Iterator[RowError]:
    first = seen.setdefault(record.record, position)
    if first != position:
        yield RowError(
            code="record.repeated",
            message=f"the record stands at {first} already",
            record=record.record,
            field=f"/records/{position}/record",
        )
    key = normal_key(record.values, commit)
    first = keys.setdefault(key, position)
    if first != position and None not in key:
        yield RowError(
            code="key.repeated",
            message=f"the record at {first} has the same key",
            record=record.record,
            field=f"/records/{position}/values",
        )


def candidates(job: str, records: Iterable[CommitRecord], commit: Commit) -> list[Candidate]:
    """The records as candidates, in the order of their identity."""
    return [
        Candidate(each.record, normal_key(each.values, commit), each.values,
                  ledger_id(job, each.record))
        for each in sorted(records, key=lambda r: r.record)
    ]  # fmt: skip


def normal_key(values: Mapping[str, Any], commit: Commit) -> Key:
    """The key's values as Dataverse compares them: texts without case."""
    return tuple(_normal(values.get(name)) for name in commit.key)


def batches(planned: Sequence[Candidate], size: int) -> list[list[Candidate]]:
    """The candidates cut by size."""
    return [list(planned[start : start + size]) for start in range(0, len(planned), size)]


def plan_change(candidate: Candidate, row: Row | None, primary_id: str) -> PlannedChange:
    """What a candidate needs, given the row that stands in the table."""
    if row is None:
        return PlannedChange(
            candidate, RecordStatus.CREATED, {}, dict(candidate.values), None, None
        )
    changed = {
        name: value for name, value in candidate.values.items() if not _equal(row.get(name), value)
    }
    status = RecordStatus.UPDATED if changed else RecordStatus.ALREADY_COMPLIANT
    return PlannedChange(
        candidate=candidate,
        status=status,
        before={name: row.get(name) for name in changed},
        after=changed,
        row_id=str(row[primary_id]),
        etag=row.get("@odata.etag"),
    )


def _normal(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _equal(stored: Any, wanted: Any) -> bool:
    """Whether a stored value says what is wanted; an empty text and null are the same."""
    if wanted in ("", None) or stored in ("", None):
        return stored in ("", None) and wanted in ("", None)
    if isinstance(stored, str) and isinstance(wanted, str):
        # A stored date-time begins with the date that was wanted.
        return stored == wanted or (len(wanted) == 10 and stored.startswith(f"{wanted}T"))
    if isinstance(stored, bool) or isinstance(wanted, bool):
        return stored is wanted
    return bool(stored == wanted)
