"""The flows process: request triggers for workloads, runs for the operator on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hybridmandate.contracts import FailureType, Refused, is_correlation_id, response_headers
from hybridmandate.contracts import headers as names
from hybridmandate.durable.port import Durable, Work
from hybridmandate.evidence.record import Record, Recorder, Tier
from hybridmandate.identity.principal import TokenVerifier
from hybridmandate.orchestration.connectors import ConnectorHost, ConnectorSettings
from hybridmandate.orchestration.connectors.session import content_bytes
from hybridmandate.orchestration.definition import Flow, FlowDocument
from hybridmandate.orchestration.history import RunHistory
from hybridmandate.orchestration.limits import Licence, Profile
from hybridmandate.orchestration.shells.catalogue import FlowCatalogue
from hybridmandate.orchestration.shells.durable import FlowHost
from hybridmandate.orchestration.shells.json_values import json_values
from hybridmandate.orchestration.shells.request_windows import RequestWindows
from hybridmandate.orchestration.shells.unfinished_runs import UnfinishedRuns
from hybridmandate.orchestration.triggers.polled import polled_trigger
from hybridmandate.orchestration.triggers.polling import Polling
from hybridmandate.orchestration.triggers.request import RequestAnswer, RequestTrigger
from hybridmandate.orchestration.triggers.schedule import Schedule

Handler = Callable[[Request], Awaitable[Response]]
MAX_RUNS = 500
OPERATOR = "operator"
"""Who acts with the operator token, as the evidence names them."""


@dataclass(frozen=True, slots=True)
class FlowsSettings:
    """How the flows process behaves.

    ``operator_token`` opens the run endpoints to the command line on this machine, ``variables``
    are the environment variables by schema name, ``poll_seconds`` how often folders are read,
    ``respond_seconds`` how long a caller waits for a flow's response (limits page: 120 s),
    ``anyone_may_trigger`` that this is a test environment, where triggers open to anyone are
    served, ``max_body_bytes`` the largest trigger body, ``grace_seconds`` how long a stop waits
    for calls in flight, ``profile`` the performance profile whose limits hold, ``licence`` that of
    the flows' owner (None: requests are counted by flow only), ``default_retry`` the policy of
    actions that name none (that of the profile when None).
    """

    operator_token: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    poll_seconds: float = 1.0
    respond_seconds: float = 120.0
    anyone_may_trigger: bool = False
    max_body_bytes: int = 8 * 1024 * 1024
    grace_seconds: float = 10.0
    default_retry: Mapping[str, Any] | None = None
    profile: Profile = Profile.MEDIUM
    licence: Licence | None = None

    def __post_init__(self) -> None:
        if not self.operator_token:
            raise ValueError("the flows process needs an operator token")


def create_app(
    settings: FlowsSettings,
    *,
    documents: Sequence[FlowDocument],
    connections: Mapping[str, ConnectorSettings],
    durable: Durable,
    history: Engine,
    recorder: Recorder,
    verifier: TokenVerifier,
    clock: Callable[[], float] = time.time,
) -> Starlette:
    """The flows process as an ASGI application; its lifespan launches ``durable`` and closes it.

    :raises DefinitionInvalid: when a flow cannot be loaded.
    :raises ValueError: when a connection is not simulated, or two flows have one name.
    """
    kept = RunHistory(history)
    windows = RequestWindows(history, clock)
    connectors = ConnectorHost(connections)
    host = FlowHost(
        flows=FlowCatalogue(documents, kept, settings.profile),
        durable=durable,
        services=connectors,
        history=kept,
        recorder=recorder,
        clock=clock,
        variables=settings.variables,
        default_retry=settings.default_retry,
        profile=settings.profile,
        licence=settings.licence,
        windows=windows,
    )
    left = UnfinishedRuns(history)
    process = _Process(settings, host, connectors, durable, recorder, clock, windows, left)
    durable.listen(process.told)
    requests = RequestTrigger(
        host,
        verifier,
        max_body_bytes=settings.max_body_bytes,
        respond_seconds=settings.respond_seconds,
        anyone=settings.anyone_may_trigger,
    )
    return Starlette(
        routes=_routes(process, requests),
        lifespan=process.lifespan,
        exception_handlers={HTTPException: _no_such_place, Exception: _broken},
    )


class _Process:
    """What the endpoints share: the host, its pollers, whether it is ready."""

    def __init__(
        self,
        settings: FlowsSettings,
        host: FlowHost,
        connectors: ConnectorHost,
        durable: Durable,
        recorder: Recorder,
        clock: Callable[[], float],
        windows: RequestWindows,
        left: UnfinishedRuns,
    ) -> None:
        self.settings = settings
        self.host = host
        self._connectors = connectors
        self._durable = durable
        self._recorder = recorder
        self._clock = clock
        self._windows = windows
        self._left = left
        self._pollings: dict[str, Polling | Schedule] = {}
        self.launched = False
        self.remembers = True
        """Whether the durable engine can remember what runs do."""

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Launch durable work, then triggers; stop in the other order."""
        await self._durable.launch()
        await self.host.launch()
        await self.host.start_left(self._left)
        tasks = [asyncio.create_task(polling.run()) for polling in self._triggers()]
        self.launched = True
        try:
            yield
        finally:
            self.launched = False
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.host.close()
            await self._durable.close(grace_seconds=self.settings.grace_seconds)
            await self._windows.close()
            await self._connectors.close()

    def told(self, work: Work, trouble: str | None) -> None:
        """Write in the evidence what the durable engine cannot do and why, or that it can again."""
        if work is Work.REMEMBERING:
            self.remembers = trouble is None
        self._recorder.record(
            Record(
                time_ns=round(self._clock() * 1_000_000_000),
                tier=Tier.FLOW,
                kind="flow.durable",
                subject=work.value,
                outcome="succeeded" if trouble is None else "failed",
                detail={} if trouble is None else {"reason": trouble},
            )
        )

    def troubles(self) -> dict[str, str]:
        """Flows whose trigger does not work right now, and why."""
        return {
            name: polling.failure
            for name, polling in self._pollings.items()
            if polling.failure is not None
        }

    def may_operate(self, request: Request) -> None:
        """:raises Refused: when the caller does not hold the operator token."""
        given = request.headers.get("authorization", "")
        wanted = f"Bearer {self.settings.operator_token}"
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            raise Refused(
                FailureType.UNAUTHORIZED,
                "runs are shown to the operator of this machine only",
                reason="operator.token",
            )

    def _triggers(self) -> list[Polling | Schedule]:
        for flow in self.host.flows.all():
            if flow.trigger.type == "Request":
                continue
            polling = self._polling(flow)
            if polling is None:
                self._not_simulated(flow)
                continue
            self._pollings[flow.name] = polling
        return list(self._pollings.values())

    def _polling(self, flow: Flow) -> Polling | Schedule | None:
        if flow.trigger.type in ("Recurrence", "SlidingWindow"):
            return Schedule(flow, self.host)
        connector = self._connectors.trigger_connector(flow)
        return polled_trigger(flow, connector, self.host, seconds=self.settings.poll_seconds)

    def _not_simulated(self, flow: Flow) -> None:
        """Say in the evidence that a flow will not start by itself here."""
        self._recorder.record(
            Record(
                time_ns=round(self._clock() * 1_000_000_000),
                tier=Tier.FLOW,
                kind="flow.trigger",
                subject=flow.trigger.name,
                outcome="refused",
                detail={
                    "flow": flow.name,
                    "type": flow.trigger.type,
                    "operation": flow.trigger.operation_id,
                    "reason": "not simulated",
                },
            )
        )


def _routes(process: _Process, requests: RequestTrigger) -> list[Route]:
    async def live(request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(request: Request) -> Response:
        troubles = process.troubles()
        well = process.launched and process.remembers and not troubles
        shown = {
            "status": "ready" if well else "not ready",
            "triggers": sorted(troubles),
            "remembers": process.remembers,
        }
        return JSONResponse(shown, status_code=200 if well else 503)

    async def trigger(request: Request) -> Response:
        with contextlib.suppress(KeyError):
            process.host.must_admit(request.path_params["name"])
        return rendered(await requests.answer(request))

    async def later(request: Request) -> Response:
        return rendered(await requests.poll(request))

    def rendered(answer: RequestAnswer) -> Response:
        if answer.body is None:
            return Response(status_code=answer.status, headers=dict(answer.headers))
        data, kind = content_bytes(json_values(answer.body))
        headers = {"content-type": kind, **{k.lower(): v for k, v in answer.headers.items()}}
        return Response(data, status_code=answer.status, headers=headers)

    async def runs(request: Request) -> Response:
        process.may_operate(request)
        flow = request.query_params.get("flow")
        found = await asyncio.to_thread(process.host.history.runs, flow=flow, limit=MAX_RUNS)
        return JSONResponse({"runs": json_values([each.to_json() for each in found])})

    async def run(request: Request) -> Response:
        process.may_operate(request)
        run_id = request.path_params["id"]
        stored = await asyncio.to_thread(process.host.history.find, run_id)
        if stored is None:
            raise _no_run(run_id)
        actions = await asyncio.to_thread(process.host.history.actions, run_id)
        return JSONResponse(json_values({**stored.to_json(), "actions": actions}))

    async def resubmit(request: Request) -> Response:
        process.may_operate(request)
        run_id = request.path_params["id"]
        try:
            started = await process.host.resubmit(run_id)
        except KeyError:
            raise _no_run(run_id) from None
        return JSONResponse({"runId": started}, status_code=202)

    async def cancel(request: Request) -> Response:
        process.may_operate(request)
        run_id = request.path_params["id"]
        reason = request.query_params.get("reason") or "cancelled by the operator"
        try:
            ends = await process.host.cancel(run_id, reason, actor=OPERATOR)
        except KeyError:
            raise _no_run(run_id) from None
        if not ends:
            raise Refused(
                FailureType.CONFLICT, f"the run '{run_id}' has ended already", reason="run.ended"
            )
        return JSONResponse({"runId": run_id}, status_code=202)

    return [
        Route("/health/live", live),
        Route("/health/ready", ready),
        Route("/flows/{name}/triggers/{trigger}", _refusing(trigger), methods=["POST"]),
        Route("/flows/{name}/triggers/{trigger}/runs/{id}", _refusing(later)),
        Route("/runs", _refusing(runs)),
        Route("/runs/{id}", _refusing(run)),
        Route("/runs/{id}/resubmit", _refusing(resubmit), methods=["POST"]),
        Route("/runs/{id}/cancel", _refusing(cancel), methods=["POST"]),
    ]


def _no_run(run_id: str) -> Refused:
    return Refused(FailureType.NOT_FOUND, f"there is no such run '{run_id}'", reason="run.unknown")


def _refusing(handler: Handler) -> Handler:
    """Render a refusal in the one error shape of every tier."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except Refused as refused:
            return _rendered(refused, request)

    return handle


def _rendered(refused: Refused, request: Request) -> Response:
    given = request.headers.get(names.CORRELATION_ID)
    outcome = refused.outcome(correlation_id=given if is_correlation_id(given) else None)
    headers = dict(response_headers(outcome))
    return JSONResponse(outcome.to_json(), status_code=outcome.http_status, headers=headers)


async def _no_such_place(request: Request, error: Exception) -> Response:
    message = f"there is no {request.method} {request.url.path} here"
    refused = Refused(FailureType.NOT_FOUND, message, reason="path.unknown")
    return _rendered(refused, request)


async def _broken(request: Request, error: Exception) -> Response:
    refused = Refused(
        FailureType.INTERNAL_ERROR, f"the flows process broke: {type(error).__name__}"
    )
    return _rendered(refused, request)
