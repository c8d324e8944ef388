"""How far a flow is from the limits that its definition alone decides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from hybridmandate.orchestration.definition.model import Action, Flow, Graph
from hybridmandate.orchestration.limits.catalogue import Limit, Profile, limit

WARN_SHARE = 0.8
"""The share of a limit from which on a warning is due."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A value against its limit; ``place`` names what was measured (an action, or the flow)."""

    limit: Limit
    value: int
    highest: int
    place: str

    @property
    def level(self) -> str:
        """``ok``, ``warning`` from 80 % on, or ``over``."""
        if self.value > self.highest:
            return "over"
        return "warning" if self.value >= WARN_SHARE * self.highest else "ok"

    def __str__(self) -> str:
        return (
            f"{self.limit.title}: {self.value:,} of {self.highest:,} {self.limit.unit} "
            f"({self.place})"
        )


def measure_flow(flow: Flow, profile: Profile = Profile.MEDIUM) -> list[Measure]:
    """The largest value of a flow for each limit that a definition decides."""
    actions = flow.actions.values()
    variables = sum(
        len(each.inputs["variables"]) for each in actions if each.type == "InitializeVariable"
    )
    depth, deepest = max(_depths(flow.graph, 0), default=(0, flow.name))
    measured = [
        _measure("flow.actions", [(len(flow.actions), flow.name)], profile),
        _measure("flow.depth", [(depth, deepest)], profile),
        _measure("flow.variables", [(variables, flow.name)], profile),
        _measure(
            "switch.cases",
            [(len(each.branches) - 1, each.name) for each in actions if each.type == "Switch"],
            profile,
        ),
        _measure(
            "name.length",
            [(len(name), name) for name in (flow.trigger.name, *flow.actions)],
            profile,
        ),
        _measure(
            "description.length",
            [(len(str(each.description)), each.name) for each in actions if each.description],
            profile,
        ),
        _measure(
            "expression.length",
            [
                (len(text), each.name)
                for each in actions
                for text in _expressions([each.inputs, each.expression, each.foreach])
            ],
            profile,
        ),
        _measure(
            "foreach.concurrency",
            [(each.concurrency, each.name) for each in actions if each.type == "Foreach"],
            profile,
        ),
        _measure("trigger.runs", [(flow.trigger.concurrency or 0, flow.trigger.name)], profile),
        _measure(
            "until.count",
            [
                (count, each.name)
                for each in actions
                if each.type == "Until" and isinstance(count := each.limit.get("count"), int)
            ],
            profile,
        ),
        _measure(
            "page.items",
            [
                (count, each.name)
                for each in actions
                if isinstance(count := _paging(each).get("minimumItemCount"), int)
            ],
            profile,
        ),
    ]
    return [each for each in measured if each is not None]


def check_limits(flow: Flow, profile: Profile = Profile.MEDIUM) -> tuple[list[Measure], list[str]]:
    """What is at 80 % or more, and a sentence for each limit that refuses the flow at load."""
    measured = measure_flow(flow, profile)
    over = [
        str(each) for each in measured if each.level == "over" and each.limit.enforced == "load"
    ]
    return [each for each in measured if each.level != "ok"], over


def _measure(limit_id: str, values: Iterable[tuple[int, str]], profile: Profile) -> Measure | None:
    value, place = max(values, default=(0, ""))
    if not place:
        return None
    found = limit(limit_id)
    return Measure(found, value, found.of(profile), place)


def _paging(action: Action) -> Mapping[str, Any]:
    return action.runtime.get("paginationPolicy") or {}


def _depths(graph: Graph, above: int) -> Iterator[tuple[int, str]]:
    for action in graph.actions:
        yield above, action.name
        for branch in action.branches:
            yield from _depths(branch.graph, above + 1)


def _expressions(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value.startswith("@") and not value.startswith(("@{", "@@")):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _expressions(each)
    elif isinstance(value, list):
        for each in value:
            yield from _expressions(each)
