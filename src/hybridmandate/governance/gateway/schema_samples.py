"""A sample value for a JSON Schema, as mock-response gives it where no example is declared.

The documentation does not say what a generated sample holds. Chosen: ``example``, ``default`` and
the first ``enum`` value where the schema has them; otherwise the smallest plain value of the type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MOST_DEPTH = 8
_TEXTS = {
    "date": "2024-01-01",
    "date-time": "2024-01-01T00:00:00Z",
    "time": "00:00:00Z",
    "uuid": "00000000-0000-0000-0000-000000000000",
    "email": "user@example.com",
    "uri": "https://example.com/",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "byte": "",
}


def sample_of(schema: Any, root: Any = None, depth: int = 0) -> Any:
    """A value of the schema's form; references are looked up in ``root`` (default: the schema)."""
    if not isinstance(schema, Mapping) or depth > _MOST_DEPTH:
        return None
    root = schema if root is None else root
    schema = _resolved(schema, root)
    for known in ("example", "default", "const"):
        if known in schema:
            return schema[known]
    for listed in ("examples", "enum"):
        found = schema.get(listed)
        if isinstance(found, list) and found:
            return found[0]
    for choice in ("oneOf", "anyOf"):
        if schema.get(choice):
            return sample_of(schema[choice][0], root, depth + 1)
    if schema.get("allOf"):
        return _merged(schema, root, depth)
    return _by_type(schema, root, depth)


def _resolved(schema: Mapping[str, Any], root: Any) -> Mapping[str, Any]:
    for _ in range(_MOST_DEPTH):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            return schema
        found = root
        for part in reference[2:].split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            found = found.get(name) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            return {}
        schema = found
    return {}


def _merged(schema: Mapping[str, Any], root: Any, depth: int) -> Any:
    """The members of all parts of ``allOf`` together; the first part where none is an object."""
    parts = [sample_of(each, root, depth + 1) for each in schema["allOf"]]
    if "properties" in schema:
        parts.append(_by_type(schema, root, depth))
    objects = [each for each in parts if isinstance(each, dict)]
    if not objects:
        return parts[0]
    return {name: value for each in objects for name, value in each.items()}


def _by_type(schema: Mapping[str, Any], root: Any, depth: int) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    if kind == "object" or "properties" in schema:
        properties = schema.get("properties") or {}
        return {name: sample_of(each, root, depth + 1) for name, each in properties.items()}
    if kind == "array":
        count = max(int(schema.get("minItems", 1)), 1)
        return [sample_of(schema.get("items"), root, depth + 1)] * min(count, _MOST_DEPTH)
    if kind in ("integer", "number"):
        least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        above = 1 if least == schema.get("exclusiveMinimum") else 0
        return least + above if isinstance(least, int | float) else 0
    if kind == "string":
        text = _TEXTS.get(str(schema.get("format")), "string")
        return text.ljust(int(schema.get("minLength", 0)), "x")[: schema.get("maxLength")]
    return True if kind == "boolean" else None
