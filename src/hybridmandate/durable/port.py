"""The port to the durable engine: what flows and jobs need of it, and no more.

A *workflow* is an async function of (DurableContext, payload) whose steps are remembered: after a
crash it runs again from the top, and every step that had finished returns its remembered result
without running. Payloads and step results are JSON values.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

Json = Any
"""A JSON value: None, bool, int, float, str, list or dict of JSON values."""


class RunState(StrEnum):
    """Where a workflow stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Run:
    """A workflow as the engine knows it; times are epoch seconds."""

    id: str
    workflow: str
    state: RunState
    result: Json | None
    error: str | None
    created_at: float
    updated_at: float


class Work(StrEnum):
    """What the engine does with the steps of runs."""

    REMEMBERING = "steps"
    """Runs cannot go on without it."""
    REMOVING = "retention"
    """Without it the database grows; runs go on."""


class PayloadConflict(Exception):
    """The same workflow id was started before with another payload."""


class StepFailed(Exception):
    """A step's action raised; remembered, so a replay raises the same without running it again.

    ``error_type`` is the class name of what the action raised and ``message`` its text: that is
    all that a restart keeps of an exception. On the first run ``__cause__`` is the exception
    itself, which a workflow must not decide by. An action that wants a decision returns a value.
    """

    def __init__(self, step: str, error_type: str, message: str) -> None:
        super().__init__(f"step {step}: {error_type}: {message}")
        self.step = step
        self.error_type = error_type
        self.message = message


class StepUnwritable(Exception):
    """The database is well and will not take what a step gave; it would not after a restart."""

    def __init__(self, step: str, message: str) -> None:
        super().__init__(f"step {step} cannot be remembered: {message}")
        self.step = step


class DurableContext(Protocol):
    """What a running workflow may do that is remembered."""

    @property
    def id(self) -> str:
        """The workflow's id."""

    async def step(self, name: str, action: Callable[[], Awaitable[Json]]) -> Json:
        """Run an effect once and remember its result; a crash inside it runs it again.

        A step is known by its name and how often that name came before, so branches that run side
        by side in one workflow must use different names (an action's name, not 'call').
        :raises StepFailed: when the action raised, now or before a restart.
        :raises StepUnwritable: when the database will not take its result.
        """

    async def now(self) -> float:
        """Epoch seconds, remembered."""


Workflow = Callable[[DurableContext, Json], Awaitable[Json]]


class Durable(Protocol):
    """The durable engine of one process."""

    def register(self, name: str, workflow: Workflow) -> None:
        """Make a workflow known under a name; before :meth:`launch`."""

    def listen(self, told: Callable[[Work, str | None], None]) -> None:
        """Hear, in the event loop, why some work cannot be done; None when it can again.

        Before :meth:`launch`; one listener.
        """

    async def launch(self) -> None:
        """Start; workflows that an earlier process of this executor left behind go on."""

    async def close(self, *, grace_seconds: float) -> None:
        """Stop taking work, wait for running steps up to the grace time; the rest resumes later."""

    async def start(self, workflow: str, run_id: str, payload: Json) -> bool:
        """Start a workflow once per id; True when new, False when that id exists already.

        :raises PayloadConflict: when the id exists with another payload.
        """

    async def find(self, run_id: str) -> Run | None:
        """The run of that id, or None."""

    async def unknown(self, run_ids: Sequence[str]) -> set[str]:
        """Those of some hundred ids that no run has."""

    async def result(self, run_id: str, *, timeout_seconds: float | None) -> Run:
        """Wait until the run has ended.

        :raises TimeoutError: when it has not by then, or there is no such run.
        """

    async def cancel(self, run_id: str) -> None:
        """Stop a run; its current step may still finish, nothing after it starts."""
