"""How large and how deep a value is, also one whose parts are shared.

A value that holds another one twice, again and again, has few parts in memory and more characters
as JSON than any disk holds. What an action keeps is measured before it is kept, each shared part
once, so that history, evidence and calls never meet such a value.
"""

from __future__ import annotations

from typing import Any

MAX_DEPTH = 128
"""Levels of lists and objects in a kept value: this engine's own bound, twice that of an
expression. Writing JSON that is much deeper fails in Python, and in most who would read it."""
_TOO_DEEP = f"a value is nested deeper than {MAX_DEPTH} levels"
_SCALAR = 5
"""Characters counted for a number, a truth value or null."""


class TooDeep(Exception):
    """A value is nested deeper than :data:`MAX_DEPTH` levels."""


def json_size(value: Any) -> int:
    """About how many characters a value has as JSON.

    The work grows with the parts that the value has in memory, not with its characters.
    :raises TooDeep: when it is nested too deeply.
    """
    kind = type(value)
    if kind is str:
        return len(value) + 2
    if kind is not dict and kind is not list:
        return _SCALAR
    try:
        return _measured(value, {})[0]
    except RecursionError:
        raise TooDeep(_TOO_DEEP) from None


def _measured(value: Any, seen: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """Characters and levels of a list or object; ``seen`` are those of its parts, by identity."""
    size, depth = 2 + len(value), 0
    parts = value
    if type(value) is dict:
        size += sum(map(len, value)) + 3 * len(value)
        parts = value.values()
    for part in parts:
        kind = type(part)
        if kind is str:
            size += len(part) + 2
        elif kind is dict or kind is list:
            of_part = seen.get(id(part)) or _measured(part, seen)
            size += of_part[0]
            if of_part[1] > depth:
                depth = of_part[1]
        else:
            size += _SCALAR
    if depth == MAX_DEPTH:
        raise TooDeep(_TOO_DEEP)
    measured = seen[id(value)] = size, depth + 1
    return measured
