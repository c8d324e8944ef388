"""What polled triggers share: reading again and again, and starting runs once.

A place (cursor) moves on after every run of a reading has been started, and a run's id is made of
flow and item: a reading that is repeated after a crash starts nothing twice. While as many runs
wait for the trigger's concurrency control as may, nothing is read: what comes meanwhile waits at
its service (limits page, waiting runs of a trigger).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hybridmandate.orchestration.connectors.swagger_paths import routed_trigger, without_values
from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.engine.outcomes import ActionFault
from hybridmandate.orchestration.shells.durable import FlowHost, trigger_run_id
from hybridmandate.orchestration.shells.pace import MessageTooLarge
from hybridmandate.orchestration.triggers.trigger_values import (
    TriggerValues,
    conditions_hold,
    split,
)

Read = Callable[[], Awaitable[int]]


class ReadingFailed(Exception):
    """The service could not be read; the next reading tries again."""


class Polling:
    """Calls ``read`` for ever while the flow ``admits`` runs.

    A reading that fails is tried again at the next turn.
    """

    def __init__(self, read: Read, *, seconds: float, admits: Callable[[], bool]) -> None:
        self._read = read
        self._seconds = seconds
        self._admits = admits
        self.failure: str | None = "the trigger has not been read yet"
        """Why the last reading failed, None when it went well."""

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                if self._admits():
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
    """An item that a reading found: its identity for the run's id, and what the flow sees.

    ``headers`` are those of the trigger's outputs.
    """

    identity: tuple[str, ...]
    shown: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


def trigger_operation(flow: Flow) -> str | None:
    """The operation of a connector trigger: by its id, or by the path that older flows write."""
    if flow.trigger.operation_id is not None or not isinstance(flow.trigger.inputs, Mapping):
        return flow.trigger.operation_id
    inputs = flow.trigger.inputs
    found = routed_trigger({**inputs, "path": without_values(str(inputs.get("path")))})
    return None if found is None else found.operation


def trigger_parameters(flow: Flow, host: FlowHost) -> Mapping[str, Any]:
    """The parameters of a connector trigger, evaluated; those of a path are its values and queries.

    :raises ActionFault: when one is wrong.
    """
    values, inputs = TriggerValues(flow, host.parameters(flow)), flow.trigger.inputs
    if flow.trigger.operation_id is not None:
        parameters: Mapping[str, Any] = values.evaluate(inputs.get("parameters") or {})
        return parameters
    kept = {name: inputs[name] for name in ("method", "path", "queries") if name in inputs}
    found = routed_trigger(values.evaluate(kept))
    return {} if found is None else found.parameters


@dataclass(frozen=True, slots=True)
class Start:
    """A run that a reading asks for."""

    run_id: str
    outputs: Mapping[str, Any]


async def start_each(flow: Flow, host: FlowHost, found: Sequence[Found]) -> int:
    """Start a run for each item, as triggers do that give one item at a time."""
    starts = []
    parameters = host.parameters(flow)
    for each in found:
        outputs = _outputs(dict(each.shown), each.headers)
        if conditions_hold(flow, parameters, outputs):
            starts.append(Start(trigger_run_id(flow.name, *each.identity), outputs))
    return await start_all(flow, host, starts)


async def start_batch(
    flow: Flow, host: FlowHost, found: Sequence[Found], body: Callable[[list[Any]], Any]
) -> int:
    """Start the runs of a batch; see :func:`batch_starts`. Returns how many were new."""
    return await start_all(flow, host, batch_starts(flow, host, found, body))


def batch_starts(
    flow: Flow, host: FlowHost, found: Sequence[Found], body: Callable[[list[Any]], Any]
) -> list[Start]:
    """The runs of a reading, for triggers that give a list: one for each part of splitOn.

    ``body`` makes the trigger's body of the items that are shown. Without splitOn the one run's id
    is made of all its items: who reads them again with others must have kept the batch.
    """
    if not found:
        return []
    if flow.trigger.split_on is not None:
        parts = [(each.identity, [dict(each.shown)]) for each in found]
    else:
        text = "\n".join("\t".join(each.identity) for each in found)
        whole = hashlib.sha256(text.encode()).hexdigest()
        parts = [((whole,), [dict(each.shown) for each in found])]
    parameters = host.parameters(flow)
    return [
        Start(trigger_run_id(flow.name, *identity), part)
        for identity, items in parts
        for part in split(flow, parameters, _outputs(body(items)), host.profile)
        if conditions_hold(flow, parameters, part)
    ]


async def start_all(flow: Flow, host: FlowHost, starts: Sequence[Start]) -> int:
    """Start runs; those that are known already start nothing. Returns how many were new.

    What is too large for a message starts nothing, as the evidence says: the trigger goes on.
    """
    started = 0
    for each in starts:
        with contextlib.suppress(MessageTooLarge):
            _, new = await host.start(flow.name, each.outputs, run_id=each.run_id)
            started += new
    return started


def _outputs(body: Any, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {"statusCode": 200, "headers": dict(headers or {}), "body": body}
