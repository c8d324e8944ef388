"""What an action's texts mention: other actions, variables, loops, the trigger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hybridmandate.orchestration.definition.evaluated import evaluated_inputs, texts
from hybridmandate.orchestration.definition.model import Action, Graph
from hybridmandate.orchestration.expressions import parse_template

_TRIGGER = frozenset({"trigger", "triggerbody", "triggeroutputs", "triggerformdatavalue"})


@dataclass(frozen=True, slots=True)
class Mentions:
    """Names in lower case. ``item`` says that the current item is used, ``trigger`` its outputs."""

    actions: frozenset[str]
    variables: frozenset[str]
    loops: frozenset[str]
    item: bool
    trigger: bool


def mentions(action: Action) -> Mentions:
    """What the inputs, the condition and the list of an action mention."""
    found: set[tuple[str, str]] = set()
    functions: set[str] = set()
    inputs = evaluated_inputs({"type": action.type}, action.inputs)
    for _, text in texts([inputs, action.expression, action.foreach]):
        template = parse_template(text)
        found |= template.references()
        functions |= {each.lower() for each in template.function_names()}

    def named(kind: str) -> frozenset[str]:
        return frozenset(name.lower() for known, name in found if known == kind)

    return Mentions(
        actions=named("action"),
        variables=named("variable"),
        loops=named("items"),
        item="item" in functions,
        trigger=bool(functions & _TRIGGER),
    )


def walk(graph: Graph) -> Iterator[Action]:
    """Every action of a list and inside it, in file order."""
    for action in graph.actions:
        yield action
        for branch in action.branches:
            yield from walk(branch.graph)
