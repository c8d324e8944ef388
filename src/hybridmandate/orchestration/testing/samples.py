"""Sample answers: for each call of a flow a body of the shape that the flow's expressions need.

Used where an operation is neither simulated nor mocked by the team: coverage of unknown flows and
``mandate flow run``. A sample is made up; it says nothing about the real service.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.testing.place import Place
from hybridmandate.orchestration.testing.text_forms import PLAIN
from hybridmandate.orchestration.testing.usage import TRIGGER, Usage

TEXT = PLAIN
"""The plain sample: a text that may also be read as a number, as JSON and as a date."""
MOMENT = "2026-01-31T08:00:00Z"
_DEPTH = 24
_PLAIN: dict[str | None, Any] = {
    None: TEXT,
    "number": 1,
    "moment": MOMENT,
    "bool": True,
    "object": {},
    "digits": "1",
    "uri": "https://sample.example/sample",
    "xml": "<sample/>",
    "zone": "UTC",
}
_STRICT = frozenset({"digits", "moment", "uri", "xml", "zone"})
"""Kinds of text: a schema that only says 'string' does not know them."""


class SampleAnswers:
    """The sample answers of one flow."""

    def __init__(self, flow: Flow) -> None:
        self._usage = Usage(flow)
        inputs = flow.trigger.inputs
        schema = inputs.get("schema") if isinstance(inputs, dict) else None
        if schema:
            self._usage.answer(TRIGGER).part("body").schema = schema

    def body(self, action: str) -> Any:
        """The body that stands for the answer of an action."""
        return sample(self._usage.answer(action).part("body"))

    def trigger(self) -> dict[str, Any]:
        """Outputs that stand for what the trigger brings."""
        outputs = sample(self._usage.answer(TRIGGER))
        return {"headers": {}, **(outputs if isinstance(outputs, dict) else {})}


def sample(place: Place, depth: int = 0) -> Any:
    """A value that has what a place needs."""
    if depth > _DEPTH:
        return None
    if place.decoded is not None:
        inner = sample(place.decoded, depth + 1)
        text = inner if isinstance(inner, str) else json.dumps(inner)
        return base64.b64encode(text.encode()).decode("ascii")
    if place.kind == "list" and not _is_text(place.schema):
        return [sample(_item(place), depth + 1)] * place.size
    if place.parsed is not None:
        declared = place.schema
        place.schema = declared if _is_text(place.parsed.schema) else place.parsed.schema
        inner = sample(place.parsed, depth + 1)
        if not place.parts and not _is_object(declared):
            return json.dumps(inner)
        return {**(inner if isinstance(inner, dict) else {}), **_parts(place, depth)}
    known = None if place.schema is None else of_schema(place.schema, depth)
    if isinstance(known, list) and place.parts:
        known = None
    if not place.parts:
        if place.literal is not None and place.kind in (None, "number", "moment"):
            return place.literal
        if known is None or place.kind in _STRICT:
            return _PLAIN[place.kind if place.kind != "list" else None]
        return "1" if place.kind == "number" and isinstance(known, str) else known
    return {**(known if isinstance(known, dict) else {}), **_parts(place, depth)}


def _is_object(schema: Any) -> bool:
    """Whether a schema demands an object: then it is not JSON as text."""
    return isinstance(schema, dict) and schema.get("type") == "object"


def _is_text(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "string"


def _item(place: Place) -> Place:
    item = place.item or Place()
    if isinstance(place.schema, dict) and item.schema is None:
        item.schema = place.schema.get("items")
    return item


def _parts(place: Place, depth: int) -> dict[str, Any]:
    declared = place.schema.get("properties") if isinstance(place.schema, dict) else None
    for key, part in place.parts.items():
        if part.schema is None and isinstance(declared, dict):
            part.schema = declared.get(key)
    return {key: sample(part, depth + 1) for key, part in place.parts.items()}


def of_schema(schema: Any, depth: int = 0) -> Any:
    """A value that a JSON schema accepts, for the keywords that flows use."""
    if not isinstance(schema, dict) or depth > _DEPTH:
        return TEXT
    if schema.get("enum"):
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    for word in ("anyOf", "oneOf", "allOf"):
        if schema.get(word):
            return of_schema(schema[word][0], depth + 1)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    if kind == "object" or "properties" in schema:
        parts = schema.get("properties") or {}
        named = {key: of_schema(each, depth + 1) for key, each in parts.items()}
        return {**dict.fromkeys(schema.get("required") or (), TEXT), **named}
    if kind == "array":
        return [of_schema(schema.get("items"), depth + 1)]
    return {
        "integer": 1,
        "number": 1,
        "boolean": True,
        "null": None,
        "string": MOMENT if schema.get("format") == "date-time" else TEXT,
    }.get(str(kind), TEXT)
