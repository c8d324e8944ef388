"""Custom APIs of a solution: actions and functions declared in `tables/actions/*.json`.

A declaration says what the API takes, which columns of its row it sets, and what it answers. A
value is `{"value": …}`, `{"parameter": "name"}` or, in the answer, `{"column": "name"}`.
Source of the terms: learn.microsoft.com/power-apps/developer/data-platform/custom-api and
webapi/use-web-api-actions, use-web-api-functions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridmandate.twin.dataverse.caller import Caller
from hybridmandate.twin.dataverse.errors import bad_request, no_row
from hybridmandate.twin.dataverse.exchange import ROOT, ApiAnswer, ApiRequest, no_constant
from hybridmandate.twin.dataverse.table import TableDefinition, TableInvalid

if TYPE_CHECKING:
    from hybridmandate.twin.dataverse.store import Transaction

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*_[A-Za-z0-9_]+")
_SOURCES = ("value", "parameter", "column")
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "decimal": (int, float),
    "boolean": (bool,),
}
_CALL = re.compile(r"(?P<name>[A-Za-z_.]\w*(?:\.\w+)*)(?:\((?P<arguments>.*)\))?")
_ARGUMENT = re.compile(r"\s*(\w+)\s*=\s*('(?:[^']|'')*'\s*|[^,'\s][^,']*)(?:,|$)")


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a caller gives; ``type`` is string, integer, decimal or boolean."""

    type: str
    required: bool


@dataclass(frozen=True, slots=True)
class CustomApi:
    """One action or function; ``bound_to`` is a logical name, empty for an unbound one."""

    name: str
    function: bool
    bound_to: str
    parameters: Mapping[str, Parameter]
    sets: Mapping[str, Mapping[str, Any]]
    answers: Mapping[str, Mapping[str, Any]]

    def run(
        self,
        request: ApiRequest,
        arguments: str | None,
        table: TableDefinition | None,
        row_id: str | None,
        caller: Caller,
        rows: Transaction,
        origin: str,
    ) -> ApiAnswer:
        """Call it. :raises DataverseError: 400 for its parameters, 403, 404 for its row."""
        if request.method != ("GET" if self.function else "POST"):
            verb = "a function: GET" if self.function else "an action: POST"
            raise bad_request(f"{self.name} is {verb} it.")
        plain = _arguments(arguments or "", request) if self.function else request.json()
        given = self._checked(plain)
        row = self._row(table, row_id, given, caller, rows)
        if not self.answers:
            return ApiAnswer(204)
        context = f"{origin}{ROOT}$metadata#Microsoft.Dynamics.CRM.{self.name}Response"
        told = {name: _value(each, given, row) for name, each in self.answers.items()}
        return ApiAnswer(200, {"@odata.context": context, **told})

    def _row(
        self,
        table: TableDefinition | None,
        row_id: str | None,
        given: Mapping[str, Any],
        caller: Caller,
        rows: Transaction,
    ) -> Mapping[str, Any]:
        if table is None or row_id is None:
            return {}
        caller.require("read", table)
        row = rows.find(table, row_id)
        if row is None:
            raise no_row(table.logical_name, row_id)
        if not self.sets:
            return row
        caller.require("update", table)
        values = {name: _value(each, given, row) for name, each in self.sets.items()}
        return rows.update(table, row_id, values, caller.actor, version=None)

    def _checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        for name in given:
            if name not in self.parameters:
                raise bad_request(
                    f"The parameter '{name}' is not a valid parameter of {self.name}."
                )
        checked: dict[str, Any] = {}
        for name, parameter in self.parameters.items():
            value = given.get(name)
            if value is None and parameter.required:
                raise bad_request(f"The parameter '{name}' of {self.name} is missing.")
            fits = isinstance(value, _TYPES[parameter.type])
            if isinstance(value, bool) and parameter.type != "boolean":
                fits = False
            if value is not None and not fits:
                raise bad_request(f"The parameter '{name}' must be of type {parameter.type}.")
            checked[name] = value
        return checked


def call_of(text: str) -> tuple[str, str | None]:
    """Name and arguments of a call such as `hm_Total(year=2026)`; the namespace is left out."""
    match = _CALL.fullmatch(text)
    if match is None:
        return text, None
    return match["name"].rpartition(".")[2], match["arguments"]


def read_custom_apis(
    folder: Path, tables: Mapping[str, TableDefinition]
) -> dict[tuple[str, str], CustomApi]:
    """The custom APIs of a folder by (logical name of the table or '', name).

    :raises TableInvalid: when a declaration is wrong.
    """
    known = {table.logical_name: table for table in tables.values()}
    found: dict[tuple[str, str], CustomApi] = {}
    for path in sorted(folder.glob("*.json")):
        api = _read(path)
        if _NAME.fullmatch(api.name) is None:
            raise TableInvalid(f"{path.name}: '{api.name}' has no publisher prefix")
        if api.bound_to and api.bound_to not in known:
            raise TableInvalid(f"{path.name}: there is no table '{api.bound_to}'")
        if api.sets and (not api.bound_to or api.function):
            raise TableInvalid(f"{path.name}: only an action that is bound to a table sets columns")
        _check_values(path.name, api, known.get(api.bound_to))
        found[(api.bound_to, api.name)] = api
    return found


def _read(path: Path) -> CustomApi:
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        parameters = {
            name: Parameter(str(each["type"]), bool(each.get("required", False)))
            for name, each in plain.get("parameters", {}).items()
        }
        return CustomApi(
            name=str(plain["name"]),
            function=bool(plain.get("function", False)),
            bound_to=str(plain.get("boundTo", "")),
            parameters=parameters,
            sets={name: dict(each) for name, each in plain.get("sets", {}).items()},
            answers={name: dict(each) for name, each in plain.get("answers", {}).items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise TableInvalid(f"{path.name}: {type(error).__name__}: {error}") from None


def _check_values(file: str, api: CustomApi, table: TableDefinition | None) -> None:
    for name, parameter in api.parameters.items():
        if parameter.type not in _TYPES:
            raise TableInvalid(f"{file}: parameter '{name}' has the type '{parameter.type}'")
    for name in api.sets:
        if table is None or table.column_of(name) is None:
            raise TableInvalid(f"{file}: it sets '{name}', which is no column")
    for name, each in (*api.sets.items(), *api.answers.items()):
        if len(each) != 1 or next(iter(each)) not in _SOURCES:
            raise TableInvalid(f"{file}: '{name}' must be one of {', '.join(_SOURCES)}")
        if "parameter" in each and each["parameter"] not in api.parameters:
            raise TableInvalid(f"{file}: '{name}' names no parameter '{each['parameter']}'")
        if "column" in each and (table is None or each["column"] not in table.property_names):
            raise TableInvalid(f"{file}: '{name}' names no column '{each['column']}'")


def _value(source: Mapping[str, Any], given: Mapping[str, Any], row: Mapping[str, Any]) -> Any:
    if "parameter" in source:
        return given[source["parameter"]]
    return row[source["column"]] if "column" in source else source["value"]


def _arguments(text: str, request: ApiRequest) -> dict[str, Any]:
    """Arguments of a function, given in its brackets or by aliases (`@p1`)."""
    found: dict[str, Any] = {}
    position = 0
    while position < len(text):
        match = _ARGUMENT.match(text, position)
        if match is None:
            raise bad_request(f"The arguments '{text}' cannot be read.")
        value = match[2].strip()
        if value.startswith("@"):
            if value not in request.query:
                raise bad_request(f"The parameter alias '{value}' has no value.")
            value = request.query[value]
        found[match[1]] = _literal(value)
        position = match.end()
    return found


def _literal(text: str) -> Any:
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    try:
        return json.loads(text, parse_constant=no_constant)
    except (ValueError, RecursionError):
        raise bad_request(f"'{text}' is no value of a parameter.") from None
