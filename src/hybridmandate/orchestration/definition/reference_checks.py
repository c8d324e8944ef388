"""What expressions name must be there: actions, variables, parameters, loops around.

The platform refuses to save a flow that names something else ("the action 'X' referenced by … is
not defined in the template", "the variable 'X' must be initialized before it can be used").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hybridmandate.orchestration.definition.errors import DefinitionError
from hybridmandate.orchestration.definition.evaluated import evaluated_inputs, texts
from hybridmandate.orchestration.definition.model import Action, Parameter
from hybridmandate.orchestration.expressions import parse_template

_SAID = {
    "action": "there is no action '{}' in the flow",
    "variable": "the variable '{}' is not initialised in the flow",
    "parameter": "the flow has no parameter '{}'",
    "items": "there is no loop '{}' around the action",
    "iterationIndexes": "there is no loop '{}' around the action",
}


def check_references(
    actions: Mapping[str, Action], parameters: Mapping[str, Parameter]
) -> Iterator[DefinitionError]:
    """The names in the actions' expressions that stand for nothing."""
    known = {
        "action": {name.lower() for name in actions},
        "variable": {name.lower() for name in _initialised(actions)},
        "parameter": {name.lower() for name in parameters},
    }
    for action in actions.values():
        around = {name.lower() for name in (*action.loops, action.name)}
        names = {**known, "items": around, "iterationIndexes": around}
        yield from _unnamed(action, names)


def _initialised(actions: Mapping[str, Action]) -> Iterator[str]:
    for action in actions.values():
        if action.type == "InitializeVariable":
            yield from (str(each["name"]) for each in action.inputs["variables"])


def _unnamed(action: Action, names: Mapping[str, set[str]]) -> Iterator[DefinitionError]:
    for path, text in _texts(action):
        for kind, name in sorted(parse_template(text).references()):
            if name.lower() not in names[kind]:
                yield DefinitionError(path, _SAID[kind].format(name))


def _texts(action: Action) -> Iterator[tuple[str, str]]:
    evaluated: dict[str, Any] = {
        "expression": action.expression,
        "foreach": action.foreach,
        "inputs": evaluated_inputs({"type": action.type}, action.inputs),
        "limit": dict(action.limit),
        "trackedProperties": dict(action.tracked_properties),
    }
    for key, value in evaluated.items():
        yield from texts(value, f"{action.path}.{key}")
