"""What polled triggers share: reading again and again, a feed's place, starting runs once.

A place (cursor) moves on after every run of a reading has been started, and a run's id is made of
flow and item: a reading that is repeated after a crash starts nothing twice.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.engine.outcomes import ActionFault
from hybridmandate.orchestration.shells.durable import FlowHost, trigger_run_id
from hybridmandate.orchestration.triggers.trigger_values import (
    TriggerValues,
    conditions_hold,
    split,
)

Read = Callable[[], Awaitable[int]]


class ReadingFailed(Exception):
    """The service could not be read; the next reading tries again."""


class Polling:
    """Calls ``read`` for ever; a reading that fails is tried again at the next turn."""

    def __init__(self, read: Read, *, seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self.failure: str | None = "the trigger has not been read yet"
        """Why the last reading failed, None when it went well."""

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                await self._read()
                self.failure = None
            except (ReadingFailed, ActionFault) as error:
                self.failure = str(error)
            except Exception as error:
                # A database that was locked for too long must not silence the trigger for good.
                self.failure = f"the reading broke: {type(error).__name__}: {error}"
            await asyncio.sleep(self._seconds)


@dataclass(frozen=True, slots=True)
class Found:
    """An item that a reading found: its identity for the run's id, and what the flow sees."""

    identity: tuple[str, ...]
    shown: Mapping[str, Any]


def trigger_parameters(flow: Flow, host: FlowHost) -> Mapping[str, Any]:
    """The parameters of a connector trigger, evaluated. :raises ActionFault: when one is wrong."""
    inputs = TriggerValues(flow, host.parameters(flow)).evaluate(flow.trigger.inputs)
    parameters: Mapping[str, Any] = inputs.get("parameters") or {}
    return parameters


async def start_each(flow: Flow, host: FlowHost, found: Sequence[Found]) -> int:
    """Start a run for each item, as triggers do that give one item at a time."""
    started = 0
    parameters = host.parameters(flow)
    for each in found:
        outputs = {"statusCode": 200, "headers": {}, "body": dict(each.shown)}
        if not conditions_hold(flow, parameters, outputs):
            continue
        run_id = trigger_run_id(flow.name, *each.identity)
        _, new = await host.start(flow.name, outputs, run_id=run_id)
        started += new
    return started


async def start_batch(
    flow: Flow, host: FlowHost, found: Sequence[Found], body: Callable[[list[Any]], Any]
) -> int:
    """Start runs for a reading, as triggers do that give a list: one for each part of splitOn.

    ``body`` makes the trigger's body of the items that are shown.
    """
    if not found:
        return 0
    if flow.trigger.split_on is not None:
        parts = [(each.identity, [dict(each.shown)]) for each in found]
    else:
        text = "\n".join("\t".join(each.identity) for each in found)
        whole = hashlib.sha256(text.encode()).hexdigest()
        parts = [((whole,), [dict(each.shown) for each in found])]
    started = 0
    parameters = host.parameters(flow)
    for identity, items in parts:
        outputs = {"statusCode": 200, "headers": {}, "body": body(items)}
        for part in split(flow, parameters, outputs):
            if not conditions_hold(flow, parameters, part):
                continue
            run_id = trigger_run_id(flow.name, *identity)
            _, new = await host.start(flow.name, part, run_id=run_id)
            started += new
    return started
