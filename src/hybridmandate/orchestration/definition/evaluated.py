"""Which parts of a definition are evaluated: the texts and property names that hold expressions.

Names of actions, descriptions, metadata and JSON schemas are plain text, whatever they look like.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_PLAIN = frozenset({"description", "kind", "metadata", "runAfter", "type"})
_BRANCHES = frozenset({"actions", "cases", "default", "else"})
_WITH_SCHEMA = frozenset({"ParseJson", "Request"})
"""What carries a JSON schema in its inputs, which is taken as it is written."""


def parts(step: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    """Path and value of each evaluated part of an action (not of those inside it) or a trigger."""
    for key, value in step.items():
        if key in _PLAIN or key in _BRANCHES:
            continue
        yield f"{path}.{key}", evaluated_inputs(step, value) if key == "inputs" else value


def evaluated_inputs(step: Mapping[str, Any], inputs: Any) -> Any:
    """The inputs of an action or a trigger without its JSON schema."""
    if str(step.get("type")) in _WITH_SCHEMA and isinstance(inputs, dict):
        return {key: value for key, value in inputs.items() if key != "schema"}
    return inputs


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Path and text of each string and property name in a value that may hold an expression."""
    if isinstance(value, str):
        if "@" in value:
            yield path, value
    elif isinstance(value, dict):
        for key, each in value.items():
            if key.startswith("@") or "@{" in key:
                yield f"{path}.{key}", key
            yield from texts(each, f"{path}.{key}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from texts(each, f"{path}[{index}]")
