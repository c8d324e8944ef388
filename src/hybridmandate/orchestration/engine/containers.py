"""Scope, If and Switch: actions that hold a list of actions and take their status from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hybridmandate.orchestration.definition.model import Action, Graph
from hybridmandate.orchestration.engine.conditions import holds
from hybridmandate.orchestration.engine.flow_control import FlowControl
from hybridmandate.orchestration.engine.outcomes import ActionFault, Ended
from hybridmandate.orchestration.engine.reader import Reader
from hybridmandate.orchestration.engine.working import At, Working

SCOPE_FAILED = Ended.failed("ActionFailed", "An action failed. No dependent actions succeeded.")


def start_scope(work: Working, control: FlowControl, action: Action, at: At) -> None:
    """Open the scope's only branch."""
    _open(work, control, action, at, "actions", {})


def start_if(work: Working, control: FlowControl, action: Action, at: At) -> None:
    """Open the branch that the condition chooses; the other is skipped."""
    chosen = holds(action.expression, Reader(work, action, at))
    inputs = {"expressionResult": chosen}
    _open(work, control, action, at, "actions" if chosen else "else", inputs)


def start_switch(work: Working, control: FlowControl, action: Action, at: At) -> None:
    """Open the case that equals the expression, or the default."""
    value = Reader(work, action, at).evaluate(action.expression)
    if isinstance(value, dict | list):
        raise ActionFault(
            "InvalidTemplate", f"the expression of switch '{action.name}' is not a simple value"
        )
    label = next(
        (b.label for b in action.branches if b.label != "default" and _same(b.case, value)),
        "default",
    )
    _open(work, control, action, at, label, {"expressionResult": value})


def branch_done(work: Working, control: FlowControl, action: Action, at: At, graph: Graph) -> None:
    """One action of the open branch has ended; the last one ends the container."""
    record = work.record(action.name, at)
    if record is None:
        raise RuntimeError(f"'{action.name}' has no record although an action in it ended")
    left = record["open"] - 1
    work.change(action, at, open=left)
    if left == 0:
        _end(work, control, action, at, graph)


def _open(
    work: Working,
    control: FlowControl,
    action: Action,
    at: At,
    label: str,
    inputs: Mapping[str, Any],
) -> None:
    graph = work.flow.branch_graph(action, label)
    work.begin(action, at, open=len(graph.actions), branch=label, inputs=dict(inputs) or None)
    for branch in action.branches:
        if branch.label != label:
            control.skip_branch(work, branch.graph, at)
    if not graph.actions:
        control.end(work, action, at, Ended.succeeded())
        return
    control.open_graph(work, graph, at)


def _end(work: Working, control: FlowControl, action: Action, at: At, graph: Graph) -> None:
    failed = work.failed_inside(graph, at)
    control.end(work, action, at, SCOPE_FAILED if failed else Ended.succeeded())


def _same(case: Any, value: Any) -> bool:
    """Cases are compared by type and value: ``1`` is not ``'1'``, ``True`` is not ``1``."""
    if isinstance(case, bool) or isinstance(value, bool):
        return case is value
    return bool(case == value)
