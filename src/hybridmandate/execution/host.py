"""The execution service as an ASGI app: routes, start, stop, and an outcome for everything."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hybridmandate.contracts import (
    Caller,
    FailureType,
    Outcome,
    Refused,
    Registry,
    Status,
    Versions,
    headers,
    is_correlation_id,
)
from hybridmandate.contracts.openapi import openapi_document
from hybridmandate.durable.port import Durable
from hybridmandate.evidence.record import Recorder
from hybridmandate.execution.answers import accepted_headers, outcome_response
from hybridmandate.execution.claims import Claims
from hybridmandate.execution.data_client import DataGatewayClient
from hybridmandate.execution.evidence_trail import Trail
from hybridmandate.execution.files import FileCatalogue, FileContent, FileStore
from hybridmandate.execution.jobs import Jobs
from hybridmandate.execution.operation_endpoint import Arrived, OperationEndpoint
from hybridmandate.execution.runner import Runner
from hybridmandate.execution.settings import INVOKE_ROLE, ExecutionSettings
from hybridmandate.identity.gateway_door import GatewayDoor, Visit
from hybridmandate.identity.principal import TokenVerifier

Handler = Callable[[Request, Arrived], Awaitable[Response]]
CLEAN_UP_EVERY_SECONDS = 3600.0
MAX_SUBJECT_CHARS = 100


def create_app(
    settings: ExecutionSettings,
    registry: Registry,
    *,
    verifier: TokenVerifier,
    recorder: Recorder,
    durable: Durable,
    engine: sa.Engine,
    content: FileContent,
    data: DataGatewayClient,
    clock: Callable[[], float] = time.time,
) -> Starlette:
    """The service. It launches the durable engine at its start and closes it at its stop.

    ``engine`` is the SQL engine of claims and files (``durable.database.open_engine``), ``content``
    where the bytes of files are, ``clock`` gives epoch seconds.
    """
    service = _Service(
        settings, registry, verifier, recorder, durable, engine, content, data, clock
    )
    app = Starlette(
        routes=[
            Route("/operations/{operation}/v{version:int}", service.operation, methods=["POST"]),
            Route("/jobs/{job}", service.job, methods=["GET"]),
            Route("/jobs/{job}/cancel", service.cancel, methods=["POST"]),
            Route("/openapi.json", service.openapi, methods=["GET"]),
            Route("/health/live", service.live, methods=["GET"]),
            Route("/health/ready", service.ready, methods=["GET"]),
        ],
        exception_handlers={HTTPException: service.no_such_place},
        lifespan=service.lifespan,
    )
    app.router.redirect_slashes = False
    return app


class _Service:
    def __init__(
        self,
        settings: ExecutionSettings,
        registry: Registry,
        verifier: TokenVerifier,
        recorder: Recorder,
        durable: Durable,
        engine: sa.Engine,
        content: FileContent,
        data: DataGatewayClient,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._durable = durable
        self._engine = engine
        self._clock = clock
        self._door = GatewayDoor(verifier, settings.gateway_app_id, INVOKE_ROLE)
        self._trail = Trail(recorder, clock)
        self._versions = Versions(service=settings.service_version, build=settings.build)
        self._claims = Claims(
            engine,
            process_id=settings.process_id,
            lease_seconds=settings.lease_seconds,
            clock=clock,
        )
        self._catalogue = FileCatalogue(engine)
        self._files = FileStore(
            content=content,
            catalogue=self._catalogue,
            recorder=recorder,
            readers=settings.file_readers,
            limit_bytes=settings.file_bytes,
            retention_seconds=settings.file_retention_seconds,
            clock=clock,
        )
        runner = Runner(self._files, data, self._trail, clock, self._versions)
        self._jobs = Jobs(registry, self._claims, durable, runner, self._trail, clock)
        self._operations = OperationEndpoint(
            settings, registry, self._claims, self._jobs, runner, self._trail, clock
        )
        self._document = openapi_document(
            registry,
            title=settings.title,
            version=settings.service_version,
            server_url=settings.server_url,
        )
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._serving = False

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        self._settings.spool_folder.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(self._catalogue.open)
        await asyncio.to_thread(self._claims.open)
        await self._durable.launch()
        cleaner = asyncio.create_task(self._clean_up())
        self._serving = True
        try:
            yield
        finally:
            self._serving = False
            cleaner.cancel()
            until = time.monotonic() + self._settings.grace_seconds
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.grace_seconds):
                    await self._idle.wait()
            await self._durable.close(grace_seconds=max(0.0, until - time.monotonic()))
            await asyncio.to_thread(self._claims.close)

    async def operation(self, request: Request) -> Response:
        return await self._answered(request, self._operations.serve)

    async def job(self, request: Request) -> Response:
        async def state(request: Request, arrived: Arrived) -> Response:
            return await self._job_response(request, arrived, self._jobs.state)

        return await self._answered(request, state)

    async def cancel(self, request: Request) -> Response:
        async def cancel(request: Request, arrived: Arrived) -> Response:
            return await self._job_response(request, arrived, self._jobs.cancel)

        return await self._answered(request, cancel)

    async def openapi(self, request: Request) -> Response:
        async def document(_request: Request, _arrived: Arrived) -> Response:
            return JSONResponse(self._document)

        return await self._answered(request, document)

    async def no_such_place(self, request: Request, error: Exception) -> Response:
        """Unknown paths and methods, told only to who may call at all."""
        allow = error.headers or {} if isinstance(error, HTTPException) else {}

        async def refuse(_request: Request, _arrived: Arrived) -> Response:
            raise Refused(
                FailureType.NOT_FOUND,
                f"there is no {request.method} {request.url.path[:MAX_SUBJECT_CHARS]}",
                reason="method.unknown" if allow else "path.unknown",
            )

        response = await self._answered(request, refuse)
        response.headers.update(allow)
        return response

    async def live(self, _request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(self, _request: Request) -> Response:
        reachable = self._serving and await asyncio.to_thread(self._database_answers)
        status = "ready" if reachable else "notReady"
        return JSONResponse({"status": status}, status_code=200 if reachable else 503)

    async def _job_response(
        self,
        request: Request,
        arrived: Arrived,
        action: Callable[[str, Caller], Awaitable[Outcome]],
    ) -> Response:
        job = request.path_params["job"]
        outcome = await action(job, arrived.visit.caller)
        self._trail.write(
            "job.cancelled" if request.method == "POST" else "job.read",
            job,
            correlation_id=arrived.visit.correlation_id,
            caller=arrived.visit.caller,
            outcome=outcome.status,
            failure_type=None if outcome.failure is None else outcome.failure.type,
            started=arrived.at,
            duration_ms=arrived.elapsed_ms,
        )
        extra = {headers.CORRELATION_ID: arrived.visit.correlation_id}
        if outcome.status is Status.ACCEPTED:
            extra |= accepted_headers(
                self._settings.location_prefix, job, self._settings.poll_after_seconds
            )
        return outcome_response(outcome, extra)

    async def _answered(self, request: Request, handler: Handler) -> Response:
        """The handler's response behind the door, or the outcome of what went wrong."""
        at, ticks = self._clock(), time.perf_counter()
        visit: Visit | None = None
        self._in_flight += 1
        self._idle.clear()
        try:
            visit = await self._door.enter(request)
            if not self._serving:
                raise Refused(
                    FailureType.DOWNSTREAM_UNAVAILABLE,
                    "this process is starting or stopping; send the call again",
                    reason="service.stopping",
                    retry_after_seconds=1,
                )
            return await handler(request, Arrived(visit, at, ticks))
        except Refused as refused:
            return self._refused(request, refused, visit, at, ticks)
        except Exception as error:
            # Whatever it was, the caller gets an outcome and nothing of the inside.
            self._trail.crashed(
                error,
                _subject(request),
                None if visit is None else visit.correlation_id,
                None if visit is None else visit.caller,
            )
            broken = Refused(
                FailureType.INTERNAL_ERROR,
                "the service broke on this call; the evidence says where",
                reason="service.crashed",
            )
            return self._refused(request, broken, visit, at, ticks)
        finally:
            self._in_flight -= 1
            if self._in_flight == 0:
                self._idle.set()

    def _refused(
        self, request: Request, refused: Refused, visit: Visit | None, at: float, ticks: float
    ) -> Response:
        sent = request.headers.get(headers.CORRELATION_ID)
        correlation_id = sent if is_correlation_id(sent) else None
        elapsed = (time.perf_counter() - ticks) * 1000
        self._trail.refused(
            refused,
            _subject(request),
            correlation_id=correlation_id,
            caller=None if visit is None else visit.caller,
            started=at,
            duration_ms=elapsed,
            bytes_in=0,
        )
        outcome = refused.outcome(correlation_id=correlation_id, duration_ms=round(elapsed))
        return outcome_response(outcome.model_copy(update={"versions": self._versions}), {})

    def _database_answers(self) -> bool:
        try:
            with self._engine.connect() as connection:
                connection.execute(sa.text("SELECT 1"))
        except sa.exc.DBAPIError:
            return False
        return True

    async def _clean_up(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self._claims.forget_expired)
                await self._files.clean_up()
            except (OSError, sa.exc.DBAPIError) as error:
                self._trail.crashed(error, "clean_up", None, None)
            await asyncio.sleep(CLEAN_UP_EVERY_SECONDS)


def _subject(request: Request) -> str:
    """What evidence calls a request that reached no contract: method and path, cut."""
    return f"{request.method} {request.url.path}"[:MAX_SUBJECT_CHARS]
