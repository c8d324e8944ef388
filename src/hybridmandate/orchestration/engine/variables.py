"""Variables: initialise, set, append, increment, decrement; types are kept."""

from __future__ import annotations

import math
from typing import Any

from hybridmandate.orchestration.definition.model import Action
from hybridmandate.orchestration.engine.outcomes import ActionFault, Ended
from hybridmandate.orchestration.engine.reader import Reader
from hybridmandate.orchestration.engine.working import At, Working
from hybridmandate.orchestration.expressions import number_text, type_name

_EMPTY: dict[str, Any] = {
    "string": None,
    "integer": None,
    "float": None,
    "boolean": None,
    "array": [],
    "object": None,
}


def run_variable(work: Working, action: Action, at: At) -> Ended:
    """Run an action on a variable.

    :raises ActionFault: when the variable is unknown, initialised twice, or of another type.
    """
    reader = Reader(work, action, at)
    inputs = reader.evaluate(action.inputs)
    work.begin(action, at, inputs=inputs)
    if action.type == "InitializeVariable":
        for declared in inputs["variables"]:
            _initialize(work, action, declared)
        return Ended.succeeded()
    name = _known(work, inputs["name"])
    variable = work.state["variables"].get(name)
    if variable is None:
        raise ActionFault(
            "InvalidTemplate", f"The variable '{name}' must be initialized before it is used."
        )
    value = _changed(reader, action.type, name, variable, inputs.get("value"))
    size = _size(work, action, variable, value, inputs.get("value"))
    work.state["variables"][name] = {**variable, "value": value, "size": size}
    return Ended.succeeded({"body": {"name": name, "value": value}})


def _known(work: Working, name: str) -> str:
    """The name as it was initialised: names of variables are compared without regard to case."""
    variables = work.state["variables"]
    if name in variables:
        return name
    lowered = name.lower()
    return next((each for each in variables if each.lower() == lowered), name)


def _initialize(work: Working, action: Action, declared: dict[str, Any]) -> None:
    name, kind = declared["name"], str(declared["type"]).lower()
    if _known(work, name) in work.state["variables"]:
        raise ActionFault("InvalidTemplate", f"The variable '{name}' is initialized twice.")
    value = declared.get("value")
    if value is None:
        value = _EMPTY[kind]
    value = _typed(name, kind, value)
    size = work.must_hold(action, value)
    work.state["variables"][name] = {"type": kind, "value": value, "size": size}


def _size(work: Working, action: Action, variable: dict[str, Any], value: Any, given: Any) -> int:
    """The size of a variable's new value; what is appended is measured alone, not the rest again.

    :raises ActionFault: when it is more than a run may hold.
    """
    if action.type not in ("AppendToArrayVariable", "AppendToStringVariable"):
        return work.must_hold(action, value)
    size: int = variable["size"] + work.must_hold(action, [given])
    work.must_fit(action, size)
    return size


def _changed(
    reader: Reader, action_type: str, name: str, variable: dict[str, Any], value: Any
) -> Any:
    kind, before = variable["type"], variable["value"]
    if action_type == "SetVariable":
        return _typed(name, kind, value)
    if action_type == "AppendToArrayVariable":
        _expect(name, kind, {"array"}, action_type)
        return [*(before or []), value]
    if action_type == "AppendToStringVariable":
        _expect(name, kind, {"string"}, action_type)
        return f"{before or ''}{_text(name, value)}"
    _expect(name, kind, {"integer", "float"}, action_type)
    step = 1 if value is None else value
    if isinstance(step, bool) or not isinstance(step, int | float):
        raise ActionFault("InvalidTemplate", f"'{name}' cannot change by '{step}'.")
    # The functions of the language check for 64 bits, which Python's operators do not.
    function = "add" if action_type == "IncrementVariable" else "sub"
    return _typed(name, kind, reader.call(function, before or 0, step))


def _expect(name: str, kind: str, allowed: set[str], action_type: str) -> None:
    if kind not in allowed:
        wanted = " or ".join(sorted(allowed))
        raise ActionFault(
            "InvalidTemplate",
            f"{action_type} needs a variable of type {wanted}; '{name}' is {kind}.",
        )


def _typed(name: str, kind: str, value: Any) -> Any:
    if value is None:
        return None
    fits = {
        "string": isinstance(value, str),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, int | float) and not isinstance(value, bool),
        "boolean": isinstance(value, bool),
        "array": isinstance(value, list),
        "object": isinstance(value, dict),
    }[kind]
    if fits:
        return value
    converted = _converted(kind, value)
    if converted is not None:
        return converted
    raise ActionFault(
        "InvalidTemplate",
        f"The variable '{name}' is of type '{kind}'; a value of type '{type_name(value)}' "
        "cannot be put into it.",
    )


def _converted(kind: str, value: Any) -> Any:
    """Text of a number or truth value, and numbers as text, as the designer's fields give them."""
    if kind == "string" and isinstance(value, int | float):
        return number_text(value)
    if not isinstance(value, str):
        return None
    text = value.strip()
    if kind == "boolean" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if kind in ("integer", "float"):
        try:
            if kind == "integer":
                return int(text)
            number = float(text)
        except ValueError:
            return None
        return number if math.isfinite(number) else None
    return None


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return number_text(value)
    raise ActionFault("InvalidTemplate", f"Only text can be appended to the variable '{name}'.")
