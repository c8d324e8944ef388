"""Every expression of a definition is parsed when it is loaded; faults come with their path.

A function that the language has not is one of them, though a run meets it only where it is reached:
the platform refuses to save such a flow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hybridmandate.orchestration.definition.errors import DefinitionError
from hybridmandate.orchestration.definition.evaluated import parts, texts
from hybridmandate.orchestration.expressions import ExpressionError, parse_template

_ALONE = ("outputs", "staticResults")
"""Parts of a definition beside triggers and actions whose values may hold expressions."""


def check_expressions(
    definition: Mapping[str, Any], path: str, errors: list[DefinitionError]
) -> None:
    """Add a fault for every text that cannot be parsed."""
    for where, value in _evaluated(definition, path):
        for place, text in texts(value, where):
            errors.extend(DefinitionError(place, fault) for fault in _faults(text))


def _faults(text: str) -> list[str]:
    try:
        unknown = parse_template(text).unknown_functions()
    except ExpressionError as error:
        return [str(error)]
    return [f"the template function '{name}' is not defined or not valid" for name in unknown]


def _evaluated(definition: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for key in _ALONE:
        yield f"{path}.{key}", definition.get(key)
    for name, trigger in _members(definition.get("triggers")):
        yield from parts(trigger, f"{path}.triggers.{name}")
    yield from _of_actions(definition.get("actions"), f"{path}.actions")


def _of_actions(actions: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, action in _members(actions):
        here = f"{path}.{name}"
        yield from parts(action, here)
        yield from _of_actions(action.get("actions"), f"{here}.actions")
        for label in ("else", "default"):
            branch = action.get(label)
            if isinstance(branch, dict):
                yield from _of_actions(branch.get("actions"), f"{here}.{label}.actions")
        for case, branch in _members(action.get("cases")):
            yield from _of_actions(branch.get("actions"), f"{here}.cases.{case}.actions")


def _members(value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects among the members of an object; what else stands there is told elsewhere."""
    for name, each in value.items() if isinstance(value, dict) else ():
        if isinstance(each, dict):
            yield name, each
