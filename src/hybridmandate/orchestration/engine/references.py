"""What expressions of a run may refer to: actions, variables, loops, the trigger, time.

An action in a loop is found in the iteration of whoever asks; from outside the loop its last
iteration is seen.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hybridmandate.orchestration.definition.model import Action, Graph
from hybridmandate.orchestration.engine.working import At, Working

_SHOWN = (
    "name",
    "type",
    "status",
    "code",
    "error",
    "startTime",
    "endTime",
    "inputs",
    "outputs",
    "clientTrackingId",
)


class RunReferences:
    """The run as one action sees it, at one place."""

    __slots__ = ("_action", "_at", "_item", "_loops", "_work")

    def __init__(
        self, work: Working, action: Action | None, at: At, item: tuple[Any, ...] = ()
    ) -> None:
        """``item`` holds what ``item()`` gives where an action sets it, or nothing."""
        self._work = work
        self._item = item
        self._at = at
        self._action = action
        self._loops = action.loops if action else ()

    def trigger(self) -> Mapping[str, Any]:
        """The trigger: its name and outputs."""
        trigger: Mapping[str, Any] = self._work.state["trigger"]
        return trigger

    def trigger_outputs(self) -> Any:
        """What the trigger brought: headers, body."""
        return self._work.state["trigger"].get("outputs")

    def parameter(self, name: str) -> Any:
        """The value of a parameter. :raises LookupError: when the flow has no such parameter."""
        values, declared = self._work.state["parameters"], self._work.flow.parameters
        known = _known(name, values) or _known(name, declared)
        if known is None:
            raise LookupError(f"the flow has no parameter '{name}'")
        return values[known] if known in values else declared[known].default

    def variable(self, name: str) -> Any:
        """The value of a variable. :raises LookupError: when it is not initialised."""
        known = _known(name, self._work.state["variables"])
        if known is None:
            raise LookupError(f"the variable '{name}' is not initialised")
        return self._work.state["variables"][known]["value"]

    def workflow(self) -> Mapping[str, Any]:
        """The flow and the run."""
        known: Mapping[str, Any] = self._work.state["workflow"]
        return known

    def item(self) -> Any:
        """The item of Select or Filter array, else of the innermost Foreach."""
        if self._item:
            return self._item[0]
        for depth in reversed(range(len(self._loops))):
            if self._iterates(depth):
                return self._item_at(depth)
        raise LookupError("there is no item here: no array operation and no Foreach around")

    def now(self) -> datetime:
        """The event's time."""
        return datetime.fromtimestamp(self._work.time, UTC)

    def random(self) -> float:
        """The next number in [0, 1) of the run's random sequence."""
        return self._work.draw()

    def action(self, name: str) -> Mapping[str, Any] | None:
        """The record of an action as expressions see it; None when it has not run.

        :raises LookupError: when the flow has no such action.
        """
        record = self._found(name)
        return None if record is None else self._shown(record)

    def action_outputs(self, name: str) -> Any:
        """The outputs of an action, None when it has not run.

        :raises LookupError: when the flow has no such action.
        """
        record = self._found(name)
        return None if record is None else record.get("outputs")

    def _found(self, name: str) -> Mapping[str, Any] | None:
        known = self._work.flow.find(name)
        if known is None:
            raise LookupError(f"the flow has no action '{name}'")
        at = self._at if known.loops == self._loops else self._place(known)
        return None if at is None else self._work.record(known.name, at)

    def current_action(self) -> Mapping[str, Any] | None:
        """The record of the action that asks, None for the trigger."""
        if self._action is None:
            return None
        record = self._work.record(self._action.name, self._at)
        return None if record is None else self._shown(record)

    def result(self, name: str) -> list[Mapping[str, Any]]:
        """The records of the actions directly inside a scope or loop.

        :raises LookupError: when the flow has no such container.
        """
        known = self._work.flow.find(name)
        if known is None or not known.branches:
            raise LookupError(f"the flow has no scope or loop '{name}'")
        at = self._place(known)
        record = None if at is None else self._work.record(known.name, at)
        if at is None or record is None:
            return []
        kept = record.get("kept")
        places = [at] if kept is None else [(*at, index) for index in sorted(kept)]
        return [
            each
            for place in places
            for branch in known.branches
            for each in self._records(branch.graph, place)
        ]

    def items(self, loop: str) -> Any:
        """The current item of a Foreach around this place.

        :raises LookupError: when no such loop is around.
        """
        for depth, name in enumerate(self._loops):
            if name.lower() == loop.lower() and self._iterates(depth):
                return self._item_at(depth)
        raise LookupError(f"there is no Foreach '{loop}' around this action")

    def iteration_index(self, loop: str) -> int:
        """The index of a loop's current iteration. :raises LookupError: when none is around."""
        known = self._work.flow.find(loop)
        if known is not None and known.name in self._loops:
            depth = self._loops.index(known.name)
            if depth < len(self._at):
                return self._at[depth]
        record = self._work.record(known.name, self._at) if known is not None else None
        if record is not None and "next" in record:
            return max(0, int(record["next"]) - 1)
        raise LookupError(f"there is no loop '{loop}' around this action")

    def new_guid(self) -> str:
        """The next GUID of the run's random sequence (version 4 in form)."""
        return str(uuid.UUID(hex=self._work.draw_hex()[:32], version=4))

    def _iterates(self, depth: int) -> bool:
        """Whether the loop at a depth is a Foreach in whose iteration this place is."""
        kind = self._work.flow.actions[self._loops[depth]].type
        return kind == "Foreach" and depth < len(self._at)

    def _item_at(self, depth: int) -> Any:
        loop = self._loops[depth]
        record = self._work.record(loop, self._at[:depth])
        if record is None:
            raise LookupError(f"'{loop}' does not run")
        return record["items"][self._at[depth]]

    def _place(self, known: Action) -> At | None:
        """The iteration in which an action is seen from here, None when there is none."""
        if known.loops == self._loops:
            return self._at
        place: list[int] = []
        around = self._loops
        for depth, loop in enumerate(known.loops):
            if around[: depth + 1] == known.loops[: depth + 1] and depth < len(self._at):
                place.append(self._at[depth])
                continue
            record = self._work.record(loop, tuple(place))
            if record is None or not record.get("kept"):
                return None
            place.append(max(record["kept"]))
        return tuple(place)

    def _records(self, graph: Graph, at: At) -> list[Mapping[str, Any]]:
        found = (self._work.record(action.name, at) for action in graph.actions)
        return [self._shown(record) for record in found if record is not None]

    def _shown(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        shown = {key: record[key] for key in _SHOWN if record.get(key) is not None}
        shown["clientTrackingId"] = self._work.run["clientTrackingId"]
        return shown


def _known(name: str, names: Mapping[str, Any]) -> str | None:
    """The name as it is known, found without regard to case."""
    if name in names:
        return name
    lowered = name.lower()
    return next((each for each in names if each.lower() == lowered), None)
