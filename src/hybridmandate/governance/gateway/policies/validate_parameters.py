"""validate-parameters: path, query and header parameters against the operation (its page)."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from hybridmandate.governance.gateway.configuration import OperationEntry
from hybridmandate.governance.gateway.contract_check import SchemaCheck
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.policies.validation import ACTIONS, Violation, settle
from hybridmandate.governance.gateway.registry import INBOUND, ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import Value

_USUAL_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "host",
        "user-agent",
    }
)
_WORDS = {"header": "header", "query": "query parameter", "path": "path parameter"}
_TYPES = {"header": "RequestHeader", "query": "QueryParameter", "path": "PathParameter"}
_INTEGER = re.compile(r"-?[0-9]{1,100}")
_NUMBER = re.compile(r"-?[0-9]{1,100}(\.[0-9]{1,100})?([eE][+-]?[0-9]{1,3})?")
"""As JSON writes them: what Python takes beyond that (``1_0``, ``nan``) no back end does."""
_SEPARATORS = {"spaceDelimited": " ", "pipeDelimited": "|"}
_Actions = tuple[str, Mapping[str, str]]
"""The action for parameters in general, and those of named parameters."""


@policy("validate-parameters", sections=INBOUND, once=True)
class ValidateParameters(Policy):
    """Declared parameters are checked against their schemas, others by the unspecified action."""

    def __init__(self, reader: ElementReader) -> None:
        specified = reader.choice_value("specified-parameter-action", ACTIONS)
        unspecified = reader.choice_value("unspecified-parameter-action", ACTIONS)
        self._variable = reader.optional_literal("errors-variable-name")
        self._section = reader.preparation.section
        self._actions = {
            kind: self._of_kind(reader, element, specified, unspecified)
            for kind, element in (("header", "headers"), ("query", "query"), ("path", "path"))
        }
        self._checks: dict[int, SchemaCheck] = {}
        self._by_operation: dict[int, Mapping[str, Mapping[str, Any]]] = {}

    @staticmethod
    def _of_kind(
        reader: ElementReader, element: str, specified: Value, unspecified: Value
    ) -> tuple[Value, Value, dict[str, str]]:
        found = reader.child(element)
        if found is None:
            return specified, unspecified, {}
        own = {
            each.literal("name").lower(): each.choice("action", ACTIONS)
            for each in found.children("parameter")
        }
        if found.has("specified-parameter-action"):
            specified = found.choice_value("specified-parameter-action", ACTIONS)
        if element != "path" and found.has("unspecified-parameter-action"):
            unspecified = found.choice_value("unspecified-parameter-action", ACTIONS)
        return specified, unspecified, own

    def act(self, exchange: Exchange) -> None:
        violations: list[Violation] = []
        for kind, known in self._declared(exchange.operation).items():
            specified, unspecified, own = self._actions[kind]
            general = "ignore" if kind == "path" else unspecified.get(exchange)
            # Where others are ignored only the declared ones need to be looked at.
            ignores = general == "ignore" and not own
            if ignores and not known:
                continue
            given = _given(exchange, kind, known if ignores else None)
            violations.extend(self._specified(kind, known, given, (specified.get(exchange), own)))
            if kind != "path" and not ignores:
                violations.extend(_unknown(kind, known, given, (general, own)))
        settle(exchange, violations, self._variable, self._section)

    def _declared(self, operation: OperationEntry | None) -> Mapping[str, Mapping[str, Any]]:
        """The parameters that an operation declares, by kind and lower-case name."""
        found = self._by_operation.get(id(operation))
        if found is None:
            declared = operation.parameters if operation is not None else ()
            found = self._by_operation[id(operation)] = {
                kind: {
                    str(each["name"]).lower(): each for each in declared if each.get("in") == kind
                }
                for kind in ("header", "query", "path")
            }
        return found

    def _specified(
        self,
        kind: str,
        known: Mapping[str, Any],
        given: Mapping[str, Sequence[str]],
        actions: _Actions,
    ) -> list[Violation]:
        general, own = actions
        found = []
        for name, parameter in known.items():
            action = own.get(name, general)
            if action == "ignore":
                continue
            if name not in given:
                if parameter.get("required"):
                    told = f"Value of the {_WORDS[kind]} {name} is required and missing."
                    found.append(_violation(kind, name, "IncorrectMessage", told, action))
            elif not self._fits(parameter, given[name]):
                told = f"Value of the {_WORDS[kind]} {name} does not conform to the definition."
                found.append(_violation(kind, name, "IncorrectMessage", told, action))
        return found

    def _fits(self, parameter: Mapping[str, Any], texts: Sequence[str]) -> bool:
        schema = parameter.get("schema") or {}
        key = id(parameter)
        if key not in self._checks:
            self._checks[key] = SchemaCheck(schema)
        check = self._checks[key]
        if schema.get("type") == "array":
            kind = (schema.get("items") or {}).get("type")
            return not check.faults([_typed(each, kind) for each in _items(parameter, texts)])
        # Each of several must fit: nobody knows which one the back end reads.
        return not any(check.faults(_typed(each, schema.get("type"))) for each in texts)


def _given(
    exchange: Exchange, kind: str, names: Collection[str] | None
) -> dict[str, Sequence[str]]:
    """What the request gives, by lower-case name; only of ``names`` unless they are None."""
    request = exchange.request
    if kind == "query":
        return {name.lower(): values for name, values in request.url.query.items()}
    if kind == "path":
        return {name.lower(): [value] for name, value in request.matched_parameters.items()}
    headers = request.headers
    return {
        name.lower(): [headers.get(name) or ""]
        for name in (headers.names() if names is None else names)
        if name.lower() not in _USUAL_HEADERS and name in headers
    }


def _items(parameter: Mapping[str, Any], texts: Sequence[str]) -> Sequence[str]:
    """The items of an array parameter, as its ``style`` and ``explode`` write them (OpenAPI 3)."""
    style = parameter.get("style", "form" if parameter["in"] == "query" else "simple")
    if parameter["in"] == "query" and parameter.get("explode", style == "form"):
        return texts
    separator = _SEPARATORS.get(style, ",")
    return [each.strip() for text in texts for each in text.split(separator)]


def _typed(text: str, kind: Any) -> Any:
    """The text as the declared type, or as it is where it cannot be read as one."""
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), None)
    if kind == "integer" and _INTEGER.fullmatch(text):
        return int(text)
    if kind == "number" and _NUMBER.fullmatch(text):
        return float(text)
    if kind == "boolean" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    return text


def _unknown(
    kind: str, known: Mapping[str, Any], given: Collection[str], actions: _Actions
) -> list[Violation]:
    general, own = actions
    return [
        _violation(
            kind, name, "Unspecified", f"Unspecified {_WORDS[kind]} {name} is not allowed.", action
        )
        for name in given
        if name not in known and (action := own.get(name, general)) != "ignore"
    ]


def _violation(kind: str, name: str, rule: str, details: str, action: str) -> Violation:
    return Violation(name, _TYPES[kind], rule, details, action, "Parameter")
