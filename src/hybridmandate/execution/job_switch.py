"""How an operation says, in a synchronous call, that it needs a job (requirement A4)."""

from __future__ import annotations

from hybridmandate.contracts import Download, FailureType, Outcome, Refused

NEEDS_JOB = "call.needs_job"
"""Reason of the refusal that the operation endpoint answers by starting a job."""


def needs_job(message: str) -> Refused:
    """Raised by an operation before it did anything; its contract must have the mode ``job``."""
    return Refused(FailureType.PAYLOAD_TOO_LARGE, message, reason=NEEDS_JOB)


def asks_for_job(outcome: Outcome | Download) -> bool:
    """Whether a run ended with that refusal."""
    if isinstance(outcome, Download) or outcome.failure is None:
        return False
    return outcome.failure.reason == NEEDS_JOB
