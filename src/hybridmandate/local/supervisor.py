"""Starts the processes of a run, keeps them alive, and stops them gracefully.

A process that ends by itself is started again; one that fails again and again ends the run with
the tail of its log. Each process holds the reading end of a pipe: when the supervisor dies, however
it dies, the pipe closes and the process stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from hybridmandate.local.run_plan import RunPlan

RESTART_DELAYS = (0.1, 0.3, 1.0, 3.0, 5.0)
STEADY_SECONDS = 20.0
"""A process that ran this long is steady: its next end is not counted as a repeated failure."""
STOP_SECONDS = 15.0
TAIL_LINES = 15

ReadyCheck = Callable[[str], Awaitable[bool]]
"""Whether a process answers that it is ready."""


class RunFailed(Exception):
    """A process could not be started or kept alive; the message holds the tail of its log."""


@dataclass(slots=True)
class _Child:
    name: str
    process: subprocess.Popen[bytes]
    lifeline: IO[bytes]
    started_at: float
    failures: int = 0


@dataclass(slots=True)
class Supervisor:
    """The processes of one run.

    ``environment`` gives a process its variables (its identity's endpoint and secret, nothing of
    others); ``ready`` asks a process whether it is ready.
    """

    plan: RunPlan
    names: Sequence[str]
    environment: Callable[[str], Mapping[str, str]]
    ready: ReadyCheck
    clock: Callable[[], float] = time.monotonic
    _children: dict[str, _Child] = field(default_factory=dict)
    _watching: asyncio.Task[None] | None = None
    _failed: asyncio.Future[None] | None = None

    async def start(self, *, timeout_seconds: float) -> None:
        """Start all processes and wait until each is ready.

        :raises RunFailed: when one does not become ready in time.
        """
        self._failed = asyncio.get_running_loop().create_future()
        for name in self.names:
            self._children[name] = self._spawn(name)
        self._watching = asyncio.create_task(self._watch())
        deadline = self.clock() + timeout_seconds
        waiting = set(self.names)
        while waiting:
            self.raise_if_failed()
            for name in sorted(waiting):
                if await self.ready(name):
                    waiting.discard(name)
            if waiting and self.clock() > deadline:
                name = sorted(waiting)[0]
                raise RunFailed(f"'{name}' did not become ready:\n{self._tail(name)}")
            await asyncio.sleep(0.05)

    async def wait(self) -> None:
        """Wait until the run has failed. :raises RunFailed: always, unless cancelled."""
        if self._failed is not None:
            await asyncio.shield(self._failed)

    def raise_if_failed(self) -> None:
        """:raises RunFailed: when a process could not be kept alive."""
        if self._failed is not None and self._failed.done():
            self._failed.result()

    def kill(self, name: str) -> None:
        """End a process at once, as a crash would; it is started again."""
        self._children[name].process.kill()

    async def pause(self, name: str) -> None:
        """Stop a process and leave it stopped until :meth:`resume`."""
        child = self._children.pop(name)
        await self._end(child)

    def resume(self, name: str) -> None:
        """Start a paused process again."""
        self._children[name] = self._spawn(name)

    async def stop(self) -> None:
        """Stop all processes: politely first, then by force."""
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        # Callers first: flows, then the services that they call.
        for name in reversed(list(self._children)):
            await self._end(self._children[name])
        self._children.clear()

    async def _end(self, child: _Child) -> None:
        with contextlib.suppress(OSError):
            child.lifeline.close()
        if os.name != "nt":
            with contextlib.suppress(ProcessLookupError):
                child.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(child.process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.process.kill()
            await asyncio.to_thread(child.process.wait)

    async def _watch(self) -> None:
        while True:
            for name, child in list(self._children.items()):
                if child.process.poll() is not None:
                    await self._restart(name, child)
            await asyncio.sleep(0.05)

    async def _restart(self, name: str, ended: _Child) -> None:
        steady = self.clock() - ended.started_at >= STEADY_SECONDS
        failures = 1 if steady else ended.failures + 1
        with contextlib.suppress(OSError):
            ended.lifeline.close()
        if failures > len(RESTART_DELAYS):
            message = f"'{name}' ended {failures} times in a row:\n{self._tail(name)}"
            if self._failed is not None and not self._failed.done():
                self._failed.set_exception(RunFailed(message))
            self._children.pop(name, None)
            return
        await asyncio.sleep(RESTART_DELAYS[failures - 1])
        if self._children.get(name) is ended:
            self._children[name] = self._spawn(name)
            self._children[name].failures = failures

    def _spawn(self, name: str) -> _Child:
        log = self.plan.folder.log(name)
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "hybridmandate.local.process", name, self.plan.state],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=dict(self.environment(name)),
                # Ctrl-C at the terminal is for the supervisor, which stops the others in order.
                start_new_session=os.name != "nt",
            )
        if process.stdin is None:  # pragma: no cover - PIPE was asked for
            raise RunFailed(f"'{name}' could not be started")
        return _Child(name, process, process.stdin, self.clock())

    def _tail(self, name: str) -> str:
        try:
            lines = self.plan.folder.log(name).read_text("utf-8", "replace").splitlines()
        except OSError:
            return "(it wrote no log)"
        return "\n".join(lines[-TAIL_LINES:]) or "(its log is empty)"
