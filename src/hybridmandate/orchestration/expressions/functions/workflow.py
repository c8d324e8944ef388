"""Workflow functions: what the run holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from hybridmandate.orchestration.expressions.bounds import Frame
from hybridmandate.orchestration.expressions.errors import FunctionFault
from hybridmandate.orchestration.expressions.registry import Family, optional, required
from hybridmandate.orchestration.expressions.values import TEXT

workflow_family = Family("Workflow")
ACTION = required("actionName", TEXT)


def _looked_up(look: Any, name: str, what: str) -> Any:
    try:
        return look(name)
    except LookupError as missing:
        raise _unknown(name, what) from missing


def _unknown(name: str, what: str) -> FunctionFault:
    return FunctionFault(
        f"The {what} is not defined in the template or cannot be seen from here",
        argument=1,
        expected=f"the name of a {what}",
        value=name,
    )


def action_record(frame: Frame, name: str) -> Mapping[str, Any] | None:
    """The record of an action, None when it has not run.

    :raises FunctionFault: when there is no such action.
    """
    found: Mapping[str, Any] | None = _looked_up(frame.scope.action, name, "action")
    return found


def _outputs(frame: Frame, name: str) -> Any:
    try:
        return frame.scope.action_outputs(name)
    except LookupError as missing:
        raise _unknown(name, "action") from missing


def body_of(outputs: Any) -> Any:
    """The body in outputs; None when they are none or have none."""
    return outputs.get("body") if isinstance(outputs, dict) else None


@workflow_family.function(
    "outputs", ACTION, example="outputs('Get_user')?['statusCode']", gives=200
)
def outputs(frame: Frame, name: str) -> Any:
    """The outputs of an action; null before it has run."""
    return _outputs(frame, name)


@workflow_family.function(
    "actionOutputs", ACTION, example="actionOutputs('Get_user').statusCode", gives=200
)
def action_outputs(frame: Frame, name: str) -> Any:
    """The outputs of an action, under the older name."""
    return _outputs(frame, name)


@workflow_family.function("body", ACTION, example="body('Get_user')?['name']", gives="Ada")
def body(frame: Frame, name: str) -> Any:
    """The body in an action's outputs; null before it has run."""
    return body_of(_outputs(frame, name))


@workflow_family.function("actionBody", ACTION, example="actionBody('Get_user').name", gives="Ada")
def action_body(frame: Frame, name: str) -> Any:
    """The body in an action's outputs, under the older name."""
    return body_of(_outputs(frame, name))


@workflow_family.function(
    "actions",
    ACTION,
    optional("propertyName", TEXT),
    example="actions('Get_user').status",
    gives="Succeeded",
)
def actions(frame: Frame, name: str, member: str | None = None) -> Any:
    """The record of an action, or one property of it (status, inputs, outputs, code …)."""
    record = action_record(frame, name)
    if record is None:
        return None
    return dict(record) if member is None else record.get(member)


@workflow_family.function(
    "action",
    optional("propertyName", TEXT),
    example="action().outputs.statusCode",
    gives=200,
)
def action(frame: Frame, member: str | None = None) -> Any:
    """The record of the current action, or one property of it; for tracked properties."""
    record = frame.scope.current_action()
    if record is None:
        raise FunctionFault("There is no current action here")
    return dict(record) if member is None else record.get(member)


@workflow_family.function(
    "result",
    required("scopeName", TEXT),
    example="first(result('Scope'))?['status']",
    gives="Succeeded",
)
def result(frame: Frame, name: str) -> list[Any]:
    """The records of the actions in a scope or loop."""
    found = _looked_up(frame.scope.result, name, "scope")
    return [dict(each) if isinstance(each, Mapping) else each for each in found]


@workflow_family.function("trigger", example="trigger().name", gives="manual")
def trigger(frame: Frame) -> dict[str, Any]:
    """The trigger's record: name, inputs, outputs, times."""
    return dict(frame.scope.trigger())


@workflow_family.function("triggerOutputs", example="triggerOutputs()?['body/city']", gives="Oslo")
def trigger_outputs(frame: Frame) -> Any:
    """The trigger's outputs."""
    return frame.scope.trigger_outputs()


@workflow_family.function("triggerBody", example="triggerBody()?['city']", gives="Oslo")
def trigger_body(frame: Frame) -> Any:
    """The body in the trigger's outputs."""
    return body_of(frame.scope.trigger_outputs())


@workflow_family.function(
    "variables", required("variableName", TEXT), example="variables('count')", gives=20
)
def variables(frame: Frame, name: str) -> Any:
    """The value of a variable."""
    return _looked_up(frame.scope.variable, name, "variable")


@workflow_family.function(
    "parameters", required("parameterName", TEXT), example="parameters('threshold')", gives=500
)
def parameters(frame: Frame, name: str) -> Any:
    """The value of a parameter of the definition."""
    return _looked_up(frame.scope.parameter, name, "parameter")


@workflow_family.function("item", example="item()?['id']", gives=7)
def item(frame: Frame) -> Any:
    """The current item of an array operation or of the nearest loop."""
    try:
        return frame.scope.item()
    except LookupError as missing:
        raise FunctionFault("There is no current item: no array is being repeated") from missing


@workflow_family.function(
    "items", required("loopName", TEXT), example="items('For_each')?['id']", gives=7
)
def items(frame: Frame, name: str) -> Any:
    """The current item of the named loop."""
    return _looked_up(frame.scope.items, name, "loop")


@workflow_family.function(
    "iterationIndexes", required("loopName", TEXT), example="iterationIndexes('Do_until')", gives=3
)
def iteration_indexes(frame: Frame, name: str) -> int:
    """How often the named Until loop has gone round, from 0."""
    found: int = _looked_up(frame.scope.iteration_index, name, "loop")
    return found


@workflow_family.function("workflow", example="workflow().name", gives="Invoice intake")
def workflow(frame: Frame) -> dict[str, Any]:
    """The workflow's record: id, name, type, location, tags and run."""
    return dict(frame.scope.workflow())


@workflow_family.function(
    "listCallbackUrl",
    example="listCallbackUrl()",
    gives="https://flows.contoso.example/triggers/manual/paths/invoke",
)
def list_callback_url(frame: Frame) -> str:
    """The URL that calls the request trigger (``callbackUrl`` of the workflow's record)."""
    url = frame.scope.workflow().get("callbackUrl")
    if not isinstance(url, str):
        raise FunctionFault("The workflow has no callback URL")
    return quote(url, safe=":/?#[]@!$&'()*+,;=%-._~")
