"""Running one operation: a deadline around it, and an outcome whatever happens inside."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import sqlalchemy as sa

from hybridmandate.contracts import (
    Answer,
    Call,
    Download,
    FailureType,
    Operation,
    Outcome,
    Refused,
    Status,
    Versions,
    refusal,
)
from hybridmandate.contracts.validation import result_data
from hybridmandate.execution.evidence_trail import Trail, subject_of


async def invoke(
    operation: Operation, request: Any, call: Call, versions: Versions, trail: Trail
) -> Outcome | Download:
    """The outcome of an operation, or the file that it gives.

    Past the deadline the operation is cancelled and the outcome is ``timeout``. An exception that
    is no :class:`Refused`, and a result that breaks the declared model, are ``internal_error``: the
    evidence has the place, the caller gets nothing of it. Cancellation from outside goes through.
    """
    started = time.perf_counter()
    try:
        async with asyncio.timeout(max(0.0, call.remaining_seconds())) as limit:
            result = await operation.function(request, call)
        if isinstance(result, Download) and operation.response is None:
            return result
        return _outcome(operation, result, call, versions, _milliseconds(started))
    except Refused as refused:
        outcome = refused.outcome(
            correlation_id=call.correlation_id,
            contract=operation.ref,
            duration_ms=_milliseconds(started),
        )
        return outcome.model_copy(update={"versions": versions})
    except TimeoutError as error:
        if not limit.expired():
            return _defect(operation, error, call, versions, trail, started)
        return refusal(
            FailureType.TIMEOUT,
            f"{subject_of(operation.ref)} did not end within the time that its contract allows",
            correlation_id=call.correlation_id,
            contract=operation.ref,
            reason="deadline.passed",
            duration_ms=_milliseconds(started),
        ).model_copy(update={"versions": versions})
    except sa.exc.DBAPIError as error:
        trail.crashed(error, subject_of(operation.ref), call.correlation_id, call.caller)
        return refusal(
            FailureType.DOWNSTREAM_UNAVAILABLE,
            "the store of the execution service did not answer",
            correlation_id=call.correlation_id,
            contract=operation.ref,
            reason="store.unavailable",
            duration_ms=_milliseconds(started),
        ).model_copy(update={"versions": versions})
    except Exception as error:
        return _defect(operation, error, call, versions, trail, started)


def _defect(
    operation: Operation,
    error: Exception,
    call: Call,
    versions: Versions,
    trail: Trail,
    started: float,
) -> Outcome:
    trail.crashed(error, subject_of(operation.ref), call.correlation_id, call.caller)
    return refusal(
        FailureType.INTERNAL_ERROR,
        f"{subject_of(operation.ref)} broke; the evidence of this correlation id says where",
        correlation_id=call.correlation_id,
        contract=operation.ref,
        reason="operation.crashed",
        duration_ms=_milliseconds(started),
    ).model_copy(update={"versions": versions})


def _outcome(
    operation: Operation, result: Any, call: Call, versions: Versions, duration_ms: int
) -> Outcome:
    if operation.response is None:
        raise TypeError(f"the operation must return a Download, not {type(result).__name__}")
    answer = result if isinstance(result, Answer) else Answer(data=result)
    outcome = Outcome(
        status=Status.SUCCEEDED,
        correlation_id=call.correlation_id,
        contract=operation.ref,
        data=result_data(operation.response, answer.data),
        counts=answer.counts,
        errors=list(answer.errors),
        warnings=list(answer.warnings),
        versions=_merged(versions, answer.versions),
        duration_ms=duration_ms,
    )
    if answer.status is not Status.REJECTED:
        return outcome.model_copy(update={"status": answer.status})
    refused = refusal(
        FailureType.VALIDATION_ERROR,
        answer.message or "",
        correlation_id=call.correlation_id,
        reason="content.rejected",
    )
    return outcome.model_copy(update={"status": refused.status, "failure": refused.failure})


def _merged(own: Versions, answered: Versions | None) -> Versions:
    if answered is None:
        return own
    return own.model_copy(update=answered.model_dump(exclude_none=True))


def _milliseconds(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)
