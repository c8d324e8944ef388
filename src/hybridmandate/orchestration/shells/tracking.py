"""Evidence of a run: a record for the trigger, the run, each action and each retry (L3, L5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hybridmandate.evidence.record import Record, Recorder, Tier
from hybridmandate.orchestration.engine import NearLimit
from hybridmandate.orchestration.engine.calls import failure_type
from hybridmandate.orchestration.engine.instants import epoch_seconds
from hybridmandate.orchestration.history import StoredRun
from hybridmandate.orchestration.limits import Usage

_OUTCOMES = {
    "Succeeded": "succeeded",
    "Failed": "failed",
    "Skipped": "skipped",
    "TimedOut": "timedOut",
    "Cancelled": "cancelled",
}


@dataclass(frozen=True, slots=True)
class RunEvidence:
    """Writes the evidence of one run; every record carries the run's correlation id."""

    recorder: Recorder
    run_id: str
    flow: str

    def triggered(self, correlation_id: str, start: Mapping[str, Any], trigger: str) -> None:
        """The trigger fired and a run began."""
        self.recorder.record(
            Record(
                time_ns=_ns(start["time"]),
                tier=Tier.FLOW,
                kind="flow.trigger",
                subject=trigger,
                correlation_id=correlation_id,
                principal=start.get("principal"),
                parent=f"run:{self.run_id}",
                detail={"flow": self.flow, "resubmitOf": start.get("resubmitOf")},
            )
        )

    def actions(self, correlation_id: str, records: Sequence[Mapping[str, Any]]) -> None:
        """Actions came to their final status."""
        for record in records:
            outputs = record.get("outputs")
            body = outputs.get("body") if isinstance(outputs, Mapping) else None
            self.recorder.record(
                Record(
                    time_ns=_ns(epoch_seconds(record["startTime"])),
                    tier=Tier.FLOW,
                    kind="flow.action",
                    subject=record["name"],
                    correlation_id=correlation_id,
                    outcome=_OUTCOMES[record["status"]],
                    failure_type=failure_type(body),
                    duration_ms=_duration_ms(record),
                    attempt=record["attempt"],
                    parent=f"run:{self.run_id}",
                    detail={
                        "type": record["type"],
                        "operation": record.get("operation"),
                        "code": record.get("code"),
                        "iteration": record["at"] or None,
                    },
                )
            )

    def retries(self, correlation_id: str, records: Sequence[Mapping[str, Any]]) -> None:
        """Attempts failed and others follow."""
        for record in records:
            self.recorder.record(
                Record(
                    time_ns=_ns(epoch_seconds(record["startTime"])),
                    tier=Tier.FLOW,
                    kind="flow.retry",
                    subject=record["name"],
                    correlation_id=correlation_id,
                    outcome="failed",
                    failure_type=record["failureType"],
                    duration_ms=_duration_ms(record),
                    attempt=record["attempt"],
                    parent=f"run:{self.run_id}",
                    detail={
                        "type": record["type"],
                        "operation": record["operation"],
                        "code": record["code"],
                        "waitSeconds": record["waitSeconds"],
                    },
                )
            )

    def near_limits(self, correlation_id: str, profile: str, near: Sequence[NearLimit]) -> None:
        """Actions came near a limit, or over it."""
        for each in near:
            usage = Usage(each.limit_id, each.action, each.value, each.highest)
            self.recorder.record(
                limit_record(
                    usage,
                    profile,
                    flow=self.flow,
                    run=self.run_id,
                    time=each.time,
                    correlation_id=correlation_id,
                )
            )

    def ended(
        self, correlation_id: str, run: Mapping[str, Any], counted: Mapping[str, int]
    ) -> None:
        """The run is over; ``counted`` are its facts for the platform's limits (K4)."""
        self.recorder.record(
            Record(
                time_ns=_ns(epoch_seconds(run["startTime"])),
                tier=Tier.FLOW,
                kind="flow.run",
                subject=self.flow,
                correlation_id=correlation_id,
                outcome=_OUTCOMES[run["status"]],
                duration_ms=_duration_ms(run),
                parent=f"run:{self.run_id}",
                detail={"code": run["code"], **counted},
            )
        )

    def broken(self, stored: StoredRun, reason: str) -> None:
        """The run cannot be carried on; ``reason`` is a type, for a message may hold anything."""
        ended_at = stored.ended_at or stored.started_at
        self.recorder.record(
            Record(
                time_ns=_ns(stored.started_at),
                tier=Tier.FLOW,
                kind="flow.run",
                subject=self.flow,
                correlation_id=stored.correlation_id,
                outcome="failed",
                duration_ms=(ended_at - stored.started_at) * 1000,
                parent=f"run:{self.run_id}",
                detail={"code": stored.code, "reason": reason},
            )
        )


def cancel_record(stored: StoredRun, *, reason: str, actor: str, time: float) -> Record:
    """A person wants a run to end; that it has is a record ``flow.run`` of its own."""
    return Record(
        time_ns=_ns(time),
        tier=Tier.FLOW,
        kind="flow.cancel",
        subject=stored.flow,
        correlation_id=stored.correlation_id,
        principal=actor,
        parent=f"run:{stored.id}",
        detail={"reason": reason, "startedAt": stored.started_at},
    )


def limit_record(
    usage: Usage,
    profile: str,
    *,
    flow: str,
    run: str | None,
    time: float,
    correlation_id: str | None = None,
    **detail: Any,
) -> Record:
    """A limit is near (``warning``) or reached (``limited``); ``time`` is epoch seconds (K4)."""
    return Record(
        time_ns=_ns(time),
        tier=Tier.FLOW,
        kind="flow.limit",
        subject=usage.place,
        correlation_id=correlation_id,
        outcome="warning" if usage.value < usage.highest else "limited",
        parent=None if run is None else f"run:{run}",
        detail={
            "flow": flow,
            "limit": usage.limit_id,
            "value": usage.value,
            "highest": usage.highest,
            "profile": str(profile),
            **detail,
        },
    )


def _ns(seconds: float) -> int:
    return round(seconds * 1_000_000_000)


def _duration_ms(record: Mapping[str, Any]) -> float:
    if not record.get("startTime") or not record.get("endTime"):
        return 0.0
    return (epoch_seconds(record["endTime"]) - epoch_seconds(record["startTime"])) * 1000
