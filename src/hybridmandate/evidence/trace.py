"""One transaction, as its records tell it: a timeline across tiers (requirements L1, L5, X1).

Pure: records in, a trace out. It knows the kinds of today's tiers where an answer depends on them
and takes every other kind as it is: a step with a time, a tier and an outcome.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from hybridmandate.evidence.chain import StoredRecord

FAILED_OUTCOMES = frozenset({"failed", "refused", "rejected", "denied", "timedOut", "error"})
_NAMES_OF_ITSELF = ("id", "span", "spanId", "span_id", "run", "runId", "run_id", "job", "callId")


@dataclass(frozen=True, slots=True)
class Step:
    """One record in the timeline.

    ``ref`` is ``chain#sequence``, by which it is found in the store; ``offset_ms`` its start after
    the transaction's first record; ``depth`` how deep it is nested under known parents.
    """

    ref: str
    time_ns: int
    offset_ms: float
    depth: int
    tier: str
    kind: str
    subject: str
    principal: str | None
    outcome: str
    failure_type: str | None
    duration_ms: float
    bytes_in: int
    bytes_out: int
    attempt: int
    parent: str | None
    detail: dict[str, Any]

    @property
    def end_ns(self) -> int:
        """When it ended, nanoseconds since the epoch."""
        return self.time_ns + round(self.duration_ms * 1e6)

    @property
    def failed(self) -> bool:
        """Whether it did not do what was asked."""
        return self.outcome in FAILED_OUTCOMES

    def to_json(self) -> dict[str, Any]:
        """The step in the wire's spelling."""
        return {
            "ref": self.ref,
            "timeNs": self.time_ns,
            "offsetMs": self.offset_ms,
            "depth": self.depth,
            "tier": self.tier,
            "kind": self.kind,
            "subject": self.subject,
            "principal": self.principal,
            "outcome": self.outcome,
            "failureType": self.failure_type,
            "durationMs": self.duration_ms,
            "bytesIn": self.bytes_in,
            "bytesOut": self.bytes_out,
            "attempt": self.attempt,
            "parent": self.parent,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class Trace:
    """All that is known of a transaction, in time order; children follow their parents."""

    correlation_id: str
    steps: tuple[Step, ...]

    @property
    def duration_ms(self) -> float:
        """From the first start to the last end."""
        if not self.steps:
            return 0.0
        first = min(step.time_ns for step in self.steps)
        return round((max(step.end_ns for step in self.steps) - first) / 1e6, 3)

    @property
    def tiers(self) -> tuple[str, ...]:
        """The tiers that took part, in the order in which they first appear."""
        return tuple(dict.fromkeys(step.tier for step in in_time_order(self.steps)))

    @property
    def first_failing(self) -> Step | None:
        """The step whose failure came first.

        First by when it *ended*: a flow's action begins before the call inside it and fails
        because of it. Of two that end together the one that began later is the cause.
        """
        failing = [step for step in self.steps if step.failed]
        return min(failing, key=lambda step: (step.end_ns, -step.time_ns), default=None)

    @property
    def retries(self) -> tuple[Step, ...]:
        """Every step that is not a first attempt, in time order."""
        again = [step for step in self.steps if step.attempt > 1 or step.kind.endswith(".retry")]
        return tuple(in_time_order(again))

    def totals(self) -> dict[str, Any]:
        """Counts and sums over the transaction."""
        calls = [step for step in self.steps if step.kind == "gateway.call"]
        return {
            "records": len(self.steps),
            "durationMs": self.duration_ms,
            "tiers": list(self.tiers),
            "gatewayCalls": len(calls),
            "failed": sum(step.failed for step in self.steps),
            "retries": len(self.retries),
            # Sizes are counted once, at the edge that every call passes.
            "bytesIn": sum(step.bytes_in for step in calls),
            "bytesOut": sum(step.bytes_out for step in calls),
        }

    def to_json(self) -> dict[str, Any]:
        """Timeline, totals, first failing step, retries and the seven answers as JSON."""
        from hybridmandate.evidence.questions import answers

        failing = self.first_failing
        return {
            "correlationId": self.correlation_id,
            "totals": self.totals(),
            "steps": [step.to_json() for step in self.steps],
            "firstFailing": None if failing is None else failing.ref,
            "retries": [step.ref for step in self.retries],
            "answers": [answer.to_json() for answer in answers(self)],
        }


def in_time_order(steps: Iterable[Step]) -> list[Step]:
    """By start; of two that start together the longer first, as it contains the other."""
    return sorted(steps, key=lambda step: (step.time_ns, -step.duration_ms, step.ref))


def build_trace(correlation_id: str, records: Sequence[StoredRecord]) -> Trace:
    """The trace of one transaction's records, in whatever order they come."""
    ordered = sorted(records, key=lambda r: (r.time_ns, -r.duration_ms, r.chain, r.sequence))
    start = ordered[0].time_ns if ordered else 0
    details = [_detail(record) for record in ordered]
    children, roots = _nest(ordered, details)
    steps: list[Step] = []
    # A stack, not recursion: a flow may nest deeper than Python's.
    waiting = [(index, 0) for index in reversed(roots)]
    while waiting:
        index, depth = waiting.pop()
        steps.append(_step(ordered[index], details[index], depth, start))
        waiting.extend((child, depth + 1) for child in reversed(children.get(index, [])))
    return Trace(correlation_id, tuple(steps))


def _nest(
    ordered: Sequence[StoredRecord], details: Sequence[dict[str, Any]]
) -> tuple[dict[int, list[int]], list[int]]:
    """Children by parent's place, and the places without a known parent; both in time order."""
    named: dict[str, int] = {}
    for index, record in enumerate(ordered):
        for name in _names(record, details[index]):
            named.setdefault(name, index)
    children: dict[int, list[int]] = {}
    roots: list[int] = []
    parent_of: dict[int, int] = {}
    for index, record in enumerate(ordered):
        parent = named.get(record.parent) if record.parent else None
        if parent is None or _is_above(index, parent, parent_of):
            roots.append(index)
            continue
        parent_of[index] = parent
        children.setdefault(parent, []).append(index)
    return children, roots


def _is_above(index: int, parent: int, parent_of: dict[int, int]) -> bool:
    """Whether ``index`` is ``parent`` or above it: records may name each other in a circle."""
    above: int | None = parent
    while above is not None:
        if above == index:
            return True
        above = parent_of.get(above)
    return False


def _names(record: StoredRecord, detail: dict[str, Any]) -> list[str]:
    """What other records may call this one: ids of its own, and 'run/action'."""
    own = [str(detail[key]) for key in _NAMES_OF_ITSELF if isinstance(detail.get(key), str | int)]
    if record.kind == "flow.run":
        own += [f"run:{each}" for each in own]
    if record.parent:
        own.append(f"{record.parent}/{record.subject}")
        own.append(f"{record.parent.removeprefix('run:')}/{record.subject}")
    return own


def _step(record: StoredRecord, detail: dict[str, Any], depth: int, start: int) -> Step:
    return Step(
        ref=f"{record.chain}#{record.sequence}",
        time_ns=record.time_ns,
        offset_ms=round((record.time_ns - start) / 1e6, 3),
        depth=depth,
        tier=record.tier,
        kind=record.kind,
        subject=record.subject,
        principal=record.principal,
        outcome=record.outcome,
        failure_type=record.failure_type,
        duration_ms=record.duration_ms,
        bytes_in=record.bytes_in,
        bytes_out=record.bytes_out,
        attempt=record.attempt,
        parent=record.parent,
        detail=detail,
    )


def _detail(record: StoredRecord) -> dict[str, Any]:
    """The detail as a mapping; a store that was tampered with may hold anything."""
    try:
        detail = json.loads(record.detail)
    except ValueError:
        return {"unreadable": record.detail}
    return detail if isinstance(detail, dict) else {"value": detail}
