"""The evidence of one service: who called, what was asked, what came back (I3, L3)."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import Any

from hybridmandate.contracts import Caller, ContractRef, Outcome, Refused
from hybridmandate.evidence.record import Record, Recorder, Tier

MAX_TRACE_CHARS = 4000


def subject_of(contract: ContractRef) -> str:
    """How evidence names a contract: ``spreadsheets.normalize/1``."""
    return f"{contract.operation}/{contract.version}"


class Trail:
    """Writes the records of calls; ``clock`` gives epoch seconds."""

    def __init__(self, recorder: Recorder, clock: Callable[[], float]) -> None:
        self._recorder = recorder
        self._clock = clock

    def write(
        self,
        kind: str,
        subject: str,
        *,
        correlation_id: str | None,
        caller: Caller | None,
        outcome: str = "succeeded",
        failure_type: str | None = None,
        started: float | None = None,
        duration_ms: float = 0.0,
        bytes_in: int = 0,
        bytes_out: int = 0,
        attempt: int = 1,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """One record; ``started`` (epoch seconds) is now when it is not given."""
        self._recorder.record(
            Record(
                time_ns=int((self._clock() if started is None else started) * 1e9),
                tier=Tier.EXECUTION,
                kind=kind,
                subject=subject,
                correlation_id=correlation_id,
                principal=None if caller is None else caller.object_id,
                outcome=outcome,
                failure_type=failure_type,
                duration_ms=duration_ms,
                bytes_in=bytes_in,
                bytes_out=bytes_out,
                attempt=attempt,
                detail=detail or {},
            )
        )

    def crashed(
        self, error: BaseException, subject: str, correlation_id: str | None, caller: Caller | None
    ) -> None:
        """A defect of ours: where it happened, without the values that it happened to."""
        frames = traceback.extract_tb(error.__traceback__)
        places = "\n".join(f"{f.filename}:{f.lineno} in {f.name}" for f in frames)
        self.write(
            "call.crashed",
            subject,
            correlation_id=correlation_id,
            caller=caller,
            outcome="failed",
            failure_type="internal_error",
            detail={"error": type(error).__name__, "trace": places[-MAX_TRACE_CHARS:]},
        )

    def refused(
        self,
        refused: Refused,
        subject: str,
        *,
        correlation_id: str | None,
        caller: Caller | None,
        started: float,
        duration_ms: float,
        bytes_in: int,
    ) -> None:
        """A call that was turned away before its operation ran."""
        self.write(
            "call.refused",
            subject,
            correlation_id=correlation_id,
            caller=caller,
            outcome="refused",
            failure_type=refused.type,
            started=started,
            duration_ms=duration_ms,
            bytes_in=bytes_in,
            detail={"reason": refused.reason, "errors": len(refused.errors)},
        )

    def finished(
        self,
        outcome: Outcome,
        subject: str,
        *,
        caller: Caller,
        correlation_id: str,
        started: float,
        duration_ms: float,
        bytes_in: int,
        bytes_out: int,
        attempt: int = 1,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """A call that was answered by its operation, or by the first outcome of it."""
        self.write(
            "call.finished",
            subject,
            correlation_id=correlation_id,
            caller=caller,
            outcome="replayed" if outcome.replayed else outcome.status,
            failure_type=None if outcome.failure is None else outcome.failure.type,
            started=started,
            duration_ms=duration_ms,
            bytes_in=bytes_in,
            bytes_out=bytes_out,
            attempt=attempt,
            detail=detail,
        )
