"""The JSON types of the parts of a definition, and which part belongs to which type of action.

A part of a wrong type, and one that its owner does not have, is a fault: read past it, it would be
lost without a word. Sources: the workflow definition language reference of Azure Logic Apps
(workflow actions and triggers), flow-envelope.md. A part that is null is as if it were not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hybridmandate.orchestration.definition import kinds

Fault = Callable[[str, str], None]
Shape = Mapping[str, tuple[type, ...]]

_WORDS: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "an integer",
    bool: "true or false",
}

CONNECTION: Shape = {"api": (dict,), "connection": (dict,), "impersonation": (dict,)}
PARAMETER: Shape = {"type": (str,), "metadata": (dict,)}
DEFINITION: Shape = {
    "description": (str,),
    "metadata": (dict,),
    "outputs": (dict,),
    "parameters": (dict,),
    "staticResults": (dict,),
}
TRIGGER: Shape = {
    "conditions": (list,),
    "correlation": (dict,),
    "description": (str,),
    "evaluatedRecurrence": (dict,),
    "kind": (str,),
    "metadata": (dict,),
    "operationOptions": (str,),
    "recurrence": (dict,),
    "runtimeConfiguration": (dict,),
    "splitOn": (str,),
    "splitOnConfiguration": (dict,),
    "type": (str,),
}
ACTION: Shape = {
    "actions": (dict,),
    "cases": (dict,),
    "default": (dict,),
    "description": (str,),
    "else": (dict,),
    "kind": (str,),
    "limit": (dict,),
    "metadata": (dict,),
    "operationOptions": (str,),
    "runAfter": (dict,),
    "runtimeConfiguration": (dict,),
    "trackedProperties": (dict,),
    "type": (str,),
}
_RUNTIME: Shape = {
    "concurrency": (dict,),
    "contentTransfer": (dict,),
    "paginationPolicy": (dict,),
    "requestOptions": (dict,),
    "secureData": (dict,),
    "staticResult": (dict,),
}
_PAGINATION: Shape = {"minimumItemCount": (int, str)}
_SECURE: Shape = {"properties": (list,)}
_LIMIT: Shape = {"count": (int, str), "timeout": (str,)}

_BELONGS: dict[str, frozenset[str]] = {
    "actions": kinds.CONTAINERS - {"Switch"},
    "cases": frozenset({"Switch"}),
    "default": frozenset({"Switch"}),
    "else": frozenset({"If"}),
    "expression": frozenset({"If", "Switch", "Until"}),
    "foreach": frozenset({"Foreach"}),
}
"""The parts that only some types of actions have."""
_BRANCH = frozenset({"actions"})
_CASE = frozenset({"actions", "case"})


def check_shape(value: Mapping[str, Any], shape: Shape, fault: Fault, where: str = "") -> bool:
    """Whether the parts of an object have the types that they must have; faults are told."""
    right = True
    for key, types in shape.items():
        part = value.get(key)
        if part is None or (type(part) in types):
            continue
        right = False
        fault(f"{where}.{key}", f"must be {' or '.join(_WORDS[each] for each in types)}")
    return right


def check_runtime(value: Mapping[str, Any], fault: Fault) -> bool:
    """Whether limit and runtime configuration of an action or a trigger can be read."""
    runtime = value.get("runtimeConfiguration") or {}
    right = check_shape(runtime, _RUNTIME, fault, ".runtimeConfiguration")
    if not right:
        return False
    inner = {"paginationPolicy": _PAGINATION, "secureData": _SECURE}
    for key, shape in inner.items():
        part = runtime.get(key) or {}
        right = check_shape(part, shape, fault, f".runtimeConfiguration.{key}") and right
    secured = (runtime.get("secureData") or {}).get("properties")
    if isinstance(secured, list) and not {*map(str, secured)} <= {"inputs", "outputs"}:
        fault(".runtimeConfiguration.secureData.properties", "may hold 'inputs' and 'outputs' only")
        right = False
    return check_shape(value.get("limit") or {}, _LIMIT, fault, ".limit") and right


def check_parts(kind: str, value: Mapping[str, Any], fault: Fault) -> None:
    """Tell of the parts of an action that its type does not have, and of those of its branches."""
    for key, owners in _BELONGS.items():
        if value.get(key) is not None and kind not in owners:
            fault(f".{key}", f"an action of type {kind} has no '{key}'")
    if kind == "If":
        _known(value.get("else"), _BRANCH, fault, ".else")
    if kind == "Switch":
        _known(value.get("default"), _BRANCH, fault, ".default")
        for name, case in (value.get("cases") or {}).items():
            _known(case, _CASE, fault, f".cases.{name}")


def _known(value: Any, keys: frozenset[str], fault: Fault, where: str) -> None:
    for key in value if isinstance(value, dict) else ():
        if key not in keys:
            fault(f"{where}.{key}", "unknown key")
