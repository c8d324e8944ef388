"""The context of one running workflow on DBOS: steps are remembered by name, not by position.

DBOS numbers steps in the order in which they begin, so branches that run side by side would get
each other's numbers when they interleave differently after a crash. A flow has such branches. Here
a step is known by its name and how often that name came before, and remembered in the journal; a
workflow whose branches use different names may run them in any order.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from dbos import error as dbos_error

from hybridmandate.durable.journal import JournalBroken, OwnerLost, StepJournal
from hybridmandate.durable.port import Json, StepFailed, StepUnwritable
from hybridmandate.durable.step_table import FinishedStep


class StepContext:
    """:class:`hybridmandate.durable.port.DurableContext` on DBOS.

    ``owner`` is the token of this execution, ``recorded`` what the finished steps of earlier
    executions gave, by name.
    """

    def __init__(
        self,
        run_id: str,
        owner: str,
        recorded: Mapping[str, Any],
        journal: StepJournal,
        working: Callable[[], Awaitable[AbstractContextManager[None]]],
    ) -> None:
        self._id = run_id
        self._owner = owner
        self._recorded = dict(recorded)
        self._journal = journal
        self._working = working
        self._seen: Counter[str] = Counter()

    @property
    def id(self) -> str:
        return self._id

    async def step(self, name: str, action: Callable[[], Awaitable[Json]]) -> Json:
        self._seen[name] += 1
        full_name = f"{name}#{self._seen[name]}"
        outcome = self._recorded.pop(full_name, None)
        if outcome is not None:
            return _value(full_name, outcome, None)
        cause: Exception | None = None
        with await self._working():
            try:
                outcome = {"value": await action()}
            except Exception as error:
                cause = error
                outcome = {"error": {"type": type(error).__name__, "message": str(error)}}
            text = _text(full_name, outcome)
            await self._remember(FinishedStep(self._id, self._owner, full_name, text))
        # What a replay will read, so that a workflow never sees more than that.
        return _value(full_name, json.loads(text), cause)

    async def now(self) -> float:
        async def read() -> float:
            return time.time()

        return float(await self.step("now", read))

    async def _remember(self, step: FinishedStep) -> None:
        try:
            await self._journal.remember(step)
        except OwnerLost:
            # DBOS ends this execution and takes the outcome that the owner records.
            raise dbos_error.DBOSWorkflowConflictIDError(self._id) from None
        except JournalBroken as broken:
            # No outcome: the run stays as the database knows it, for the next process.
            raise asyncio.CancelledError(str(broken)) from broken
        except Exception as error:
            raise StepUnwritable(step.name, f"{type(error).__name__}: {error}") from error


def _text(full_name: str, outcome: Json) -> str:
    """What is remembered. :raises StepUnwritable: when a value of it is no JSON, or too deep."""
    try:
        return json.dumps(outcome, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise StepUnwritable(full_name, f"{type(error).__name__}: {error}") from error


def _value(full_name: str, outcome: Mapping[str, Any], cause: Exception | None) -> Json:
    error = outcome.get("error")
    if error is None:
        return outcome["value"]
    raise StepFailed(full_name, error["type"], error["message"]) from cause
