"""Jobs: operations that outlive their call and the process (requirements F3, K3).

A job is a claim whose work is a durable workflow of two remembered steps: run the operation, close
the claim with its outcome. A process that dies in between is replaced by the next one, which runs
what had not finished. An operation that was cut off runs again from its beginning, so its effects
must be safe to repeat; those that a call offers (files, commits) are, by the call's own key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import orjson

from hybridmandate.contracts import (
    Caller,
    ContractRef,
    Download,
    FailureType,
    Operation,
    Outcome,
    Refused,
    Registry,
    Status,
    refusal,
)
from hybridmandate.contracts.validation import validate_request
from hybridmandate.durable.port import Durable, DurableContext, RunState
from hybridmandate.execution.claims import Claim, Claims, ClaimState
from hybridmandate.execution.evidence_trail import Trail, subject_of
from hybridmandate.execution.idempotency import closing_state
from hybridmandate.execution.runner import Runner
from hybridmandate.execution.service_call import ShowProgress

WORKFLOW = "execution.job"
PROGRESS_EVERY_SECONDS = 0.5
NOTED_EVERY_SECONDS = 2.0
"""How often a running job leaves its progress as evidence."""


class Jobs:
    """The jobs of this service; registers its workflow, so it is made before the engine starts."""

    def __init__(
        self,
        registry: Registry,
        claims: Claims,
        durable: Durable,
        runner: Runner,
        trail: Trail,
        clock: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._claims = claims
        self._durable = durable
        self._runner = runner
        self._trail = trail
        self._clock = clock
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._cancelled: set[str] = set()
        durable.register(WORKFLOW, self._work)

    async def ensure_started(self, claim: Claim, request: Any, caller: Caller) -> None:
        """Start the job of a claim unless it is started; a repeat heals a start that was cut off.

        ``request`` is the validated request as JSON.
        """
        run_id = _run_id(claim)
        if await self._durable.find(run_id) is not None:
            return
        payload = {
            "claim": {"key": claim.key, "attempt": claim.attempt},
            "operation": claim.operation,
            "version": claim.version,
            "correlationId": claim.correlation_id,
            "caller": {
                "objectId": caller.object_id,
                "appId": caller.app_id,
                "roles": sorted(caller.roles),
            },
            "request": request,
        }
        await self._durable.start(WORKFLOW, run_id, payload)

    async def state(self, key: str, caller: Caller) -> Outcome:
        """The outcome of a job (or of a sync call in flight), ``accepted`` while it runs.

        :raises Refused: ``not_found`` for an unknown job and for one that another client started,
            ``forbidden`` when the caller has lost the role.
        """
        claim = await self._of_caller(key, caller)
        if claim.outcome is not None:
            return Outcome.model_validate_json(claim.outcome)
        if claim.mode == "sync":
            lapsed = claim.lease_until < self._clock()
            return interrupted(claim) if lapsed else accepted(claim)
        run = await self._durable.find(_run_id(claim))
        if run is None:
            lapsed = claim.lease_until < self._clock()
            return interrupted(claim) if lapsed else accepted(claim)
        if run.state is RunState.FAILED:
            return await self._closed(claim, interrupted(claim))
        if run.state is RunState.CANCELLED:
            return await self._closed(claim, cancelled(claim))
        return accepted(claim)

    async def cancel(self, key: str, caller: Caller) -> Outcome:
        """Stop a job; the answer is its outcome, which is its own when it had ended before.

        :raises Refused: as :meth:`state`, and ``conflict`` for a call that is no job.
        """
        claim = await self._of_caller(key, caller)
        if claim.outcome is not None:
            return Outcome.model_validate_json(claim.outcome)
        if claim.mode != "job":
            raise Refused(
                FailureType.CONFLICT,
                "a synchronous call cannot be cancelled: it ends within its deadline",
                reason="job.synchronous",
            )
        run_id = _run_id(claim)
        outcome = await self._closed(claim, cancelled(claim))
        if run_id in self._running:
            self._cancelled.add(run_id)
        await self._durable.cancel(run_id)
        task = self._running.get(run_id)
        if task is not None:
            task.cancel()
        return outcome

    async def _of_caller(self, key: str, caller: Caller) -> Claim:
        claim = await self._claims.read(key)
        if claim is None or claim.app_id != caller.app_id:
            raise Refused(
                FailureType.NOT_FOUND,
                "this client has no such job: it was never started, or its time has passed",
                reason="job.unknown" if claim is None else "job.of_another_client",
            )
        operation = self._registry.get(claim.operation, claim.version)
        if operation.role not in caller.roles:
            raise Refused(
                FailureType.FORBIDDEN,
                f"the caller needs the role {operation.role}",
                reason="role.missing",
            )
        return claim

    async def _closed(self, claim: Claim, outcome: Outcome) -> Outcome:
        text = orjson.dumps(outcome.to_json()).decode()
        if await self._claims.finish(claim, text, closing_state(outcome)):
            return outcome
        standing = await self._claims.read(claim.key)
        if standing is None or standing.outcome is None:
            return outcome
        return Outcome.model_validate_json(standing.outcome)

    async def _work(self, context: DurableContext, payload: Any) -> str:
        started = await context.now()

        async def run() -> Any:
            return await self._run(context.id, payload, started)

        outcome = await context.step("run", run)

        async def close() -> Any:
            return await self._close(payload, outcome, started)

        await context.step("close", close)
        return str(outcome["status"])

    async def _run(self, run_id: str, payload: Any, started: float) -> Any:
        # Known before it looks at its claim: whoever closes the claim then also finds the task.
        task = asyncio.create_task(self._outcome(payload, started))
        self._running[run_id] = task
        try:
            return await task
        except asyncio.CancelledError:
            if run_id not in self._cancelled:
                raise
            return _cancelled(payload).to_json()
        finally:
            del self._running[run_id]
            self._cancelled.discard(run_id)

    async def _outcome(self, payload: Any, started: float) -> Any:
        claim = await self._claim_of(payload)
        if claim is None:
            # Cancelled or taken by a later attempt: nothing may be done for it any more.
            return _cancelled(payload).to_json()
        try:
            operation = self._registry.get(payload["operation"], payload["version"])
            request = _request(operation, payload["request"])
        except Refused as refused:
            # The build that resumes the job no longer has that contract as it was.
            return refused.outcome(
                correlation_id=payload["correlationId"], contract=_contract(payload)
            ).to_json()
        outcome = await self._runner.run(
            operation,
            request,
            caller=_caller(payload),
            correlation_id=payload["correlationId"],
            call_key=payload["claim"]["key"],
            deadline=started + operation.limits.job_timeout_seconds,
            show_progress=self._progress_of(claim, _caller(payload)),
        )
        if isinstance(outcome, Download):
            raise TypeError("a file cannot be the outcome of a job")
        return outcome.to_json()

    async def _close(self, payload: Any, outcome: Any, started: float) -> bool:
        claim = await self._claim_of(payload)
        if claim is None:
            return False
        ended = Outcome.model_validate(outcome)
        text = orjson.dumps(outcome).decode()
        if not await self._claims.finish(claim, text, closing_state(ended)):
            return False
        self._trail.finished(
            ended,
            subject_of(_contract(payload)),
            caller=_caller(payload),
            correlation_id=payload["correlationId"],
            started=started,
            duration_ms=(self._clock() - started) * 1000,
            bytes_in=0,
            bytes_out=len(text),
            attempt=claim.attempt,
            detail={"job": claim.key},
        )
        return True

    async def _claim_of(self, payload: Any) -> Claim | None:
        claim = await self._claims.read(payload["claim"]["key"])
        current = (
            claim is not None
            and claim.state is ClaimState.RUNNING
            and claim.attempt == payload["claim"]["attempt"]
        )
        return claim if current else None

    def _progress_of(self, claim: Claim, caller: Caller) -> ShowProgress:
        shown_at = noted_at = float("-inf")

        async def show(done: int, total: int | None, unit: str) -> None:
            nonlocal shown_at, noted_at
            now = self._clock()
            if now - shown_at < PROGRESS_EVERY_SECONDS and done != total:
                return
            shown_at = now
            progress = {"done": done, "total": total, "unit": unit}
            await self._claims.show_progress(claim, orjson.dumps(progress).decode())
            if now - noted_at < NOTED_EVERY_SECONDS and done != total:
                return
            noted_at = now
            self._trail.write(
                "job.progress",
                claim.key,
                correlation_id=claim.correlation_id,
                caller=caller,
                outcome="accepted",
                detail=progress,
            )

        return show


def accepted(claim: Claim) -> Outcome:
    """The outcome of work that goes on; ``data.progress`` when the operation told any."""
    data: dict[str, Any] = {"job": claim.key}
    if claim.progress is not None:
        data["progress"] = orjson.loads(claim.progress)
    return Outcome(
        status=Status.ACCEPTED,
        correlation_id=claim.correlation_id,
        contract=ContractRef(operation=claim.operation, version=claim.version),
        data=data,
    )


def interrupted(claim: Claim) -> Outcome:
    """The outcome of work whose process ended before it did."""
    return refusal(
        FailureType.INTERNAL_ERROR,
        "the process that did the work ended before it was done; send the same call again",
        correlation_id=claim.correlation_id,
        contract=ContractRef(operation=claim.operation, version=claim.version),
        reason="call.interrupted",
    )


def cancelled(claim: Claim) -> Outcome:
    """The outcome of a job that its caller stopped."""
    contract = ContractRef(operation=claim.operation, version=claim.version)
    return _stopped(claim.correlation_id, contract)


def _cancelled(payload: Any) -> Outcome:
    return _stopped(payload["correlationId"], _contract(payload))


def _stopped(correlation_id: str, contract: ContractRef) -> Outcome:
    return refusal(
        FailureType.CONFLICT,
        "the job was cancelled by the client that started it",
        correlation_id=correlation_id,
        contract=contract,
        reason="job.cancelled",
    )


def _run_id(claim: Claim) -> str:
    return f"{WORKFLOW}:{claim.key}.{claim.attempt}"


def _contract(payload: Any) -> ContractRef:
    return ContractRef(operation=payload["operation"], version=payload["version"])


def _caller(payload: Any) -> Caller:
    caller = payload["caller"]
    return Caller(
        object_id=caller["objectId"], app_id=caller["appId"], roles=frozenset(caller["roles"])
    )


def _request(operation: Operation, value: Any) -> Any:
    if operation.request is None:
        raise Refused(
            FailureType.INTERNAL_ERROR,
            f"{subject_of(operation.ref)} takes a file and cannot run as a job",
            reason="job.file_stream",
        )
    return validate_request(operation.request, value)
