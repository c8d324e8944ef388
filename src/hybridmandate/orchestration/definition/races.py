"""Variables that iterations of a parallel Foreach change side by side.

The engine changes them in the order of the events, so a run can be repeated exactly. On the
platform the order is that of the moment, and the value may differ from run to run. Source: Azure
Logic Apps, 'Run workflow with loops' (variables in concurrent loops).
"""

from __future__ import annotations

from collections.abc import Sequence

from hybridmandate.orchestration.definition.mentions import mentions, walk
from hybridmandate.orchestration.definition.model import Action, Flow, RacyVariable

_COUNTING = frozenset({"IncrementVariable", "DecrementVariable"})
_CHANGING = _COUNTING | {"SetVariable", "AppendToArrayVariable", "AppendToStringVariable"}


def racy_variables(actions: Sequence[Action]) -> tuple[RacyVariable, ...]:
    """The variables whose value depends on the order in which iterations come by."""
    found = []
    for loop in actions:
        if loop.type == "Foreach" and loop.concurrency > 1:
            found.extend(_racy(loop))
    return tuple(found)


def describe(flow: Flow) -> list[str]:
    """A sentence for each racy variable of a flow."""
    return [
        f"variable '{each.variable}' is {each.how} by iterations of '{each.loop}' that run side by "
        f"side ({', '.join(each.actions)})"
        for each in flow.races
    ]


def _racy(loop: Action) -> list[RacyVariable]:
    inside = [each for branch in loop.branches for each in walk(branch.graph)]
    read = {name for each in inside for name in mentions(each).variables}
    changes: dict[str, list[Action]] = {}
    for each in inside:
        if each.type in _CHANGING:
            changes.setdefault(str(each.inputs.get("name")), []).append(each)
    found = []
    for variable, changing in changes.items():
        types = {each.type for each in changing}
        if types <= _COUNTING and variable.lower() not in read:
            continue
        how = "set" if "SetVariable" in types else "appended to"
        if types <= _COUNTING:
            how = "counted and read"
        names = tuple(each.name for each in changing)
        found.append(RacyVariable(loop.name, variable, how, names))
    return found
