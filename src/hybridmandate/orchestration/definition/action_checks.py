"""What each action type must carry, checked when a flow is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hybridmandate.orchestration.definition import kinds
from hybridmandate.orchestration.definition.errors import DefinitionError
from hybridmandate.orchestration.definition.shapes import (
    ACTION,
    check_parts,
    check_runtime,
    check_shape,
)

Fault = Callable[[str, str], None]


def check_action(
    name: str,
    value: Mapping[str, Any],
    path: str,
    owner: str | None,
    errors: list[DefinitionError],
) -> bool:
    """Add the faults of one action (not of the actions inside it) to ``errors``.

    False says that the action cannot be read at all.
    """

    def fault(where: str, message: str) -> None:
        errors.append(DefinitionError(f"{path}{where}", message))

    kind = value.get("type")
    if not isinstance(kind, str) or kind not in kinds.ACTION_TYPES:
        fault(".type", f"action type '{kind}' is not supported")
        return False
    if not (check_shape(value, ACTION, fault) and check_runtime(value, fault)):
        return False
    check_parts(kind, value, fault)
    for before, statuses in _object(value.get("runAfter")).items():
        if not isinstance(statuses, list) or not statuses:
            fault(f".runAfter.{before}", "must be a list of statuses")
    _check_concurrency(value, fault)
    check = _CHECKS.get(kind)
    if check is not None:
        check(value, owner, fault)
    return True


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _check_concurrency(value: Mapping[str, Any], fault: Fault) -> None:
    concurrency = _object(value.get("runtimeConfiguration")).get("concurrency")
    if concurrency is None:
        return
    repetitions = _object(concurrency).get("repetitions")
    if type(repetitions) is not int or not 1 <= repetitions <= 50:
        fault(".runtimeConfiguration.concurrency.repetitions", "must be a number from 1 to 50")


def _needs(*keys: str) -> Callable[[Mapping[str, Any], str | None, Fault], None]:
    def check(value: Mapping[str, Any], owner: str | None, fault: Fault) -> None:
        inputs = value.get("inputs")
        if not isinstance(inputs, dict):
            fault(".inputs", "must be an object")
            return
        for key in keys:
            if key not in inputs:
                fault(f".inputs.{key}", "is missing")

    return check


def _foreach(value: Mapping[str, Any], owner: str | None, fault: Fault) -> None:
    if "foreach" not in value:
        fault(".foreach", "is missing")


def _until(value: Mapping[str, Any], owner: str | None, fault: Fault) -> None:
    if "expression" not in value:
        fault(".expression", "is missing")


def _if(value: Mapping[str, Any], owner: str | None, fault: Fault) -> None:
    if not isinstance(value.get("expression"), dict | str | bool):
        fault(".expression", "must be a condition")


def _switch(value: Mapping[str, Any], owner: str | None, fault: Fault) -> None:
    if "expression" not in value:
        fault(".expression", "is missing")


def _initialize(value: Mapping[str, Any], owner: str | None, fault: Fault) -> None:
    if owner is not None:
        fault("", "a variable can only be initialised at the top of a flow")
    variables = _object(value.get("inputs")).get("variables")
    if not isinstance(variables, list) or not variables:
        fault(".inputs.variables", "must be a list of variables")
        return
    for index, each in enumerate(variables):
        if not isinstance(each, dict) or not isinstance(each.get("name"), str):
            fault(f".inputs.variables[{index}]", "a variable has a name and a type")
        elif str(each.get("type")).lower() not in kinds.VARIABLE_TYPES:
            fault(f".inputs.variables[{index}].type", f"'{each.get('type')}' is no variable type")


def _host(*keys: str) -> Callable[[Mapping[str, Any], str | None, Fault], None]:
    def check(value: Mapping[str, Any], owner: str | None, fault: Fault) -> None:
        host = _object(value.get("inputs")).get("host")
        if not isinstance(host, dict):
            fault(".inputs.host", "is missing")
            return
        for key in keys:
            if key not in host:
                fault(f".inputs.host.{key}", "is missing")

    return check


def _changeset(value: Mapping[str, Any], owner: str | None, fault: Fault) -> None:
    _host("connectionName", "operationId", "apiId")(value, owner, fault)
    for name, inner in _object(value.get("actions")).items():
        if _object(inner).get("type") != "OpenApiConnection":
            fault(f".actions.{name}.type", "a change set holds connector actions only")


def _expression(value: Mapping[str, Any], owner: str | None, fault: Fault) -> None:
    if value.get("kind") not in kinds.EXPRESSION_KINDS:
        fault(".kind", f"expression kind '{value.get('kind')}' is not supported")


def _terminate(value: Mapping[str, Any], owner: str | None, fault: Fault) -> None:
    status = _object(value.get("inputs")).get("runStatus")
    if status not in ("Succeeded", "Failed", "Cancelled"):
        fault(".inputs.runStatus", "must be Succeeded, Failed or Cancelled")


def _wait(value: Mapping[str, Any], owner: str | None, fault: Fault) -> None:
    inputs = _object(value.get("inputs"))
    if "interval" not in inputs and "until" not in inputs:
        fault(".inputs", "must have 'interval' or 'until'")


_CHECKS: dict[str, Callable[[Mapping[str, Any], str | None, Fault], None]] = {
    "Foreach": _foreach,
    "Until": _until,
    "If": _if,
    "Switch": _switch,
    "InitializeVariable": _initialize,
    "SetVariable": _needs("name"),
    "AppendToArrayVariable": _needs("name", "value"),
    "AppendToStringVariable": _needs("name", "value"),
    "IncrementVariable": _needs("name"),
    "DecrementVariable": _needs("name"),
    "ParseJson": _needs("content", "schema"),
    "Select": _needs("from", "select"),
    "Query": _needs("from", "where"),
    "Join": _needs("from", "joinWith"),
    "Table": _needs("from", "format"),
    "Http": _needs("uri", "method"),
    "OpenApiConnection": _host("connectionName", "operationId", "apiId"),
    "OpenApiConnectionWebhook": _host("connectionName", "operationId", "apiId"),
    "ApiConnection": _host("connection"),
    "ApiConnectionWebhook": _host("connection"),
    "Changeset": _changeset,
    "Workflow": _host("workflowReferenceName"),
    "Expression": _expression,
    "Terminate": _terminate,
    "Wait": _wait,
}
