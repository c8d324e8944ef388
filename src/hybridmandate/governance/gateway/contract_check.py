"""Bodies against the schemas of an OpenAPI document: compiled at load, every fault listed.

OpenAPI 3.0 writes null and exclusive bounds in words of its own
(spec.openapis.org/oas/v3.0.3#schema-object); they are put into those of JSON Schema first, so that
one fast validator serves both. Faults are told by JSON pointer (RFC 6901) and never repeat the
value: an error body must not echo what a caller may not see.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import jsonschema_rs

MAX_FAULTS = 100
"""The most faults that are listed for one body."""
MAX_TOLD = 300
"""The most characters of a pointer: names in it are the sender's, and each fault repeats them."""
_SCHEMAS_BY_NAME = frozenset(
    {"$defs", "definitions", "dependentSchemas", "patternProperties", "properties", "schemas"}
)
_VALUES = frozenset({"const", "default", "enum", "examples"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One place that breaks the schema; an empty ``pointer`` is the whole body."""

    pointer: str
    message: str


class SchemaCheck:
    """A schema, compiled. ``schema`` is as the document has it, with what it refers to."""

    __slots__ = ("_validator", "schema")

    def __init__(self, schema: Any) -> None:
        """Compile. :raises ValueError: when it is no schema."""
        self.schema = schema
        self._validator = jsonschema_rs.Draft202012Validator(json_schema(schema), mask="the value")

    def faults(self, value: Any) -> list[Fault]:
        """Every place of a JSON value that breaks the schema, at most ``MAX_FAULTS``."""
        try:
            if self._validator.is_valid(value):
                return []
            found = self._validator.iter_errors(value)
            return list(islice((each for error in found for each in _faults(error)), MAX_FAULTS))
        except ValueError as error:
            # The validator gives up on what is nested too deep to be looked at.
            return [Fault("", f"The body cannot be checked: {error}.")]


def json_schema(schema: Any) -> Any:
    """A schema of OpenAPI 3.0 in the words of JSON Schema 2020-12; the argument is not changed."""
    if isinstance(schema, list):
        return [json_schema(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    result = {
        name: _part(name, value)
        for name, value in schema.items()
        if name not in ("example", "nullable")
    }
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(result.get(exclusive), bool) and result.pop(exclusive) and bound in result:
            result[exclusive] = result.pop(bound)
    if schema.get("nullable") is True:
        return {"anyOf": [result, {"type": "null"}]}
    return result


def json_pointer(path: Sequence[str | int]) -> str:
    """The JSON pointer of a path; one that is longer than ``MAX_TOLD`` ends in an ellipsis."""
    whole = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return whole if len(whole) <= MAX_TOLD else f"{whole[:MAX_TOLD]}…"


def _part(keyword: str, value: Any) -> Any:
    """Names of properties are no keywords, whatever they are called, and values are no schemas."""
    if keyword in _VALUES:
        return value
    if keyword in _SCHEMAS_BY_NAME and isinstance(value, dict):
        return {name: json_schema(schema) for name, schema in value.items()}
    return json_schema(value)


def _faults(error: jsonschema_rs.ValidationError) -> Iterator[Fault]:
    """The error as faults: a missing or unknown member is a fault at its own place."""
    kind, path = error.kind, error.instance_path
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        yield Fault(json_pointer([*path, str(kind.property)]), "This member is required.")
    elif isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        for name in kind.unexpected:
            yield Fault(json_pointer([*path, name]), "The contract has no such member.")
    else:
        yield Fault(json_pointer(path), f"{error.message[0].upper()}{error.message[1:]}.")
