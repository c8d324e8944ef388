"""``POST /operations/{operation}/v{version}``: the checks in their order, then the work.

The order is fixed and documented (docs/execution/execution.md): cheap refusals come first, and
nothing is claimed or run before the call is known to be well-formed and allowed.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import orjson
import sqlalchemy as sa
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from hybridmandate.contracts import (
    Download,
    FailureType,
    Operation,
    Outcome,
    Refused,
    Registry,
    headers,
)
from hybridmandate.contracts.strict_json import json_digest, parse_json
from hybridmandate.contracts.validation import validate_request
from hybridmandate.execution.answers import (
    accepted_headers,
    file_response,
    outcome_response,
)
from hybridmandate.execution.body import Spooled, media_type, read_body, spool_upload
from hybridmandate.execution.claims import Claim, Claims, ClaimState, Taken, Wanted
from hybridmandate.execution.evidence_trail import Trail, subject_of
from hybridmandate.execution.idempotency import (
    claim_key,
    closing_state,
    explicit_key,
    payload_conflict,
)
from hybridmandate.execution.job_switch import asks_for_job
from hybridmandate.execution.jobs import Jobs, accepted, interrupted
from hybridmandate.execution.runner import Runner
from hybridmandate.execution.settings import ExecutionSettings
from hybridmandate.identity.gateway_door import Visit

REPEAT_POLL_SECONDS = (0.01, 0.02, 0.05, 0.1)


@dataclass(frozen=True, slots=True)
class Payload:
    """A request that was read: what the operation gets, its JSON, its digest and its bytes."""

    request: Any
    value: Any
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """A call at the moment of its arrival: epoch seconds, and seconds of the monotonic clock."""

    visit: Visit
    at: float
    ticks: float

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds since the call arrived."""
        return (time.perf_counter() - self.ticks) * 1000


@dataclass(frozen=True, slots=True)
class OperationEndpoint:
    """Serves the operations of a registry; ``clock`` gives epoch seconds."""

    settings: ExecutionSettings
    registry: Registry
    claims: Claims
    jobs: Jobs
    runner: Runner
    trail: Trail
    clock: Callable[[], float]

    async def serve(self, request: Request, arrived: Arrived) -> Response:
        """The response to a call that came through the door.

        :raises Refused: for a contract that does not exist; every later refusal is rendered here,
            so that it carries the contract's own headers.
        """
        name = request.path_params["operation"]
        operation = self.registry.get(name, request.path_params["version"])
        lifecycle = operation.lifecycle
        extra = {
            headers.CORRELATION_ID: arrived.visit.correlation_id,
            **(lifecycle.headers() if lifecycle else {}),
        }
        self.trail.write(
            "call.received",
            subject_of(operation.ref),
            correlation_id=arrived.visit.correlation_id,
            caller=arrived.visit.caller,
            outcome="received",
            started=arrived.at,
            bytes_in=_declared_size(request),
        )
        try:
            return await self._allowed(request, arrived, operation, extra)
        except Refused as refused:
            return self._refuse(request, arrived, operation, extra, refused)

    def _refuse(
        self,
        request: Request,
        arrived: Arrived,
        operation: Operation,
        extra: dict[str, str],
        refused: Refused,
    ) -> Response:
        self.trail.refused(
            refused,
            subject_of(operation.ref),
            correlation_id=arrived.visit.correlation_id,
            caller=arrived.visit.caller,
            started=arrived.at,
            duration_ms=arrived.elapsed_ms,
            bytes_in=_declared_size(request),
        )
        outcome = refused.outcome(
            correlation_id=arrived.visit.correlation_id,
            contract=operation.ref,
            duration_ms=round(arrived.elapsed_ms),
        ).model_copy(update={"versions": self.runner.versions})
        return outcome_response(outcome, extra)

    async def _allowed(
        self, request: Request, arrived: Arrived, operation: Operation, extra: dict[str, str]
    ) -> Response:
        _require_role(operation, arrived.visit)
        _require_in_service(operation, self.clock())
        content_type = media_type(request, operation)
        explicit = explicit_key(request.headers.get(headers.IDEMPOTENCY_KEY))
        deadline = arrived.at + operation.limits.timeout_seconds
        try:
            async with asyncio.timeout(deadline - self.clock()):
                if operation.request is None:
                    spooled = await spool_upload(
                        request,
                        operation.limits.payload_bytes,
                        content_type,
                        self.settings.spool_folder,
                    )
                    payload = _of_upload(spooled)
                else:
                    spooled = None
                    payload = _of_json(
                        operation, await read_body(request, operation.limits.payload_bytes)
                    )
        except TimeoutError:
            raise Refused(
                FailureType.TIMEOUT,
                "the body did not arrive within the time that the contract allows",
                reason="body.slow",
            ) from None
        except ClientDisconnect:
            raise Refused(
                FailureType.MALFORMED_REQUEST,
                "the client went away before the body had arrived",
                reason="client.disconnected",
            ) from None
        try:
            return await self._answer(
                request, arrived, operation, payload, explicit, deadline, extra
            )
        finally:
            if spooled is not None:
                spooled.close()

    async def _answer(
        self,
        request: Request,
        arrived: Arrived,
        operation: Operation,
        payload: Payload,
        explicit: str | None,
        deadline: float,
        extra: dict[str, str],
    ) -> Response:
        if not operation.replay:
            result = await self._run(arrived, operation, payload, secrets.token_hex(20), deadline)
            return self._respond(arrived, operation, payload, result, extra)
        wanted = self._wanted(request, arrived, operation, payload, explicit)
        try:
            taken = await self.claims.take(wanted)
            if not taken.mine:
                outcome, claim = await self._repeat(taken, wanted, operation, payload, arrived)
            elif wanted.mode == "job":
                await self.jobs.ensure_started(taken.claim, payload.value, arrived.visit.caller)
                outcome, claim = accepted(taken.claim), taken.claim
            else:
                outcome, claim = await self._first(
                    taken, wanted, operation, payload, deadline, arrived
                )
        except sa.exc.DBAPIError as error:
            self.trail.crashed(
                error,
                subject_of(operation.ref),
                arrived.visit.correlation_id,
                arrived.visit.caller,
            )
            raise Refused(
                FailureType.DOWNSTREAM_UNAVAILABLE,
                "the store that remembers calls did not answer; the same call may be sent again",
                reason="store.unavailable",
            ) from error
        return self._respond(arrived, operation, payload, outcome, extra, claim)

    def _wanted(
        self,
        request: Request,
        arrived: Arrived,
        operation: Operation,
        payload: Payload,
        explicit: str | None,
    ) -> Wanted:
        visit = arrived.visit
        key = claim_key(
            visit.caller,
            operation.ref,
            correlation_id=visit.correlation_id,
            digest=payload.digest,
            explicit=explicit,
        )
        return Wanted(
            key=key,
            mode=_mode(request, operation),
            payload_digest=payload.digest,
            operation=operation.ref.operation,
            version=operation.ref.version,
            app_id=visit.caller.app_id,
            correlation_id=visit.correlation_id,
            keep_seconds=operation.limits.replay_seconds,
        )

    async def _first(
        self,
        taken: Taken,
        wanted: Wanted,
        operation: Operation,
        payload: Payload,
        deadline: float,
        arrived: Arrived,
    ) -> tuple[Outcome, Claim]:
        claim = taken.claim
        if taken.took_over:
            self.trail.write(
                "claim.taken_over",
                subject_of(operation.ref),
                correlation_id=arrived.visit.correlation_id,
                caller=arrived.visit.caller,
                attempt=claim.attempt,
                detail={"key": claim.key},
            )
        try:
            outcome = await self._run(arrived, operation, payload, claim.key, deadline)
        except asyncio.CancelledError:
            # The server stops: a repeat may begin at once, not after the lease.
            await asyncio.shield(self._finish(claim, interrupted(claim)))
            raise
        if isinstance(outcome, Download):
            raise TypeError("a file cannot be kept for idempotency")
        if asks_for_job(outcome) and "job" in operation.modes:
            return await self._as_job(claim, wanted, operation, payload, arrived)
        await self._finish(claim, outcome)
        return outcome, claim

    async def _as_job(
        self,
        claim: Claim,
        wanted: Wanted,
        operation: Operation,
        payload: Payload,
        arrived: Arrived,
    ) -> tuple[Outcome, Claim]:
        """The same claim as a job: what a synchronous run found too long for itself."""
        if not await self.claims.become_job(claim):
            # The lease ran out and another attempt has the claim.
            taken = await self.claims.take(replace(wanted, mode="job"))
            if not taken.mine:
                return await self._repeat(taken, wanted, operation, payload, arrived)
            claim = taken.claim
        await self.jobs.ensure_started(claim, payload.value, arrived.visit.caller)
        self.trail.write(
            "call.became_job",
            subject_of(operation.ref),
            correlation_id=arrived.visit.correlation_id,
            caller=arrived.visit.caller,
            outcome="accepted",
            detail={"key": claim.key},
        )
        return accepted(claim), claim

    async def _finish(self, claim: Claim, outcome: Outcome) -> None:
        text = orjson.dumps(outcome.to_json()).decode()
        await self.claims.finish(claim, text, closing_state(outcome))

    async def _repeat(
        self,
        taken: Taken,
        wanted: Wanted,
        operation: Operation,
        payload: Payload,
        arrived: Arrived,
    ) -> tuple[Outcome, Claim]:
        claim = taken.claim
        if claim.payload_digest != wanted.payload_digest:
            raise payload_conflict(operation)
        if claim.state is ClaimState.RUNNING and claim.mode == "job":
            await self.jobs.ensure_started(claim, payload.value, arrived.visit.caller)
            return accepted(claim), claim
        claim = await self._awaited(claim)
        if claim.outcome is None:
            return accepted(claim), claim
        first = Outcome.model_validate_json(claim.outcome)
        return first.model_copy(update={"replayed": True}), claim

    async def _awaited(self, claim: Claim) -> Claim:
        """The claim once its sync call has ended or became a job, or as it is after the wait."""
        until = time.monotonic() + self.settings.wait_seconds
        pauses = iter(REPEAT_POLL_SECONDS)
        pause = REPEAT_POLL_SECONDS[0]
        while claim.outcome is None and claim.mode == "sync" and time.monotonic() < until:
            pause = next(pauses, pause)
            await asyncio.sleep(pause)
            claim = await self.claims.read(claim.key) or claim
        return claim

    async def _run(
        self,
        arrived: Arrived,
        operation: Operation,
        payload: Payload,
        call_key: str,
        deadline: float,
    ) -> Outcome | Download:
        return await self.runner.run(
            operation,
            payload.request,
            caller=arrived.visit.caller,
            correlation_id=arrived.visit.correlation_id,
            call_key=call_key,
            deadline=deadline,
        )

    def _respond(
        self,
        arrived: Arrived,
        operation: Operation,
        payload: Payload,
        result: Outcome | Download,
        extra: dict[str, str],
        claim: Claim | None = None,
    ) -> Response:
        if isinstance(result, Download):
            return file_response(result, extra, self._sender(arrived, operation, payload))
        if claim is not None and result.http_status == 202:
            extra = extra | accepted_headers(
                self.settings.location_prefix, claim.key, self.settings.poll_after_seconds
            )
        response = outcome_response(result, extra)
        self.trail.finished(
            result,
            subject_of(operation.ref),
            caller=arrived.visit.caller,
            correlation_id=arrived.visit.correlation_id,
            started=arrived.at,
            duration_ms=arrived.elapsed_ms,
            bytes_in=payload.size,
            bytes_out=len(response.body),
            attempt=1 if claim is None else claim.attempt,
            detail={} if claim is None else {"key": claim.key},
        )
        return response

    def _sender(
        self, arrived: Arrived, operation: Operation, payload: Payload
    ) -> Callable[[int, bool], None]:
        def ended(sent: int, whole: bool) -> None:
            self.trail.write(
                "call.finished",
                subject_of(operation.ref),
                correlation_id=arrived.visit.correlation_id,
                caller=arrived.visit.caller,
                outcome="succeeded" if whole else "failed",
                started=arrived.at,
                duration_ms=arrived.elapsed_ms,
                bytes_in=payload.size,
                bytes_out=sent,
            )

        return ended


def _require_role(operation: Operation, visit: Visit) -> None:
    if operation.role not in visit.caller.roles:
        raise Refused(
            FailureType.FORBIDDEN,
            f"the caller needs the role {operation.role} for {operation.ref.operation}",
            reason="role.missing",
        )


def _require_in_service(operation: Operation, now: float) -> None:
    lifecycle = operation.lifecycle
    end = None if lifecycle is None else lifecycle.ends_at
    if end is not None and now >= end.timestamp():
        raise Refused(
            FailureType.CONTRACT_RETIRED,
            f"{subject_of(operation.ref)} was retired on {end.date().isoformat()}; "
            "use a later version",
            reason="contract.sunset",
        )


def _mode(request: Request, operation: Operation) -> str:
    if "sync" not in operation.modes:
        return "job"
    preferences = ",".join(request.headers.getlist(headers.PREFER)).lower().split(",")
    wishes_job = "respond-async" in (each.partition(";")[0].strip() for each in preferences)
    return "job" if wishes_job and "job" in operation.modes else "sync"


def _of_json(operation: Operation, body: bytes) -> Payload:
    if operation.request is None:
        raise TypeError(f"{operation.ref.operation} takes a file")
    value = parse_json(body)
    digest = json_digest(value)
    return Payload(validate_request(operation.request, value), value, digest, len(body))


def _of_upload(spooled: Spooled) -> Payload:
    return Payload(spooled.upload(), None, spooled.digest, spooled.size)


def _declared_size(request: Request) -> int:
    text = request.headers.get("content-length", "0")
    return int(text) if text.isdigit() and len(text) < 16 else 0
