"""The stand-in for Dataverse as an ASGI application: who calls, limits, transactions, evidence."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from hybridmandate.contracts import is_correlation_id
from hybridmandate.evidence.record import Record, Recorder, Tier
from hybridmandate.identity.principal import Principal, TokenRefused, TokenVerifier
from hybridmandate.twin.dataverse.batch import ChangeSet, Part, format_answers, parse_batch, resolve
from hybridmandate.twin.dataverse.caller import Actor, Caller, Privileges
from hybridmandate.twin.dataverse.errors import DataverseError, bad_request, unsupported
from hybridmandate.twin.dataverse.exchange import ApiAnswer, ApiRequest
from hybridmandate.twin.dataverse.faults import Faults
from hybridmandate.twin.dataverse.presentation import Presentation
from hybridmandate.twin.dataverse.protection import Protection, ProtectionLimits
from hybridmandate.twin.dataverse.search import Search
from hybridmandate.twin.dataverse.store import DataverseStore, Transaction
from hybridmandate.twin.dataverse.web_api import WebApi

MAX_BODY_BYTES = 120 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class DataverseSettings:
    """``origin`` is the organisation's address; ``privileges`` what each application may do."""

    origin: str
    organization_id: str
    privileges: Mapping[str, Privileges]
    """Application id → table → privileges."""
    limits: ProtectionLimits = field(default_factory=ProtectionLimits)


def create_app(
    settings: DataverseSettings,
    store: DataverseStore,
    verifier: TokenVerifier,
    recorder: Recorder,
    *,
    clock: Callable[[], float] = time.time,
    faults: Faults | None = None,
) -> Starlette:
    """The stand-in; ``verifier`` accepts tokens whose audience is the organisation's origin."""
    service = _Service(settings, store, verifier, recorder, clock, faults or Faults())

    async def alive(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    methods = ["GET", "POST", "PATCH", "PUT", "DELETE"]
    return Starlette(
        routes=[
            Route("/health/live", alive),
            Route("/health/ready", alive),
            Route("/api/data/{version}/{path:path}", service.serve, methods=methods),
            Route("/api/search/{version}/{path:path}", service.serve, methods=methods),
        ]
    )


class _Service:
    def __init__(
        self,
        settings: DataverseSettings,
        store: DataverseStore,
        verifier: TokenVerifier,
        recorder: Recorder,
        clock: Callable[[], float],
        faults: Faults,
    ) -> None:
        self._settings = settings
        self._store = store
        self._verifier = verifier
        self._recorder = recorder
        self._clock = clock
        self._faults = faults
        self._protection = Protection(settings.limits, clock)
        self._api = WebApi(store, settings.origin, settings.organization_id)
        self._search = Search(store)

    async def serve(self, request: Request) -> Response:
        """One HTTP request, also a batch."""
        started = time.perf_counter()
        at = self._clock()
        principal: Principal | None = None
        body = b""
        try:
            principal = await self._identify(request)
            body = await _body(request)
            response = await self._protected(request, principal, body)
        except DataverseError as error:
            response = _response(ApiAnswer.of_error(error))
        took = (time.perf_counter() - started) * 1000
        self._note(request, response, principal, at, took, len(body))
        return response

    async def _identify(self, request: Request) -> Principal:
        try:
            principal = await self._verifier.verify(request.headers.get("authorization"))
        except TokenRefused as refused:
            challenge = {"www-authenticate": "Bearer"} if refused.status == 401 else {}
            raise DataverseError(refused.status, "0x80048306", refused.message, challenge) from None
        if principal.app_id not in self._settings.privileges:
            raise DataverseError(
                403,
                "0x80072560",
                "The user is not a member of the organization: there is no application user "
                f"for {principal.app_id}.",
            )
        return principal

    async def _protected(self, request: Request, principal: Principal, body: bytes) -> Response:
        admission = self._protection.enter(principal.object_id)
        started = time.perf_counter()
        try:
            if self._faults.delay:
                await asyncio.sleep(self._faults.delay)
            if self._faults.fail_next:
                status = self._faults.fail_next.pop(0)
                after = {"retry-after": str(self._faults.retry_after)}
                code = "0x80072322" if status == 429 else "0x80040216"
                raise DataverseError(status, code, "A fault on purpose.", after)
            caller = Caller(Actor(principal.object_id), self._settings.privileges[principal.app_id])
            response = await run_in_threadpool(self._answer, request, caller, body)
        finally:
            left = admission.leave(time.perf_counter() - started)
        response.headers["x-ms-ratelimit-burst-remaining-xrm-requests"] = str(left)
        writes = request.method != "GET" and response.status_code < 400
        if self._faults.cut_after_commit and writes:
            self._faults.cut_after_commit -= 1
            self._faults.committed.set()
            return _Cut(status_code=response.status_code)
        return response

    def _answer(self, request: Request, caller: Caller, body: bytes) -> Response:
        if request.url.path.startswith("/api/search/"):
            return self._searched(request, caller, body)
        if request.path_params["version"] not in ("v9.0", "v9.1", "v9.2"):
            raise DataverseError(404, "0x8006088a", "There is no such version of the Web API.")
        headers = dict(request.headers)
        path = request.path_params["path"]
        if path == "$batch":
            if request.method != "POST":
                raise bad_request("$batch is POSTed.")
            return self._batch(headers, body, caller)
        query = f"?{request.url.query}" if request.url.query else ""
        one = ApiRequest.of(request.method, f"/{path}{query}", headers, body)
        one = ApiRequest(one.method, path, one.query, one.headers, body)
        with self._transaction(one) as rows:
            return _response(self._api.answer(one, caller, rows))

    def _searched(self, request: Request, caller: Caller, body: bytes) -> Response:
        if request.url.path != "/api/search/v1.0/query" or request.method != "POST":
            raise unsupported(f"{request.method} {request.url.path}")
        asked = ApiRequest("POST", "query", {}, dict(request.headers), body)
        with self._store.reading() as rows:
            shown = Presentation.of(asked, self._store, caller, rows, self._settings.origin)
            return _response(self._search.answer(asked, caller, rows, shown))

    def _transaction(self, request: ApiRequest) -> AbstractContextManager[Transaction]:
        return self._store.reading() if request.method == "GET" else self._store.transaction()

    def _batch(self, headers: Mapping[str, str], body: bytes, caller: Caller) -> Response:
        parts = parse_batch(headers.get("content-type", ""), body)
        go_on = "odata.continue-on-error" in headers.get("prefer", "").lower()
        answers: list[Part | list[Part]] = []
        status = 200
        for part in parts:
            if isinstance(part, ChangeSet):
                done, failed = self._change_set(part, caller)
                answers.append(done)
            else:
                answer = self._inner(part.request, caller)
                failed = answer.status if answer.status >= 400 else None
                answers.append((part.content_id, answer))
            if failed is not None and not go_on:
                # Without continue-on-error the outer status is the failing one.
                status = failed
                break
        kind, content = format_answers(answers)
        return Response(content, status_code=status, headers={"content-type": kind, **_ODATA})

    def _inner(self, request: ApiRequest, caller: Caller) -> ApiAnswer:
        try:
            with self._transaction(request) as rows:
                return self._api.answer(request, caller, rows)
        except DataverseError as error:
            return ApiAnswer.of_error(error)

    def _change_set(self, change_set: ChangeSet, caller: Caller) -> tuple[list[Part], int | None]:
        try:
            with self._store.transaction() as rows:
                return self._changes(change_set, caller, rows), None
        except _ItemFailed as failed:
            return [(failed.content_id, ApiAnswer.of_error(failed.error))], failed.error.status

    def _changes(self, change_set: ChangeSet, caller: Caller, rows: Transaction) -> list[Part]:
        made: dict[str, str] = {}
        done: list[Part] = []
        for item in change_set.items:
            try:
                answer = self._api.answer(resolve(item.request, made), caller, rows)
            except DataverseError as error:
                raise _ItemFailed(item.content_id, error) from None
            if item.content_id is not None and "odata-entityid" in answer.headers:
                made[item.content_id] = answer.headers["odata-entityid"]
            done.append((item.content_id, answer))
        return done

    def _note(
        self,
        request: Request,
        response: Response,
        principal: Principal | None,
        at: float,
        duration_ms: float,
        bytes_in: int,
    ) -> None:
        given = request.headers.get("x-ms-correlation-id") or request.headers.get(
            "x-correlation-id"
        )
        status = response.status_code
        self._recorder.record(
            Record(
                time_ns=int(at * 1e9),
                tier=Tier.DATAVERSE,
                kind="dataverse.request",
                subject=f"{request.method} {request.path_params['path'].partition('(')[0][:200]}",
                correlation_id=given if is_correlation_id(given) else None,
                principal=None if principal is None else principal.object_id,
                outcome="succeeded" if status < 400 else "refused" if status < 500 else "failed",
                failure_type=_FAILURES.get(status),
                duration_ms=duration_ms,
                bytes_in=bytes_in,
                bytes_out=len(response.body),
                detail={"status": status, "answer": "lost"}
                if isinstance(response, _Cut)
                else {"status": status},
            )
        )


class _ItemFailed(Exception):
    """An item of a change set failed: the whole set is undone."""

    def __init__(self, content_id: str | None, error: DataverseError) -> None:
        super().__init__(error.message)
        self.content_id = content_id
        self.error = error


class _Cut(Response):
    """An answer that is lost: the connection ends in the middle of it, after the work is done.

    Servers answer 500 for an application that fails before it began to answer; so this begins an
    answer, which says nothing of the work, and breaks off before the byte that it promises.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": 502,
                "headers": [(b"content-length", b"1")],
            }
        )
        raise ConnectionAbortedError("the answer is lost on purpose")


_ODATA = {"odata-version": "4.0"}
_FAILURES = {
    400: "malformed_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    412: "conflict",
    413: "payload_too_large",
    429: "throttled",
    500: "internal_error",
    501: "malformed_request",
    503: "downstream_unavailable",
}


def _response(answer: ApiAnswer) -> Response:
    headers = {**_ODATA, **answer.headers, "req_id": str(uuid.uuid4())}
    if answer.data is not None:
        headers["content-type"] = "application/octet-stream"
        return Response(answer.data, status_code=answer.status, headers=headers)
    if answer.body is None:
        return Response(status_code=answer.status, headers=headers)
    headers["content-type"] = "application/json; odata.metadata=minimal"
    return Response(answer.content(), status_code=answer.status, headers=headers)


async def _body(request: Request) -> bytes:
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise DataverseError(413, "0x80048d19", "The request is too large.")
        chunks.append(chunk)
    return b"".join(chunks)
