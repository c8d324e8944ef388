"""The hash chain: a change to a stored record shows, and so does a missing one.

Each writing process has a chain of its own, so writers never wait for one another. The digest of a
record is ``sha256(previous digest + canonical record)``; the canonical record is JSON with sorted
keys of every stored field, the chain's name and the sequence number, which counts from 1.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from hybridmandate.evidence.record import Record
from hybridmandate.evidence.redaction import (
    bounded_detail,
    canonical_json,
    redacted_text,
    well_formed,
)

GENESIS = "0" * 64
"""The previous digest of the first record of a chain."""

FIELDS = (
    "chain",
    "sequence",
    "time_ns",
    "tier",
    "kind",
    "correlation_id",
    "principal",
    "subject",
    "outcome",
    "failure_type",
    "duration_ms",
    "bytes_in",
    "bytes_out",
    "attempt",
    "parent",
    "detail",
)


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as it stands in a chain; ``detail`` is its canonical JSON text."""

    chain: str
    sequence: int
    time_ns: int
    tier: str
    kind: str
    correlation_id: str | None
    principal: str | None
    subject: str
    outcome: str
    failure_type: str | None
    duration_ms: float
    bytes_in: int
    bytes_out: int
    attempt: int
    parent: str | None
    detail: str
    previous_digest: str
    digest: str


def digest_of(fields: dict[str, object], previous_digest: str) -> str:
    """Lower-case hex digest of a record's fields (see ``FIELDS``) after ``previous_digest``."""
    return hashlib.sha256((previous_digest + canonical_json(fields)).encode()).hexdigest()


def expected_digest(stored: StoredRecord) -> str:
    """The digest that the record must have, given what it says and what it follows."""
    return digest_of({name: getattr(stored, name) for name in FIELDS}, stored.previous_digest)


class Chain:
    """One process's chain while it grows; not safe for use from several threads."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sequence = 0
        self.head = GENESIS

    def append(self, record: Record) -> StoredRecord:
        """The record as the next of the chain, bounded and redacted."""
        fields: dict[str, object] = {
            "chain": self.name,
            "sequence": self.sequence + 1,
            "time_ns": int(record.time_ns),
            "tier": str(record.tier),
            "kind": _text(record.kind),
            "correlation_id": _optional(record.correlation_id),
            "principal": _optional(record.principal),
            "subject": _text(record.subject),
            "outcome": _text(record.outcome),
            "failure_type": _optional(record.failure_type),
            "duration_ms": round(float(record.duration_ms), 3),
            "bytes_in": int(record.bytes_in),
            "bytes_out": int(record.bytes_out),
            "attempt": int(record.attempt),
            "parent": _optional(record.parent),
            "detail": bounded_detail(record.detail),
        }
        digest = digest_of(fields, self.head)
        stored = StoredRecord(**fields, previous_digest=self.head, digest=digest)  # type: ignore[arg-type]
        self.sequence += 1
        self.head = digest
        return stored

    def mark(self) -> tuple[int, str]:
        """Where the chain is, for :meth:`back_to` when what follows could not be stored."""
        return self.sequence, self.head

    def back_to(self, mark: tuple[int, str]) -> None:
        """Forget what was appended since the mark."""
        self.sequence, self.head = mark


def _text(value: object) -> str:
    return redacted_text(well_formed(str(value)))


def _optional(value: object | None) -> str | None:
    return None if value is None else _text(value)
