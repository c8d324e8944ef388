"""Expressions of triggers: inputs, split-on and conditions, before there is a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.engine.conditions import holds
from hybridmandate.orchestration.engine.outcomes import ActionFault
from hybridmandate.orchestration.engine.reader import Reader
from hybridmandate.orchestration.engine.working import Working
from hybridmandate.orchestration.limits import Profile, limit


class TriggerValues:
    """Evaluates what a trigger says, with the flow's parameters and the trigger's outputs."""

    def __init__(
        self,
        flow: Flow,
        parameters: Mapping[str, Any],
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        state = {
            "run": {"seed": flow.name, "draws": 0, "status": "Running", "id": ""},
            "trigger": {"name": flow.trigger.name, "outputs": dict(outputs or {})},
            "parameters": dict(parameters),
            "workflow": {"name": flow.workflow_id or flow.name},
            "variables": {},
            "actions": {},
            "waits": {},
        }
        self._reader = Reader(Working(flow, state, 0.0), None, ())

    def evaluate(self, value: Any) -> Any:
        """The value with its expressions evaluated. :raises ActionFault: when one is wrong."""
        return self._reader.evaluate(value)

    def holds(self, condition: Any) -> bool:
        """Whether a condition is true. :raises ActionFault: when it is not a truth value."""
        return holds(condition, self._reader)


def split(
    flow: Flow, parameters: Mapping[str, Any], outputs: Mapping[str, Any], profile: Profile
) -> list[dict[str, Any]]:
    """The outputs of each run: one per item of ``splitOn``, or the whole.

    :raises ActionFault: when ``splitOn`` is not a list, or a longer one than the platform takes
        from a flow of that performance profile.
    """
    if flow.trigger.split_on is None:
        return [dict(outputs)]
    items = TriggerValues(flow, parameters, outputs).evaluate(flow.trigger.split_on)
    if not isinstance(items, list):
        raise ActionFault("InvalidTemplate", "splitOn of the trigger does not give a list")
    highest = limit("split.items").of(profile)
    if len(items) > highest:
        raise ActionFault(
            "SplitOnItemsLimitExceeded", f"{len(items)} items are more than {highest}"
        )
    return [{**outputs, "body": item} for item in items]


def conditions_hold(flow: Flow, parameters: Mapping[str, Any], outputs: Mapping[str, Any]) -> bool:
    """Whether all trigger conditions are true for a run with these outputs."""
    values = TriggerValues(flow, parameters, outputs)
    return all(values.holds(condition) for condition in flow.trigger.conditions)
