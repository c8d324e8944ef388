"""Records for tests, with only what a test is about."""

from __future__ import annotations

from typing import Any

from hybridmandate.evidence.record import Record, Tier

START_NS = 1_790_000_000_000_000_000


def record(
    kind: str = "call.finished", at_ms: float = 0.0, tier: str = "execution", **fields: Any
) -> Record:
    fields.setdefault("subject", "spreadsheets.normalize/1")
    fields.setdefault("correlation_id", "corr-0001")
    return Record(time_ns=START_NS + round(at_ms * 1e6), tier=Tier(tier), kind=kind, **fields)
