"""Runtime overrides of a JSON schema: additional properties, and names without regard to case.

Source: ``allow-additional-properties`` and ``case-insensitive-property-names`` of the
validate-content-policy page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_MAPS_OF_SCHEMAS = frozenset({"$defs", "definitions", "dependentSchemas", "schemas"})
_LISTS_OF_SCHEMAS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SCHEMAS = frozenset({"additionalProperties", "contains", "else", "if", "items", "not", "then"})


def with_additional_properties(schema: Any, allowed: bool) -> Any:
    """The schema with every object open, or with every object that lists properties closed."""

    def override(node: dict[str, Any]) -> dict[str, Any]:
        if allowed:
            return {key: value for key, value in node.items() if key != "additionalProperties"}
        return {**node, "additionalProperties": False} if "properties" in node else node

    return _each_schema(schema, override, lambda name: name)


def in_lower_case(schema: Any) -> Any:
    """The schema with its property names in lower case; what it judges must be lowered too."""

    def override(node: dict[str, Any]) -> dict[str, Any]:
        if isinstance(node.get("required"), list):
            return {**node, "required": [str(each).lower() for each in node["required"]]}
        return node

    return _each_schema(schema, override, str.lower)


def lowered(value: Any) -> Any:
    """A JSON value with the names of all its members in lower case."""
    if isinstance(value, Mapping):
        return {str(name).lower(): lowered(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [lowered(each) for each in value]
    return value


def _each_schema(
    node: Any, override: Callable[[dict[str, Any]], dict[str, Any]], named: Callable[[str], str]
) -> Any:
    if not isinstance(node, dict):
        return node

    def below(inner: Any) -> Any:
        return _each_schema(inner, override, named)

    made: dict[str, Any] = {}
    for key, value in node.items():
        if key == "properties" and isinstance(value, dict):
            made[key] = {named(name): below(inner) for name, inner in value.items()}
        elif key in _MAPS_OF_SCHEMAS and isinstance(value, dict):
            made[key] = {name: below(inner) for name, inner in value.items()}
        elif key in _LISTS_OF_SCHEMAS and isinstance(value, list):
            made[key] = [below(each) for each in value]
        elif key in _SCHEMAS:
            made[key] = below(value)
        elif key == "components" and isinstance(value, dict):
            made[key] = {
                **value,
                "schemas": below({"schemas": value.get("schemas", {})})["schemas"],
            }
        else:
            made[key] = value
    return override(made)
