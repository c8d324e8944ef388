"""Does a document keep the rules of custom connectors? (requirement A6)

Sources, by the tag in each rule: ``validator`` = .../certification-swagger-validator-rules,
``strings`` = .../connector-string-guidance, ``standards`` = .../coding-standards, ``define`` =
.../define-openapi-definition, each below https://learn.microsoft.com/connectors/custom-connectors/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["error", "warning", "note"]
SIZE_LIMIT = 1_048_576
_LEARN = "https://learn.microsoft.com/connectors/custom-connectors/"
_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d+)?")
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Rule:
    """A documented rule; ``source`` is the page that states it, ``advice`` what to do."""

    id: str
    level: Level
    source: str
    advice: str


@dataclass(frozen=True, slots=True)
class ConnectorFinding:
    """A rule that a document breaks at a place (a JSON pointer)."""

    rule: str
    level: Level
    place: str
    message: str
    advice: str
    source: str

    def to_json(self) -> dict[str, str]:
        """The finding as JSON values."""
        return asdict(self)


def _rule(id: str, level: Level, page: str, advice: str) -> tuple[str, Rule]:
    return id, Rule(id, level, _LEARN + page, advice)


_VALIDATOR = "certification-swagger-validator-rules"
_STRINGS = "connector-string-guidance"
_STANDARDS = "coding-standards"
_DEFINE = "define-openapi-definition"
RULES: Mapping[str, Rule] = dict(
    [
        _rule("swagger-version", "error", _STANDARDS, "Write an OpenAPI 2.0 document."),
        _rule("size", "error", _DEFINE, "Split the connector, or shorten its schemas."),
        _rule("title", "error", _STRINGS, "Give 1 to 30 characters without the word API."),
        _rule("info-description", "error", _STRINGS, "Describe it without the word API."),
        _rule("host", "error", _VALIDATOR, "Write the host's name only."),
        _rule("base-path", "error", _VALIDATOR, "Begin the base path with a slash."),
        _rule("path-form", "error", _VALIDATOR, "Write '/name', without *, ? or #."),
        _rule("path-unique", "error", _VALIDATOR, "Paths differ by more than upper case."),
        _rule("operation-id", "error", _VALIDATOR, "Give each operation an id of its own."),
        _rule("operation-id-case", "note", _STANDARDS, "Certified connectors use PascalCase."),
        _rule("summary", "error", _STRINGS, "At most 80 characters, no slash, no final mark."),
        _rule("description", "warning", _STANDARDS, "A sentence with a period, unlike summary."),
        _rule("success-response", "error", _STANDARDS, "Describe a 2xx response."),
        _rule("body-on-get", "error", _VALIDATOR, "Send no body with GET or HEAD."),
        _rule("one-body", "error", _VALIDATOR, "Have one body, not beside formData."),
        _rule("body-schema", "error", _VALIDATOR, "Give the body parameter a schema."),
        _rule("path-parameter", "error", _VALIDATOR, "Make path parameters required."),
        _rule("parameter-summary", "warning", _STRINGS, "Give x-ms-summary, at most 80 letters."),
        _rule("visibility", "error", "openapi-extensions", "none, important, advanced, internal."),
        _rule("internal-default", "error", _VALIDATOR, "Give the hidden parameter a default."),
        _rule("reference-target", "error", _VALIDATOR, "Refer to something in the document."),
        _rule("reference-alone", "error", _VALIDATOR, "Put nothing beside $ref."),
        _rule("reference-circle", "error", _VALIDATOR, "Break the circle of references."),
        _rule("schema-keyword", "error", _VALIDATOR, "Use the keywords of OpenAPI 2.0 only."),
        _rule("schema-type", "error", _VALIDATOR, "Name one type; use x-nullable for null."),
        _rule("array-items", "error", _VALIDATOR, "Say what the array's items are."),
        _rule("required-list", "error", _VALIDATOR, "List declared properties, once, or none."),
        _rule("binary-place", "error", _VALIDATOR, "Send files as the whole body."),
        _rule("security", "error", _VALIDATOR, "Declare each scheme that security names."),
    ]
)
_FOREIGN = ("anyOf", "oneOf", "not", "nullable", "const", "$defs", "prefixItems", "uniqueItems")


def check_connector(document: Any) -> list[ConnectorFinding]:
    """Every documented rule that a connector's OpenAPI document breaks, in document order."""
    if not isinstance(document, dict) or document.get("swagger") != "2.0":
        return [_finding("swagger-version", "/swagger", "this is no OpenAPI 2.0 document")]
    found = [*_whole(document), *_paths(document), *_references(document, document, "")]
    for name, schema in _mapping(document.get("definitions")).items():
        found += _schema(schema, f"/definitions/{_escape(name)}", nested=True)
    for name, parameter in _mapping(document.get("parameters")).items():
        found += _parameter(_mapping(parameter), f"/parameters/{_escape(name)}")
    return found


def _finding(rule: str, place: str, message: str) -> ConnectorFinding:
    known = RULES[rule]
    return ConnectorFinding(rule, known.level, place, message, known.advice, known.source)


def _whole(document: Mapping[str, Any]) -> Iterator[ConnectorFinding]:
    size = len(json.dumps(document, ensure_ascii=False).encode())
    if size >= SIZE_LIMIT:
        yield _finding("size", "", f"the document has {size} bytes; the limit is {SIZE_LIMIT}")
    info = _mapping(document.get("info"))
    title, about = str(info.get("title", "")), str(info.get("description", ""))
    if not 1 <= len(title) <= 30 or _names_api(title):
        yield _finding("title", "/info/title", f"the title is '{title}'")
    if not about or _names_api(about):
        yield _finding("info-description", "/info/description", f"the description is '{about}'")
    if _HOST.fullmatch(str(document.get("host", ""))) is None:
        yield _finding("host", "/host", f"the host is '{document.get('host', '')}'")
    if not str(document.get("basePath", "/")).startswith("/"):
        yield _finding("base-path", "/basePath", f"the base path is '{document['basePath']}'")
    schemes = _mapping(document.get("securityDefinitions"))
    for position, wanted in enumerate(_sequence(document.get("security"))):
        for name in _mapping(wanted):
            if name not in schemes:
                yield _finding("security", f"/security/{position}", f"'{name}' is not declared")


def _paths(document: Mapping[str, Any]) -> Iterator[ConnectorFinding]:
    seen: set[str] = set()
    ids: dict[str, str] = {}
    for path, item in _mapping(document.get("paths")).items():
        place = f"/paths/{_escape(path)}"
        if not path.startswith("/") or any(mark in path for mark in "*?#"):
            yield _finding("path-form", place, f"the path is '{path}'")
        if path.lower() in seen:
            yield _finding("path-unique", place, f"'{path}' stands twice")
        seen.add(path.lower())
        shared = _sequence(_mapping(item).get("parameters"))
        for method in _METHODS:
            operation = _mapping(item).get(method)
            if isinstance(operation, dict):
                here = f"{place}/{method}"
                yield from _identity(operation, here, ids)
                yield from _texts(operation, here)
                yield from _operation(document, operation, method, here, shared)


def _identity(
    operation: Mapping[str, Any], place: str, ids: dict[str, str]
) -> Iterator[ConnectorFinding]:
    given = operation.get("operationId")
    place = f"{place}/operationId"
    if not isinstance(given, str) or not given:
        yield _finding("operation-id", place, "there is no operationId")
        return
    if given in ids:
        yield _finding("operation-id", place, f"'{given}' stands at {ids[given]} too")
    ids.setdefault(given, place)
    if re.fullmatch(r"([A-Z][A-Za-z0-9]*)", given) is None:
        yield _finding("operation-id-case", place, f"'{given}' is not in PascalCase")


def _texts(operation: Mapping[str, Any], place: str) -> Iterator[ConnectorFinding]:
    summary = str(operation.get("summary", ""))
    about = str(operation.get("description", ""))
    if not 1 <= len(summary) <= 80 or "/" in summary or not summary[-1].isalnum():
        yield _finding("summary", f"{place}/summary", f"the summary is '{summary}'")
    if not about.endswith(".") or about.rstrip(".") == summary:
        yield _finding("description", f"{place}/description", f"the description is '{about}'")
    yield from _visibility(operation, place)


def _operation(
    document: Mapping[str, Any],
    operation: Mapping[str, Any],
    method: str,
    place: str,
    shared: list[Any],
) -> Iterator[ConnectorFinding]:
    own = _sequence(operation.get("parameters"))
    all_of_them = [_mapping(_followed(document, each)) for each in [*shared, *own]]
    places = [each.get("in") for each in all_of_them]
    if method in ("get", "head") and {"body", "formData"} & set(places):
        yield _finding("body-on-get", place, f"{method.upper()} has a body")
    if places.count("body") > 1 or {"body", "formData"} <= set(places):
        yield _finding("one-body", f"{place}/parameters", "there are several bodies")
    for position, parameter in enumerate(own):
        if "$ref" not in _mapping(parameter):
            yield from _parameter(_mapping(parameter), f"{place}/parameters/{position}")
    responses = _mapping(operation.get("responses"))
    if not any(re.fullmatch(r"2\d\d", str(status)) for status in responses):
        yield _finding("success-response", f"{place}/responses", "no 2xx response is described")
    for status, response in responses.items():
        schema = _mapping(response).get("schema")
        if schema is not None:
            yield from _schema(schema, f"{place}/responses/{status}/schema", nested=False)


def _parameter(parameter: Mapping[str, Any], place: str) -> Iterator[ConnectorFinding]:
    kind = parameter.get("in")
    if kind == "path" and parameter.get("required") is not True:
        yield _finding("path-parameter", place, f"'{parameter.get('name')}' is not required")
    if not 1 <= len(str(parameter.get("x-ms-summary", ""))) <= 80:
        yield _finding("parameter-summary", place, f"'{parameter.get('name')}' has no fit title")
    yield from _visibility(parameter, place)
    hidden = parameter.get("x-ms-visibility") == "internal" and parameter.get("required") is True
    if hidden and kind != "body" and "default" not in parameter:
        yield _finding("internal-default", place, f"'{parameter.get('name')}' has no default")
    if kind != "body":
        return
    if "schema" not in parameter:
        yield _finding("body-schema", place, "the body has no schema")
    else:
        yield from _schema(parameter["schema"], f"{place}/schema", nested=False)


def _visibility(holder: Mapping[str, Any], place: str) -> Iterator[ConnectorFinding]:
    value = holder.get("x-ms-visibility", "none")
    if value not in ("none", "important", "advanced", "internal"):
        yield _finding("visibility", f"{place}/x-ms-visibility", f"it is '{value}'")


def _schema(schema: Any, place: str, *, nested: bool) -> Iterator[ConnectorFinding]:
    """``nested``: whether the schema is part of a body; only a whole body may be a file."""
    if not isinstance(schema, dict):
        return
    for word in _FOREIGN:
        if word in schema:
            yield _finding("schema-keyword", f"{place}/{word}", f"'{word}' is not OpenAPI 2.0")
    kind = schema.get("type")
    if isinstance(kind, list) or kind == "null":
        yield _finding("schema-type", f"{place}/type", f"the type is {json.dumps(kind)}")
    if kind == "array" and "items" not in schema:
        yield _finding("array-items", place, "the array has no items")
    if nested and schema.get("format") == "binary":
        yield _finding("binary-place", place, "a file stands inside a body")
    properties = _mapping(schema.get("properties"))
    yield from _required(schema.get("required", _MISSING), properties, place)
    for name, each in properties.items():
        yield from _schema(each, f"{place}/properties/{_escape(name)}", nested=True)
    for word in ("items", "additionalProperties"):
        yield from _schema(schema.get(word), f"{place}/{word}", nested=True)
    for position, each in enumerate(_sequence(schema.get("allOf"))):
        yield from _schema(each, f"{place}/allOf/{position}", nested=nested)


def _required(
    required: Any, properties: Mapping[str, Any], place: str
) -> Iterator[ConnectorFinding]:
    if required is _MISSING:
        return
    names = [str(each) for each in _sequence(required)]
    if not names or len(set(names)) < len(names):
        yield _finding("required-list", f"{place}/required", "it is empty or repeats a name")
    for name in names:
        if properties and name not in properties:
            yield _finding("required-list", f"{place}/required", f"'{name}' is not declared")


def _references(document: Mapping[str, Any], value: Any, place: str) -> Iterator[ConnectorFinding]:
    if isinstance(value, list):
        for position, each in enumerate(value):
            yield from _references(document, each, f"{place}/{position}")
        return
    if not isinstance(value, dict):
        return
    reference = value.get("$ref")
    if isinstance(reference, str):
        yield from _reference(document, value, reference, place)
    for key, each in value.items():
        if key not in ("example", "examples", "default", "enum"):
            yield from _references(document, each, f"{place}/{_escape(key)}")


def _reference(
    document: Mapping[str, Any], holder: Mapping[str, Any], reference: str, place: str
) -> Iterator[ConnectorFinding]:
    if len(holder) > 1:
        yield _finding("reference-alone", place, f"something stands beside {reference}")
    target = _target(document, reference)
    if target is _MISSING:
        yield _finding("reference-target", place, f"there is no {reference}")
    elif _reaches(document, target, reference, set()):
        yield _finding("reference-circle", place, f"{reference} leads to itself")


def _reaches(document: Mapping[str, Any], value: Any, goal: str, seen: set[str]) -> bool:
    if isinstance(value, list):
        return any(_reaches(document, each, goal, seen) for each in value)
    if not isinstance(value, dict):
        return False
    reference = value.get("$ref")
    if reference == goal:
        return True
    if isinstance(reference, str) and reference not in seen:
        seen.add(reference)
        if _reaches(document, _target(document, reference), goal, seen):
            return True
    return any(_reaches(document, each, goal, seen) for each in value.values())


def _target(document: Mapping[str, Any], reference: str) -> Any:
    if not reference.startswith("#/"):
        return _MISSING
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = _mapping(found).get(part.replace("~1", "/").replace("~0", "~"), _MISSING)
    return found


def _followed(document: Mapping[str, Any], value: Any) -> Any:
    reference = _mapping(value).get("$ref")
    return _target(document, reference) if isinstance(reference, str) else value


def _names_api(text: str) -> bool:
    return re.search(r"\bapi\b", text, re.IGNORECASE) is not None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _escape(part: object) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")
