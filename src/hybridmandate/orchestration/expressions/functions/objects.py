"""Manipulation functions on JSON objects; the given object stays as it is."""

from __future__ import annotations

from typing import Any

from hybridmandate.orchestration.expressions.bounds import Frame
from hybridmandate.orchestration.expressions.errors import FunctionFault
from hybridmandate.orchestration.expressions.registry import Family, required
from hybridmandate.orchestration.expressions.values import ANY, OBJECT, TEXT

manipulation = Family("Manipulation: JSON")


@manipulation.function(
    "addProperty",
    required("object", OBJECT),
    required("property", TEXT),
    required("value", ANY),
    example="addProperty(json('{\"a\": 1}'), 'b', 2)",
    gives={"a": 1, "b": 2},
)
def add_property(frame: Frame, value: dict[str, Any], name: str, new: Any) -> dict[str, Any]:
    """The object with a property that it does not have yet."""
    if _known(value, name) is not None:
        raise FunctionFault("The property already exists on the object", argument=2, value=name)
    return {**value, name: new}


@manipulation.function(
    "setProperty",
    required("object", OBJECT),
    required("property", TEXT),
    required("value", ANY),
    example="setProperty(json('{\"a\": 1}'), 'a', 2)",
    gives={"a": 2},
)
def set_property(frame: Frame, value: dict[str, Any], name: str, new: Any) -> dict[str, Any]:
    """The object with a property set as its last; one that exists keeps its spelling."""
    known = _known(value, name) or name
    return {**{key: each for key, each in value.items() if key != known}, known: new}


@manipulation.function(
    "removeProperty",
    required("object", OBJECT),
    required("property", TEXT),
    example="removeProperty(json('{\"a\": 1, \"b\": 2}'), 'a')",
    gives={"b": 2},
)
def remove_property(frame: Frame, value: dict[str, Any], name: str) -> dict[str, Any]:
    """The object without a property; unchanged when it has none of that name."""
    known = _known(value, name)
    return {key: each for key, each in value.items() if key != known}


def _known(value: dict[str, Any], name: str) -> str | None:
    if name in value:
        return name
    return next((key for key in value if key.lower() == name.lower()), None)
