"""Properties and indexes of values: ``a.b``, ``a?['b']``, ``a['b/c']``, ``a[0]``.

Property names are found exactly first, then without regard to case. A name with slashes that is
no property is a path (Power Automate writes ``outputs('X')?['body/value']``; the form is in
exported flows, not in the function reference). ``?`` makes a missing property, a null target and
an index outside the array null; it does not hide a target of the wrong type.
"""

from __future__ import annotations

from typing import Any

from hybridmandate.orchestration.expressions.errors import ExpressionEvaluationError
from hybridmandate.orchestration.expressions.values import TYPE_NAMES, type_name

_MISSING = object()


def access(target: Any, key: Any, safe: bool) -> Any:
    """The property or index of a value. :raises ExpressionEvaluationError: when there is none."""
    kind = type(target)
    if kind is dict:
        if type(key) is str:
            found = _property(target, key)
            return found if found is not _MISSING else _absent(target, key, safe)
        raise _wrong(target, key, "Properties are selected by a string")
    if target is None:
        if safe:
            return None
        raise _wrong(target, key, "Cannot select a property of a null value")
    if kind is list:
        return _element(target, key, safe)
    raise _wrong(
        target, key, f"Property selection is not supported on values of type '{type_name(target)}'"
    )


def _property(target: dict[str, Any], key: str) -> Any:
    found = target.get(key, _MISSING)
    if found is not _MISSING:
        return found
    lowered = key.lower()
    for name, value in target.items():
        if name.lower() == lowered:
            return value
    return _MISSING


def _absent(target: dict[str, Any], key: str, safe: bool) -> Any:
    if "/" in key:
        value: Any = target
        for part in key.split("/"):
            value = access(value, _segment(value, part), safe)
        return value
    if safe:
        return None
    names = ", ".join(list(target)[:20])
    raise ExpressionEvaluationError(
        f"The template language expression cannot be evaluated because property '{key[:200]}' "
        f"doesn't exist, available properties are '{names[:500]}'.",
        expected="the name of a property",
        received=key[:200],
    )


def _segment(value: Any, part: str) -> str | int:
    """A path's part: an index where an array is reached."""
    return int(part) if type(value) is list and part.isdecimal() and len(part) < 10 else part


def _element(target: list[Any], key: Any, safe: bool) -> Any:
    if type(key) is not int:
        raise _wrong(target, key, "Elements of an array are selected by an integer")
    if 0 <= key < len(target):
        return target[key]
    if safe:
        return None
    raise ExpressionEvaluationError(
        f"The template language expression cannot be evaluated because array index '{key}' is "
        f"outside bounds (0, {len(target) - 1}) of array.",
        expected=f"an index from 0 to {len(target) - 1}",
        received=str(key),
    )


def _wrong(target: Any, key: Any, reason: str) -> ExpressionEvaluationError:
    shown = str(key)[:200] if type(key) in TYPE_NAMES else type_name(key)
    return ExpressionEvaluationError(
        f"The template language expression cannot be evaluated because property '{shown}' cannot "
        f"be selected. {reason}.",
        expected="an object" if type(target) is not list else "an integer index",
        received=type_name(target) if type(target) is not list else type_name(key),
    )
