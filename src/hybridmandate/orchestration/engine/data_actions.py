"""Compose, Parse JSON, Select, Filter array (Query), Join, Create table and time expressions."""

from __future__ import annotations

import csv
import html
import io
import json
import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import jsonschema_rs

from hybridmandate.orchestration.definition.kinds import EXPRESSION_KINDS
from hybridmandate.orchestration.definition.model import Action
from hybridmandate.orchestration.engine.conditions import holds
from hybridmandate.orchestration.engine.correlation import given_id
from hybridmandate.orchestration.engine.outcomes import ActionFault, Ended, object_of
from hybridmandate.orchestration.engine.reader import Reader
from hybridmandate.orchestration.engine.working import At, Working
from hybridmandate.orchestration.expressions import type_name


def _compose(work: Working, action: Action, at: At) -> Ended:
    value = Reader(work, action, at).evaluate(action.inputs)
    work.begin(action, at, inputs=value)
    return Ended.succeeded(given_id(work, value) if action.correlates else value)


def _parse_json(work: Working, action: Action, at: At) -> Ended:
    reader = Reader(work, action, at)
    content, schema = reader.evaluate(action.inputs["content"]), action.inputs["schema"]
    work.begin(action, at, inputs={"content": content, "schema": schema})
    if content is None:
        raise ActionFault("InvalidTemplate", "'content' needs a value, it is null")
    if isinstance(content, str):
        try:
            content = json.loads(content, parse_constant=_no_value, parse_float=_number)
        except ValueError as error:
            raise ActionFault("InvalidJSON", f"the content is not JSON: {error}") from error
        except RecursionError:
            raise ActionFault("InvalidJSON", "the content is nested too deeply") from None
    work.must_hold(action, content)
    errors = schema_errors(schema, content)
    if errors:
        places = "; ".join(f"/{each['path']}: {each['message']}" for each in errors[:20])
        return Ended.failed(
            "ValidationFailed", f"The schema validation failed. {places}", {"errors": errors}
        )
    return Ended.succeeded({"body": content})


def _no_value(name: str) -> float:
    """:raises ValueError: JSON has neither NaN nor infinities."""
    raise ValueError(f"'{name}' is no JSON value")


def _number(text: str) -> float:
    """:raises ValueError: for a number that no double holds."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large for a number")
    return number


def schema_errors(schema: Any, value: Any) -> list[dict[str, str]]:
    """Where a value breaks a JSON schema: ``message`` and ``path`` (joined by ``/``).

    :raises ActionFault: when the schema is none.
    """
    return [
        {"message": each.message, "path": "/".join(map(str, each.instance_path))}
        for each in _validator(json.dumps(schema)).iter_errors(value)
    ]


@lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    try:
        return jsonschema_rs.validator_for(schema)
    except (ValueError, jsonschema_rs.ValidationError) as error:
        raise ActionFault("InvalidTemplate", f"the schema cannot be used: {error}") from error


def _list_from(work: Working, action: Action, at: At) -> tuple[Reader, list[Any]]:
    reader = Reader(work, action, at)
    items = reader.evaluate(action.inputs["from"])
    if not isinstance(items, list):
        raise ActionFault(
            "InvalidTemplate",
            f"The 'from' property value in the '{action.type.lower()}' action inputs is of type "
            f"'{type_name(items)}'. The value must be an array.",
        )
    work.begin(action, at, inputs={"from": items})
    return reader, items


def _select(work: Working, action: Action, at: At) -> Ended:
    reader, items = _list_from(work, action, at)
    template = action.inputs["select"]
    return Ended.succeeded({"body": [reader.of_item(each).evaluate(template) for each in items]})


def _query(work: Working, action: Action, at: At) -> Ended:
    reader, items = _list_from(work, action, at)
    condition = action.inputs["where"]
    return Ended.succeeded(
        {"body": [each for each in items if holds(condition, reader.of_item(each))]}
    )


def _join(work: Working, action: Action, at: At) -> Ended:
    reader, items = _list_from(work, action, at)
    with_text = reader.evaluate(action.inputs["joinWith"])
    return Ended.succeeded({"body": reader.call("join", items, with_text)})


def _table(work: Working, action: Action, at: At) -> Ended:
    reader, items = _list_from(work, action, at)
    style = str(reader.evaluate(action.inputs["format"])).upper()
    rows = _rows(reader, items, action.inputs.get("columns"))
    headers = list(dict.fromkeys(key for row in rows for key in row))
    texts = [[_cell(reader, row.get(header)) for header in headers] for row in rows]
    if style == "CSV":
        return Ended.succeeded({"body": _csv(headers, texts)})
    if style == "HTML":
        return Ended.succeeded({"body": _html(headers, texts)})
    raise ActionFault("InvalidTemplate", f"'{style}' is not a table format: CSV or HTML")


def _rows(reader: Reader, items: list[Any], columns: Any) -> list[dict[str, Any]]:
    if columns:
        return [
            {
                str(row.evaluate(column.get("header"))): row.evaluate(column.get("value"))
                for column in map(_column, columns)
            }
            for row in (reader.of_item(item) for item in items)
        ]
    for item in items:
        if not isinstance(item, Mapping):
            raise ActionFault("InvalidTemplate", "a table without columns needs a list of objects")
    return [dict(item) for item in items]


def _column(declared: Any) -> dict[str, Any]:
    return object_of(declared, "columns")


def _cell(reader: Reader, value: Any) -> str:
    return "" if value is None else str(reader.call("string", value))


def _csv(headers: list[str], rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([headers, *rows])
    return text.getvalue()


def _html(headers: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{html.escape(each)}</th>" for each in headers)
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _expression(work: Working, action: Action, at: At) -> Ended:
    reader = Reader(work, action, at)
    inputs = object_of(reader.evaluate(action.inputs), "inputs")
    work.begin(action, at, inputs=inputs)
    function, names = EXPRESSION_KINDS[str(action.kind)]
    arguments = [inputs[name] for name in names if inputs.get(name) is not None]
    return Ended.succeeded({"body": reader.call(function, *arguments)})


DATA_ACTIONS: dict[str, Callable[[Working, Action, At], Ended]] = {
    "Compose": _compose,
    "ParseJson": _parse_json,
    "Select": _select,
    "Query": _query,
    "Join": _join,
    "Table": _table,
    "Expression": _expression,
}
"""What runs an action that only makes a value of values, by the action's type.

Each raises ``ActionFault`` when an input has not the type that the action needs.
"""
