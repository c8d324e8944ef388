"""Foreach and Until: the same actions again, keyed by iteration.

A Foreach runs one iteration at a time unless ``runtimeConfiguration.concurrency`` says more; it
goes on after a failed iteration and is failed at the end. Iterations of a parallel Foreach share
variables; the order in which they change them is the order of the events, so a run can be
repeated exactly. An Until runs its actions, then asks its expression; reaching ``limit`` ends it
without failure unless ``operationOptions`` holds ``FailWhenLimitsReached`` (Azure Logic Apps,
'Until loop').
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from hybridmandate.orchestration.definition.model import Action, Graph
from hybridmandate.orchestration.engine.conditions import holds
from hybridmandate.orchestration.engine.containers import SCOPE_FAILED
from hybridmandate.orchestration.engine.durations import duration_seconds
from hybridmandate.orchestration.engine.flow_control import FlowControl
from hybridmandate.orchestration.engine.outcomes import ActionFault, Ended
from hybridmandate.orchestration.engine.reader import Reader
from hybridmandate.orchestration.engine.working import At, Working
from hybridmandate.orchestration.expressions import type_name


def start_foreach(work: Working, control: FlowControl, action: Action, at: At) -> None:
    """Evaluate the list and open as many iterations as may run together."""
    items = Reader(work, action, at).evaluate(action.foreach)
    if not isinstance(items, list):
        raise ActionFault(
            "ExpressionEvaluationFailed",
            f"The result of the evaluation of 'foreach' expression '{action.foreach}' is of type "
            f"'{type_name(items)}'. The result must be a valid array.",
        )
    if not work.measure("foreach.items", action, len(items)):
        raise ActionFault(
            "ForeachItemsLimitExceeded",
            f"{len(items)} items are more than {work.highest('foreach.items')}",
        )
    work.begin(
        action,
        at,
        items=items,
        next=0,
        done=0,
        open={},
        failed=False,
        kept=[],
        iterationCount=len(items),
    )
    if not items:
        control.end(work, action, at, Ended.succeeded())
        return
    for _ in range(min(action.concurrency, len(items))):
        _open_next(work, control, action, at)


def start_until(work: Working, control: FlowControl, action: Action, at: At) -> None:
    """Open the first iteration."""
    reader = Reader(work, action, at)
    count = _count(reader.evaluate(action.limit.get("count", 60)))
    timeout = reader.evaluate(action.limit.get("timeout", "PT1H"))
    try:
        deadline = work.time + duration_seconds(timeout)
    except ValueError as error:
        raise ActionFault("InvalidTemplate", f"limit.timeout: {error}") from error
    if count < 1 or not work.measure("until.count", action, count):
        most = work.highest("until.count")
        raise ActionFault("InvalidTemplate", f"limit.count: {count} is not 1 to {most}")
    work.begin(
        action,
        at,
        next=0,
        done=0,
        open={},
        failed=False,
        kept=[],
        deadline=deadline,
        iterationCount=0,
        inputs={"limit": {"count": count, "timeout": timeout}},
    )
    _open_next(work, control, action, at)


def _count(value: Any) -> int:
    """The value of ``limit.count``. :raises ActionFault: when it is no whole number."""
    try:
        return int(str(value))
    except ValueError:
        raise ActionFault(
            "InvalidTemplate", f"limit.count: {json.dumps(value)} is not a whole number"
        ) from None


def iteration_done(
    work: Working, control: FlowControl, action: Action, at: At, graph: Graph
) -> None:
    """One action of an iteration has ended; ``at`` is the place inside the loop."""
    outside, index = at[:-1], str(at[-1])
    still_open = work.changeable(action, outside)["open"]
    left = still_open[index] - 1
    still_open[index] = left
    if left == 0:
        _close_iteration(work, control, action, outside, at[-1], graph)


def _open_next(work: Working, control: FlowControl, action: Action, at: At) -> None:
    record = work.changeable(action, at)
    index: int = record["next"]
    graph = action.branches[0].graph
    record["next"] = index + 1
    record["open"][str(index)] = len(graph.actions)
    record["kept"].append(index)
    if not graph.actions:
        work.agenda.append(partial(_close_iteration, work, control, action, at, index, graph))
        return
    control.open_graph(work, graph, (*at, index))


def _close_iteration(
    work: Working, control: FlowControl, action: Action, at: At, index: int, graph: Graph
) -> None:
    failed = work.failed_inside(graph, (*at, index))
    record = work.changeable(action, at)
    del record["open"][str(index)]
    record["done"] += 1
    if action.type == "Until":
        _after_until(work, control, action, at, failed)
        return
    record["failed"] = record["failed"] or failed
    count = len(record["items"])
    if index < count - 1:
        _forget(work, action, record, at, index)
    if record["next"] < count:
        _open_next(work, control, action, at)
    elif not record["open"]:
        control.end(work, action, at, SCOPE_FAILED if record["failed"] else Ended.succeeded())


def _after_until(work: Working, control: FlowControl, action: Action, at: At, failed: bool) -> None:
    record = work.changeable(action, at)
    record["iterationCount"] = record["done"]
    limit = record["inputs"]["limit"]["count"]
    try:
        met = holds(action.expression, Reader(work, action, at))
    except ActionFault as fault:
        control.end(work, action, at, Ended.failed(fault.code, fault.message))
        return
    if met:
        control.end(work, action, at, SCOPE_FAILED if failed else Ended.succeeded())
        return
    if record["done"] >= limit or work.time >= record["deadline"]:
        control.end(work, action, at, _limit_reached(action, failed))
        return
    _forget(work, action, record, at, record["next"] - 1)
    _open_next(work, control, action, at)


def _limit_reached(action: Action, failed: bool) -> Ended:
    if "FailWhenLimitsReached" in action.options:
        return Ended.failed("LoopLimitReached", f"'{action.name}' reached its limit.")
    return SCOPE_FAILED if failed else Ended.succeeded()


def _forget(work: Working, action: Action, record: dict[str, Any], at: At, index: int) -> None:
    """Drop an iteration's records unless ``result()`` may ask for them."""
    if action.name in work.flow.collected_loops:
        return
    work.drop(action.branches[0].graph, (*at, index))
    record["kept"].remove(index)
