"""The evidence record: one schema for all tiers (requirements I3, L3, L5).

A record says that something happened: who, what, how it ended, how long it took. It is immutable;
stores chain records by hash, so that a change afterwards shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class Tier(StrEnum):
    """Which part of the house wrote the record."""

    FLOW = "flow"
    GATEWAY = "gateway"
    EXECUTION = "execution"
    DATA = "data"
    DATAVERSE = "dataverse"
    QUEUE = "queue"
    IDENTITY = "identity"


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that happened.

    ``time_ns`` is UTC nanoseconds since the epoch at the *start* of what is recorded,
    ``duration_ms`` how long it took (0 for a moment). ``kind`` names the event in dotted words
    (``call.received``, ``flow.action``, ``policy.refused``, ``egress.refused``, ``commit.record``).
    ``subject`` is what it happened to: an operation, flow action, policy or table.
    ``outcome`` is a word such as ``succeeded``, ``failed``, ``refused``, ``replayed``, ``skipped``;
    ``failure_type`` a value of ``FailureType`` or None. ``attempt`` counts from 1. ``parent`` names
    what caused it (a span id, or 'run/action'). ``detail`` is small and holds no secrets or
    personal content; stores bound and redact it.
    """

    time_ns: int
    tier: Tier
    kind: str
    subject: str
    correlation_id: str | None = None
    principal: str | None = None
    outcome: str = "succeeded"
    failure_type: str | None = None
    duration_ms: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    attempt: int = 1
    parent: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


class Recorder(Protocol):
    """Where a tier hands its evidence. Never blocks the caller noticeably, never raises."""

    def record(self, record: Record) -> None:
        """Take a record; it is durable after the recorder's next flush (a fraction of a second)."""
