"""JSON Schemas of contract models, in the two dialects that the seam needs.

pydantic writes JSON Schema 2020-12. OpenAPI 3.0 (what API Management imports) knows a subset with
other words for null, constants and exclusive bounds, so a schema is rewritten into that dialect:
https://spec.openapis.org/oas/v3.0.3#schema-object.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

Schema = dict[str, Any]
Side = Literal["validation", "serialization"]


def component_schemas(
    models: Iterable[tuple[type[BaseModel], Side]],
) -> tuple[dict[tuple[type[BaseModel], Side], str], dict[str, Schema]]:
    """OpenAPI 3.0 component names and schemas of models and of everything they refer to."""
    wanted = list(dict.fromkeys(models))
    located, document = models_json_schema(
        wanted, by_alias=True, ref_template="#/components/schemas/{model}"
    )
    definitions: dict[str, Schema] = document.get("$defs", {})
    names = {
        (model, side): str(located[(model, side)]["$ref"]).rsplit("/", 1)[1]
        for model, side in wanted
    }
    return names, {name: to_openapi(schema) for name, schema in sorted(definitions.items())}


def to_openapi(schema: Any) -> Any:
    """A 2020-12 schema rewritten into the OpenAPI 3.0 dialect; the argument is not changed."""
    if isinstance(schema, list):
        return [to_openapi(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    result = {
        key: _properties(value) if key == "properties" else to_openapi(value)
        for key, value in schema.items()
    }
    _null(result)
    _constant(result)
    _bounds(result)
    _examples(result)
    if set(result) > {"$ref"} and "$ref" in result:
        # In 3.0 nothing may stand beside $ref, so the reference is wrapped.
        reference = result.pop("$ref")
        result["allOf"] = [{"$ref": reference}]
    return result


def _properties(properties: dict[str, Any]) -> dict[str, Any]:
    # Property names are names, not keywords: only their schemas are rewritten.
    return {name: to_openapi(schema) for name, schema in properties.items()}


def _null(schema: Schema) -> None:
    options = schema.get("anyOf")
    if isinstance(options, list) and {"type": "null"} in options:
        rest = [each for each in options if each != {"type": "null"}]
        del schema["anyOf"]
        schema["nullable"] = True
        if len(rest) == 1:
            schema.update({k: v for k, v in rest[0].items() if k not in schema})
        elif rest:
            schema["anyOf"] = rest
    if schema.get("default", ...) is None:
        del schema["default"]


def _constant(schema: Schema) -> None:
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]


def _bounds(schema: Schema) -> None:
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        value = schema.get(exclusive)
        if isinstance(value, int | float) and not isinstance(value, bool):
            schema[bound] = value
            schema[exclusive] = True


def _examples(schema: Schema) -> None:
    examples = schema.pop("examples", None)
    if isinstance(examples, list) and examples:
        schema["example"] = examples[0]
