"""The data gateway as an ASGI service behind the API gateway: declared views and commits (D1, D2).

The only way to Dataverse from outside the platform; it has an identity of its own.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hybridmandate.contracts import (
    ContractRef,
    FailureType,
    Outcome,
    Refused,
    RowError,
    Status,
    headers,
    is_correlation_id,
    response_headers,
)
from hybridmandate.contracts.strict_json import parse_json
from hybridmandate.contracts.validation import validate_request
from hybridmandate.evidence.record import Record, Recorder, Tier
from hybridmandate.governance.data.committing import Authority, Committer, Pace, RecordResult
from hybridmandate.governance.data.planner import RecordStatus, candidates, violations
from hybridmandate.governance.data.requests import CommitRequest, ViewRequest
from hybridmandate.governance.data.tables import DataverseTables, ValuesRefused
from hybridmandate.identity.gateway_door import GatewayDoor, Visit
from hybridmandate.identity.principal import TokenVerifier
from hybridmandate.manifest import Commit, View

INVOKE_ROLE = "DataGateway.Invoke"
MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_VIEW_VALUES = 200
"""Values of all filters of a view together; Dataverse takes 500 conditions a query."""

TablesOf = Callable[[str], DataverseTables]
"""Dataverse for one transaction, by its correlation id."""


@dataclass(frozen=True, slots=True)
class DataSettings:
    """``gateway_app_id`` is the API gateway's application; nobody else is served."""

    gateway_app_id: str
    pace: Pace = field(default_factory=Pace)


def create_app(
    settings: DataSettings,
    *,
    views: Mapping[str, View],
    commits: Mapping[str, Commit],
    tables: TablesOf,
    verifier: TokenVerifier,
    recorder: Recorder,
    clock: Callable[[], float] = time.time,
    new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
) -> Starlette:
    """The service for a solution's views and commits; ``clock`` gives epoch seconds."""
    service = _Service(settings, views, commits, tables, verifier, recorder, clock, new_id)
    app = Starlette(
        routes=[
            Route("/views/{name}/v{version:int}", service.view, methods=["POST"]),
            Route("/commits/{name}/v{version:int}", service.commit, methods=["POST"]),
            Route("/health/live", service.alive),
            Route("/health/ready", service.alive),
            Route(
                "/{rest:path}", service.unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]
            ),
        ],
    )
    app.router.redirect_slashes = False
    return app


D = TypeVar("D", View, Commit)
Handler = Callable[[Request, Visit, ContractRef], Awaitable[Outcome]]


class _Service:
    def __init__(
        self,
        settings: DataSettings,
        views: Mapping[str, View],
        commits: Mapping[str, Commit],
        tables: TablesOf,
        verifier: TokenVerifier,
        recorder: Recorder,
        clock: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._settings = settings
        self._views = views
        self._commits = commits
        self._tables = tables
        self._door = GatewayDoor(verifier, settings.gateway_app_id, INVOKE_ROLE)
        self._recorder = recorder
        self._clock = clock
        self._new_id = new_id

    async def alive(self, _: Request) -> Response:
        return JSONResponse({"status": "ready"})

    async def view(self, request: Request) -> Response:
        return await self._answered(request, "data.view", self._view)

    async def commit(self, request: Request) -> Response:
        return await self._answered(request, "data.commit", self._commit)

    async def unknown(self, request: Request) -> Response:
        async def nothing(_: Request, __: Visit, ___: ContractRef) -> Outcome:
            raise Refused(FailureType.NOT_FOUND, "there is no such view or commit")

        return await self._answered(request, "data.unknown", nothing)

    async def _answered(self, request: Request, kind: str, handle: Handler) -> Response:
        started, at = time.perf_counter(), self._clock()
        name = str(request.path_params.get("name", ""))
        version = int(request.path_params.get("version", 1))
        contract = ContractRef(
            operation=f"{kind}.{name}" if name else kind, version=max(1, version)
        )
        given = request.headers.get(headers.CORRELATION_ID)
        known = given if is_correlation_id(given) else None
        visit: Visit | None = None
        try:
            visit = await self._door.enter(request)
            outcome = await handle(request, visit, contract)
        except Refused as refused:
            outcome = refused.outcome(correlation_id=known, contract=contract)
            self._note_refusal(contract, visit, known, outcome, at)
        except Exception as error:  # the outermost shell: a defect of ours becomes its outcome
            defect = Refused(FailureType.INTERNAL_ERROR, "the data gateway failed; see evidence")
            outcome = defect.outcome(correlation_id=known, contract=contract)
            self._note_refusal(contract, visit, known, outcome, at, error)
        elapsed = int((time.perf_counter() - started) * 1000)
        outcome = outcome.model_copy(update={"duration_ms": elapsed})
        return JSONResponse(
            outcome.to_json(),
            status_code=outcome.http_status,
            headers=dict(response_headers(outcome)),
        )

    # --- views -----------------------------------------------------------------------------------

    async def _view(self, request: Request, visit: Visit, contract: ContractRef) -> Outcome:
        name = request.path_params["name"]
        view = _declared(self._views, name, contract.version, "view")
        _require_role(visit, view.role)
        asked = validate_request(ViewRequest, parse_json(await _body(request)))
        assert isinstance(asked, ViewRequest)
        undeclared = [column for column in asked.parameters if column not in view.filter]
        if undeclared:
            raise Refused(
                FailureType.FORBIDDEN,
                f"the view may not be filtered by {', '.join(undeclared)}; declared are "
                f"{', '.join(view.filter) or 'none'}",
                reason="view.filter",
            )
        started = time.perf_counter()
        tables = self._tables(visit.correlation_id)
        entity = await tables.describe(view.table)
        limit = min(asked.top or view.max_rows, view.max_rows)
        equal = _looked_for(asked)
        try:
            found = await tables.rows_where(entity, equal, view.columns, limit + 1)
        except ValuesRefused as refused:
            raise Refused(
                FailureType.VALIDATION_ERROR,
                f"the view cannot be filtered by these values: {refused}",
                reason="view.value",
            ) from None
        rows = [{column: row.get(column) for column in view.columns} for row in found[:limit]]
        self._note(
            "view.read",
            f"{name}/{view.version}",
            visit,
            duration_ms=(time.perf_counter() - started) * 1000,
            detail={
                "rows": len(rows),
                "columns": list(view.columns),
                "classification": view.classification,
            },
        )
        return Outcome(
            status=Status.SUCCEEDED,
            correlation_id=visit.correlation_id,
            contract=contract,
            data={"rows": rows, "more": len(found) > limit},
            counts={"rows": len(rows)},
        )

    # --- commits ---------------------------------------------------------------------------------

    async def _commit(self, request: Request, visit: Visit, contract: ContractRef) -> Outcome:
        name = request.path_params["name"]
        commit = _declared(self._commits, name, contract.version, "commit")
        _require_role(visit, commit.role)
        asked = validate_request(CommitRequest, parse_json(await _body(request)))
        assert isinstance(asked, CommitRequest)
        self._refuse_undeclared(asked, commit)
        started = time.perf_counter()
        committer = Committer(
            name,
            commit,
            self._tables(visit.correlation_id),
            Authority(visit.caller.object_id, visit.correlation_id),
            pace=self._settings.pace,
            clock=self._clock,
            new_id=self._new_id,
            settled=lambda result: self._note_record(name, asked.job, result, visit),
        )
        results = await committer.commit(asked.job, candidates(asked.job, asked.records, commit))
        self._note(
            "commit.finished",
            name,
            visit,
            duration_ms=(time.perf_counter() - started) * 1000,
            detail={"job": asked.job, **Counter(str(each.status) for each in results)},
        )
        return _commit_outcome(results, visit.correlation_id, contract)

    def _refuse_undeclared(self, asked: CommitRequest, commit: Commit) -> None:
        """The whole set is judged before anything is written."""
        if len(asked.records) > commit.max_records:
            raise Refused(
                FailureType.PAYLOAD_TOO_LARGE,
                f"{len(asked.records)} records were sent; this commit takes {commit.max_records}",
                reason="commit.records",
            )
        found = list(violations(asked.records, commit))
        forbidden = [each for each in found if each.code.startswith("commit.")]
        if forbidden:
            raise Refused(
                FailureType.FORBIDDEN,
                "the commit writes its declared columns only; nothing was written",
                reason="commit.column",
                errors=forbidden,
            )
        if found:
            raise Refused(
                FailureType.VALIDATION_ERROR,
                f"{len(found)} records cannot be committed; nothing was written",
                reason="commit.records",
                errors=found,
            )

    # --- evidence --------------------------------------------------------------------------------

    def _note_record(self, name: str, job: str, result: RecordResult, visit: Visit) -> None:
        self._note(
            "commit.record",
            f"{name}/{result.record}",
            visit,
            outcome=str(result.status),
            detail={"job": job, "rowId": result.row_id, "columns": sorted(result.after or {})},
        )

    def _note_refusal(
        self,
        contract: ContractRef,
        visit: Visit | None,
        correlation_id: str | None,
        outcome: Outcome,
        at: float,
        error: Exception | None = None,
    ) -> None:
        failure = outcome.failure
        self._recorder.record(
            Record(
                time_ns=int(at * 1e9),
                tier=Tier.DATA,
                kind="data.refused",
                subject=f"{contract.operation}/{contract.version}",
                correlation_id=correlation_id,
                principal=None if visit is None else visit.caller.object_id,
                outcome="refused" if outcome.http_status < 500 else "failed",
                failure_type=None if failure is None else str(failure.type),
                detail={
                    "reason": None if failure is None else failure.reason,
                    **({} if error is None else {"error": f"{type(error).__name__}: {error}"}),
                },
            )
        )

    def _note(
        self,
        kind: str,
        subject: str,
        visit: Visit,
        *,
        outcome: str = "succeeded",
        duration_ms: float = 0.0,
        detail: Mapping[str, Any],
    ) -> None:
        self._recorder.record(
            Record(
                time_ns=int((self._clock() - duration_ms / 1000) * 1e9),
                tier=Tier.DATA,
                kind=kind,
                subject=subject,
                correlation_id=visit.correlation_id,
                principal=visit.caller.object_id,
                outcome=outcome,
                duration_ms=duration_ms,
                detail=detail,
            )
        )


def _declared(declared: Mapping[str, D], name: str, version: int, what: str) -> D:
    found = declared.get(name)
    if found is None or found.version != version:
        known = ", ".join(f"{n}/v{d.version}" for n, d in sorted(declared.items())) or "none"
        raise Refused(
            FailureType.NOT_FOUND,
            f"there is no {what} '{name}' v{version}; declared are: {known}",
            reason=f"{what}.unknown",
        )
    return found


def _looked_for(asked: ViewRequest) -> dict[str, list[Any]]:
    """The values of each filter. :raises Refused: ``validation_error`` for none or too many."""
    equal = {
        column: list(value) if isinstance(value, list) else [value]
        for column, value in asked.parameters.items()
    }
    empty = [column for column, values in equal.items() if not values]
    if empty:
        raise Refused(
            FailureType.VALIDATION_ERROR,
            f"give {', '.join(empty)} a value, or leave it out for all rows",
            reason="view.value",
        )
    count = sum(map(len, equal.values()))
    if count > MAX_VIEW_VALUES:
        raise Refused(
            FailureType.VALIDATION_ERROR,
            f"{count} values were sent; one call takes {MAX_VIEW_VALUES}: send them in parts",
            reason="view.values",
        )
    return equal


def _require_role(visit: Visit, role: str) -> None:
    if role not in visit.caller.roles:
        raise Refused(
            FailureType.FORBIDDEN,
            f"the calling principal lacks the role '{role}'",
            reason="role.missing",
        )


async def _body(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(
            FailureType.UNSUPPORTED_MEDIA_TYPE, "send application/json", reason="content_type"
        )
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise Refused(FailureType.PAYLOAD_TOO_LARGE, f"the body is over {MAX_BODY_BYTES} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _commit_outcome(
    results: Sequence[RecordResult], correlation_id: str, contract: ContractRef
) -> Outcome:
    bad = (RecordStatus.REJECTED, RecordStatus.CONFLICT)
    errors = [
        RowError(code=f"record.{each.status}", message=each.reason or "", record=each.record)
        for each in results
        if each.status in bad
    ]
    data = {
        "records": [
            {
                "record": each.record,
                "status": str(each.status),
                "id": each.row_id,
                "reason": each.reason,
            }
            for each in results
        ]
    }
    counts = dict(sorted(Counter(str(each.status) for each in results).items()))
    replayed = all(each.status is RecordStatus.ALREADY_PROCESSED for each in results)
    if errors and len(errors) == len(results):
        refused = Refused(
            FailureType.VALIDATION_ERROR, "no record could be committed", errors=errors
        )
        whole = refused.outcome(correlation_id=correlation_id, contract=contract)
        return whole.model_copy(update={"data": data, "counts": counts})
    return Outcome(
        status=Status.PARTIALLY_SUCCEEDED if errors else Status.SUCCEEDED,
        correlation_id=correlation_id,
        contract=contract,
        replayed=replayed,
        data=data,
        counts=counts,
        errors=errors,
    )
