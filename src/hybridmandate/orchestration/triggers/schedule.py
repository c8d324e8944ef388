"""Scheduled flows: waits for what is due and starts its run, once across crashes.

A Recurrence starts one run for the newest moment that has passed; a Sliding window starts one for
each window that was missed, in order. Run ids are made of flow and moment.
"""

from __future__ import annotations

import asyncio
from typing import Any

from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.engine.outcomes import ActionFault
from hybridmandate.orchestration.shells.durable import FlowHost, trigger_run_id
from hybridmandate.orchestration.triggers.recurrence import Recurrence, RecurrenceInvalid, window
from hybridmandate.orchestration.triggers.trigger_values import TriggerValues, conditions_hold

LONGEST_SLEEP = 60.0
"""A wait is cut into pieces, so that a clock that jumps is noticed."""
TROUBLE_SECONDS = 10.0
"""When a schedule that broke is followed again."""


class Schedule:
    """One scheduled flow."""

    def __init__(self, flow: Flow, host: FlowHost) -> None:
        self._flow = flow
        self._host = host
        self.failure: str | None = None
        """Why the schedule cannot be followed, None when it can."""

    async def run(self) -> None:
        """Start runs when they are due, until cancelled or the recurrence turns out to be wrong."""
        while True:
            try:
                due = await self.start_due(self._recurrence())
                self.failure = None
            except (RecurrenceInvalid, ActionFault) as error:
                self.failure = str(error)
                return
            except Exception as error:
                # A database that was locked for too long must not end the schedule for good.
                self.failure = f"the schedule broke: {type(error).__name__}: {error}"
                due = self._host.now() + TROUBLE_SECONDS
            await asyncio.sleep(min(LONGEST_SLEEP, max(0.0, due - self._host.now())))

    async def start_due(self, recurrence: Recurrence) -> float:
        """Start what is due by now; gives the next due moment (epoch seconds)."""
        history, name = self._host.history, self._flow.name
        cursor: dict[str, Any] | None = await asyncio.to_thread(history.cursor, name)
        now = self._host.now()
        if cursor is None:
            cursor = {"origin": now, "last": None}
            await asyncio.to_thread(history.keep_cursor, name, cursor)
        if cursor["last"] is None:
            # The origin is kept by now: after a crash the first run has the same id again.
            if recurrence.start is None:
                await self._start(cursor["origin"], cursor["origin"])
            cursor = {**cursor, "last": cursor["origin"]}
            await asyncio.to_thread(history.keep_cursor, name, cursor)
        last = float(cursor["last"])
        due = recurrence.after(last, cursor["origin"])
        while due <= now:
            following = recurrence.after(due, cursor["origin"])
            if self._flow.trigger.type == "SlidingWindow" or following > now:
                await self._start(due, last)
            last = due
            await asyncio.to_thread(history.keep_cursor, name, {**cursor, "last": last})
            due = following
        return due

    def _recurrence(self) -> Recurrence:
        values = TriggerValues(self._flow, self._host.parameters(self._flow))
        return Recurrence.of(values.evaluate(self._flow.trigger.recurrence))

    async def _start(self, due: float, previous: float) -> None:
        sliding = self._flow.trigger.type == "SlidingWindow"
        outputs = {"body": window(due, previous)} if sliding else {}
        if conditions_hold(self._flow, self._host.parameters(self._flow), outputs):
            run_id = trigger_run_id(self._flow.name, "schedule", f"{due:.3f}")
            await self._host.start(self._flow.name, outputs, run_id=run_id)
