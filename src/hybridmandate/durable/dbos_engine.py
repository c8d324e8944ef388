"""Durable work on DBOS 3.4: the engine behind :class:`hybridmandate.durable.port.Durable`.

What DBOS does: keep runs in the database, say which execution owns a run, refuse what an execution
that no longer owns it writes, and recover the runs of an executor. What is added here, and why, is
in design.md section 8: payloads are compared when an id is started again, steps are known by name
(:mod:`.steps`), committed for many runs together (:mod:`.journal`) and removed after the end of
their run (:mod:`.step_retention`), waiting is one query for all (:mod:`.watch`), and a heartbeat
hands a dead worker's work on (:mod:`.heartbeat`).

Everything is stored as JSON, never pickled: who can write the database must not be able to run
code in the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, ClassVar, TypeVar

import sqlalchemy as sa
from dbos import (
    DBOS,
    DBOSConfig,
    DBOSPortableJSONSerializer,
    SetWorkflowID,
)
from dbos import _dbos as dbos_module
from dbos import error as dbos_error
from dbos._context import current_owner_xid

from hybridmandate.durable.background import Told
from hybridmandate.durable.database import open_engine
from hybridmandate.durable.heartbeat import Heartbeat
from hybridmandate.durable.journal import StepJournal
from hybridmandate.durable.port import (
    Json,
    PayloadConflict,
    Run,
    Work,
    Workflow,
)
from hybridmandate.durable.runs import Runs
from hybridmandate.durable.step_retention import StepRetention
from hybridmandate.durable.step_table import StepTable
from hybridmandate.durable.steps import StepContext
from hybridmandate.durable.watch import Watch

MAX_RECOVERY_ATTEMPTS = 1000
"""Restarts that one run survives before it is set aside as failed: one that kills its process
each time must not do so for ever, and a run that waits for months sees many restarts."""

ENGINE_THREADS = 32
CANCEL_SECONDS = 5.0
INTERNAL_QUEUE = "_dbos_internal_queue"
RECOVERY_POLL_SECONDS = 0.1

T = TypeVar("T")

_started_here = contextvars.ContextVar("started_here", default=False)


def payload_digest(workflow: str, payload: Json) -> str:
    """Lower-case hex SHA-256 of a workflow's name and its payload as canonical JSON."""
    text = json.dumps([workflow, payload], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class DbosDurable:
    """The durable engine of this process; made by :func:`hybridmandate.durable.open_durable`."""

    _launched: ClassVar[DbosDurable | None] = None

    def __init__(
        self,
        *,
        name: str,
        url: str,
        executor_id: str,
        application_version: str,
        poll_seconds: float,
        lost_after_seconds: float,
        keep_steps_seconds: float,
        patience_seconds: float,
    ) -> None:
        self._engine = open_engine(url)
        self._runs = Runs(self._engine)
        steps = StepTable(self._engine)
        self._journal = StepJournal(
            steps, patience_seconds=patience_seconds, told=self._teller(Work.REMEMBERING)
        )
        self._retention = StepRetention(
            self._engine, keep_seconds=keep_steps_seconds, told=self._teller(Work.REMOVING)
        )
        self._told: Callable[[Work, str | None], None] | None = None
        self._config = _config(name, self._engine, executor_id, application_version)
        self._watch = Watch(self._engine, poll_seconds)
        self._heartbeat = Heartbeat(
            self._engine,
            application=name,
            application_version=application_version,
            executor_id=executor_id,
            lost_after_seconds=lost_after_seconds,
            recover=_recover,
            prepare=steps.prepare,
        )
        self._workflows: dict[str, Workflow] = {}
        self._functions: dict[str, Callable[..., Coroutine[Any, Any, Any]]] = {}
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._steps_in: Counter[str] = Counter()
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()

    def register(self, name: str, workflow: Workflow) -> None:
        if DbosDurable._launched is self:
            raise RuntimeError(f"register '{name}' before launch: recovery needs every workflow")
        if name in self._workflows:
            raise ValueError(f"a workflow '{name}' is registered already")
        self._workflows[name] = workflow

    def listen(self, told: Callable[[Work, str | None], None]) -> None:
        self._told = told

    async def launch(self) -> None:
        """As the port says; blocks the event loop while the database is made ready (~0.2 s).

        :raises RuntimeError: when another engine of this process has not been closed.
        """
        if DbosDurable._launched is not None:
            raise RuntimeError("this process has a durable engine already; close it first")
        DbosDurable._launched = self
        try:
            await asyncio.to_thread(self._heartbeat.announce)
            _silence()
            dbos = DBOS(config=self._config)
            # DBOS looks for recovered work once a second unless the queue exists already.
            dbos._registry._register_internal_queue(
                INTERNAL_QUEUE, polling_interval_sec=RECOVERY_POLL_SECONDS
            )
            for name, workflow in self._workflows.items():
                self._functions[name] = self._function(name, workflow)
            # On the event loop's own thread: DBOS adopts the loop that it is launched from.
            DBOS.launch()
        except BaseException:
            DbosDurable._launched = None
            DBOS.destroy(destroy_registry=True)
            raise
        self._watch.start()
        self._retention.start()
        self._heartbeat.start()

    async def close(self, *, grace_seconds: float) -> None:
        if DbosDurable._launched is not self:
            self._engine.dispose()
            return
        self._closing = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await self._idle.wait()
        await _cancel_executions()
        await self._watch.stop()
        await self._retention.stop()
        await self._journal.stop()
        loop = asyncio.get_running_loop()
        # DBOS made its own pool the loop's default and ends it now; others go on to use the loop's.
        loop.set_default_executor(ThreadPoolExecutor(thread_name_prefix="asyncio"))
        with ThreadPoolExecutor(1, "durable-close") as closer:
            await loop.run_in_executor(closer, self._heartbeat.stop)
            await loop.run_in_executor(closer, lambda: DBOS.destroy(destroy_registry=True))
            await loop.run_in_executor(closer, self._heartbeat.leave)
        self._engine.dispose()
        DbosDurable._launched = None

    async def start(self, workflow: str, run_id: str, payload: Json) -> bool:
        self._must_be_open()
        function = self._functions[workflow]
        digest = payload_digest(workflow, payload)

        async def begin() -> bool:
            _started_here.set(True)
            with SetWorkflowID(run_id, workflow_id_reuse_policy="reject"):
                try:
                    await DBOS.start_workflow_async(function, payload, digest)
                except dbos_error.DBOSWorkflowIDInUseError:
                    return False
            return True

        if await _outside(begin()):
            return True
        if await asyncio.to_thread(self._runs.digest, run_id) != digest:
            raise PayloadConflict(f"run '{run_id}' was started before with another payload")
        return False

    async def find(self, run_id: str) -> Run | None:
        return await asyncio.to_thread(self._runs.find, run_id)

    async def unknown(self, run_ids: Sequence[str]) -> set[str]:
        return await asyncio.to_thread(self._runs.unknown, run_ids)

    async def result(self, run_id: str, *, timeout_seconds: float | None) -> Run:
        await self._watch.end(run_id, timeout_seconds=timeout_seconds)
        run = await self.find(run_id)
        if run is None:
            raise RuntimeError(f"run '{run_id}' has ended and is not there")
        return run

    async def cancel(self, run_id: str) -> None:
        await _outside(DBOS.cancel_workflow_async(run_id))
        task = self._tasks.get(run_id)
        # In a step it ends by itself: DBOS refuses whatever a cancelled run does next.
        if task is not None and not self._steps_in[run_id]:
            task.cancel()

    def _function(self, name: str, workflow: Workflow) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def function(payload: Any, digest: Any) -> Any:
            return await self._execute(workflow, payload)

        decorate = DBOS.workflow(name=name, max_recovery_attempts=MAX_RECOVERY_ATTEMPTS)
        return decorate(function)

    async def _execute(self, workflow: Workflow, payload: Json) -> Json:
        run_id = DBOS.workflow_id
        task = asyncio.current_task()
        owner = None if run_id is None else current_owner_xid(run_id)
        if run_id is None or task is None or owner is None:
            raise RuntimeError("a workflow runs only as a task of the durable engine")
        self._tasks[run_id] = task
        # The task ends after DBOS has written the outcome.
        task.add_done_callback(lambda _: self._watch.kick())
        try:
            recorded: dict[str, Any] = {}
            if not _started_here.get():
                recorded = await asyncio.to_thread(self._journal.read, run_id)
            context = StepContext(
                run_id, owner, recorded, self._journal, lambda: self._work(run_id)
            )
            return await workflow(context, payload)
        finally:
            if self._tasks.get(run_id) is task:
                del self._tasks[run_id]

    async def _work(self, run_id: str) -> AbstractContextManager[None]:
        """The right to begin a step; never given while the engine closes."""
        if self._closing:
            await asyncio.Event().wait()
        return self._counted(run_id)

    @contextlib.contextmanager
    def _counted(self, run_id: str) -> Iterator[None]:
        self._steps_in[run_id] += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._steps_in[run_id] -= 1
            if not self._steps_in[run_id]:
                del self._steps_in[run_id]
            if not self._steps_in:
                self._idle.set()

    def _teller(self, work: Work) -> Told:
        def tell(trouble: str | None) -> None:
            if self._told is not None:
                self._told(work, trouble)

        return tell

    def _must_be_open(self) -> None:
        if DbosDurable._launched is not self or self._closing:
            raise RuntimeError("the durable engine is not running (not launched, or closing)")


def _config(name: str, engine: sa.Engine, executor_id: str, application_version: str) -> DBOSConfig:
    return {
        "name": name,
        "system_database_engine": engine,
        "executor_id": executor_id,
        "application_version": application_version,
        "serializer": DBOSPortableJSONSerializer(),
        "enable_otlp": False,
        # Waiting is the watch's; without these PostgreSQL needs no triggers and no listener.
        "use_listen_notify": False,
        "max_executor_threads": ENGINE_THREADS,
        "notification_listener_polling_interval_sec": 0.25,
    }


def _silence() -> None:
    """Keep DBOS off the console: it adds a handler of its own only when there is none."""
    logger = logging.getLogger("dbos")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def _instance() -> DBOS:
    """The launched DBOS of this process."""
    instance = dbos_module._dbos_global_instance
    if instance is None:
        raise RuntimeError("the durable engine is not running")
    return instance


def _recover(executor_id: str) -> None:
    DBOS._recover_pending_workflows([executor_id])


async def _cancel_executions() -> None:
    """End this process's executions without an outcome; their runs stay as they are recorded."""
    tasks = list(_instance()._workflow_tasks)
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=CANCEL_SECONDS)


async def _outside(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await outside of any workflow: inside one, DBOS would make a step or a child of it."""
    task = asyncio.get_running_loop().create_task(coroutine, context=contextvars.Context())
    return await task
