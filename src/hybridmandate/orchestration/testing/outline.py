"""A flow as people read it: an indented outline, or a Mermaid diagram."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hybridmandate.orchestration.definition.model import Action, Flow, Graph
from hybridmandate.orchestration.definition.races import describe

_LABELS = {"actions": "do", "else": "otherwise", "default": "in any other case"}


def outline(flow: Flow) -> str:
    """The flow in file order: what starts it, what each step does, what it waits for."""
    lines = [flow.name, f"  starts: {_trigger(flow)}"]
    lines.extend(_steps(flow.graph, 1))
    lines.extend(f"  warning: {each}" for each in describe(flow))
    if flow.connections:
        lines.append("  connections:")
        lines.extend(
            f"    {each.logical_name} ({each.api_name})" for each in flow.connections.values()
        )
    return "\n".join(lines)


def diagram(flow: Flow) -> str:
    """The flow as a Mermaid flowchart; branches are subgraphs."""
    lines = ["flowchart TD", f'  start(["{_quoted(_trigger(flow))}"])']
    ids = {name: f"a{number}" for number, name in enumerate(flow.actions)}
    lines.extend(_nodes(flow.graph, ids, "  "))
    lines.extend(f"  start --> {ids[each.name]}" for each in flow.graph.roots)
    for action in flow.actions.values():
        for before, statuses in action.run_after.items():
            plain = statuses == {"Succeeded"}
            arrow = "-->" if plain else f"-. {' or '.join(sorted(statuses))} .->"
            lines.append(f"  {ids[before]} {arrow} {ids[action.name]}")
    return "\n".join(lines)


def _trigger(flow: Flow) -> str:
    trigger = flow.trigger
    operation = trigger.operation_id or trigger.kind or ""
    repeated = trigger.recurrence or {}
    every = f" every {repeated.get('interval')} {repeated.get('frequency')}" if repeated else ""
    return f"{trigger.name} ({' '.join(filter(None, (trigger.type, operation)))}{every})"


def _steps(graph: Graph, depth: int) -> Iterator[str]:
    space = "  " * depth
    for number, action in enumerate(graph.actions, start=1):
        yield f"{space}{number}. {action.name}: {_does(action)}{_after(action)}"
        if action.description:
            yield f"{space}   “{action.description}”"
        for branch in action.branches:
            if not branch.graph.actions:
                continue
            if action.type in ("If", "Switch"):
                case = f"when {branch.case!r}" if branch.label.startswith("case:") else ""
                yield f"{space}   {case or _LABELS[branch.label]}:"
            yield from _steps(branch.graph, depth + 2)


def _does(action: Action) -> str:
    inputs: Any = action.inputs if isinstance(action.inputs, dict) else {}
    host = inputs.get("host") if isinstance(inputs.get("host"), dict) else {}
    if "operationId" in host:
        return f"calls {str(host.get('apiId', '')).rpartition('/')[2]}.{host['operationId']}"
    if action.type == "Http":
        return f"calls {inputs.get('method')} {inputs.get('uri')}"
    if action.type == "Workflow":
        return f"runs the flow {host.get('workflowReferenceName')}"
    if action.type == "Foreach":
        side = f", {action.concurrency} at a time" if action.concurrency > 1 else ""
        return f"for each of {action.foreach}{side}"
    if action.type == "Terminate":
        return f"ends the run as {inputs.get('runStatus')}"
    if "Variable" in action.type and "name" in inputs:
        return f"{action.type} {inputs['name']}"
    return action.type


def _after(action: Action) -> str:
    other = {
        before: sorted(statuses)
        for before, statuses in action.run_after.items()
        if statuses != {"Succeeded"}
    }
    if not other:
        return ""
    told = "; ".join(f"{before} is {' or '.join(statuses)}" for before, statuses in other.items())
    return f" [when {told}]"


def _nodes(graph: Graph, ids: dict[str, str], space: str) -> Iterator[str]:
    for action in graph.actions:
        text = _quoted(f"{action.name}: {_does(action)}")
        if not any(branch.graph.actions for branch in action.branches):
            yield f'{space}{ids[action.name]}["{text}"]'
            continue
        yield f'{space}subgraph {ids[action.name]}["{text}"]'
        for number, branch in enumerate(action.branches):
            if not branch.graph.actions:
                continue
            yield f'{space}  subgraph {ids[action.name]}b{number}["{_quoted(branch.label)}"]'
            yield from _nodes(branch.graph, ids, f"{space}    ")
            yield f"{space}  end"
        yield f"{space}end"


def _quoted(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace('"', "#quot;")[:120]
