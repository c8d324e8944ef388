"""From the OpenAPI 3.0 schema dialect to the one of OpenAPI 2.0 that custom connectors read.

OpenAPI 2.0 knows neither ``nullable`` nor ``anyOf``/``oneOf``
(https://spec.openapis.org/oas/v2.0#schema-object), and connectors refuse keywords beside ``$ref``
and ``uniqueItems``
(https://learn.microsoft.com/connectors/custom-connectors/certification-swagger-validator-rules).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

DEFINITIONS = "#/definitions/"
_COMPONENTS = "#/components/schemas/"
_KEPT = frozenset(
    {
        "type", "format", "description", "default", "enum", "example", "required", "readOnly",
        "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
        "minLength", "maxLength", "pattern", "minItems", "maxItems",
        "minProperties", "maxProperties",
    }
)  # fmt: skip


def to_swagger(schema: Mapping[str, Any]) -> Schema:
    """An OpenAPI 3.0 schema in the 2.0 dialect; the argument is not changed.

    A choice of several schemas becomes a value of any type: 2.0 cannot say more. An ``allOf`` of
    one reference, which 3.0 needs to put words beside it, becomes that reference.
    """
    reference = _reference(schema)
    if reference is not None:
        return {"$ref": reference.replace(_COMPONENTS, DEFINITIONS)}
    result: Schema = {key: value for key, value in schema.items() if key in _KEPT}
    if "description" in result:
        result["description"] = plain_text(result["description"])
    if schema.get("nullable"):
        result["x-nullable"] = True
    if not result.get("required", True):
        del result["required"]
    if "properties" in schema:
        result["properties"] = {
            name: with_summary(to_swagger(each), name)
            for name, each in schema["properties"].items()
        }
    extra = schema.get("additionalProperties")
    if isinstance(extra, Mapping):
        result["additionalProperties"] = to_swagger(extra)
    elif extra is not None:
        result["additionalProperties"] = extra
    if result.get("type") == "array":
        result["items"] = to_swagger(schema.get("items", {}))
    return result


def with_summary(schema: Schema, name: str) -> Schema:
    """The schema with the title that makers see; a reference stays alone."""
    if "$ref" in schema:
        return schema
    return {**schema, "x-ms-summary": title_of(name)}


def title_of(name: str) -> str:
    """A name as title case for makers: ``inlineRows`` is Inline Rows, ``hm_vendor`` Hm Vendor."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_.\-]+", " ", name).split()
    return " ".join(word[0].upper() + word[1:] for word in words)


def plain_text(text: str) -> str:
    """A docstring as one line without its code marks."""
    return " ".join(text.replace("``", "").split())


def _reference(schema: Mapping[str, Any]) -> str | None:
    if "$ref" in schema:
        return str(schema["$ref"])
    parts = schema.get("allOf")
    if isinstance(parts, list) and len(parts) == 1 and set(parts[0]) == {"$ref"}:
        return str(parts[0]["$ref"])
    return None
