"""Limits of Power Automate, one row each.

Sources: learn.microsoft.com, 'Limits of automated, scheduled, and instant flows'
(limits-and-config.md of 2025-02-11) and 'Requests limits and allocations' (2025-05-29).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Profile(StrEnum):
    """The performance profile that the plan of a flow's owner gives."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit. ``highest`` is by profile, in ``unit``; ``enforced`` says where it stops a flow:
    ``load`` (the flow is refused), ``run`` (the action or run fails), ``trigger`` (a new run is
    refused with 429) or ``call`` (the flow is slowed down)."""

    id: str
    title: str
    unit: str
    enforced: str
    highest: Mapping[Profile, int]

    def of(self, profile: Profile) -> int:
        """The highest allowed value."""
        return self.highest[profile]


def _same(value: int) -> Mapping[Profile, int]:
    return dict.fromkeys(Profile, value)


def _by_plan(low: int, medium: int, high: int) -> Mapping[Profile, int]:
    return {Profile.LOW: low, Profile.MEDIUM: medium, Profile.HIGH: high}


LIMITS: tuple[Limit, ...] = (
    Limit("flow.actions", "Actions of a flow", "actions", "load", _same(500)),
    Limit("flow.depth", "Nesting of actions", "levels", "load", _same(8)),
    Limit("flow.variables", "Variables of a flow", "variables", "load", _same(250)),
    Limit("switch.cases", "Cases of a switch", "cases", "load", _same(25)),
    Limit("name.length", "Name of an action or trigger", "characters", "load", _same(80)),
    Limit("description.length", "Description", "characters", "load", _same(256)),
    Limit("expression.length", "An expression's source", "characters", "load", _same(8_192)),
    Limit("foreach.items", "Items of a loop", "items", "run", _by_plan(5_000, 100_000, 100_000)),
    Limit("foreach.concurrency", "Iterations side by side", "iterations", "load", _same(50)),
    Limit("trigger.runs", "Runs of a trigger side by side", "runs", "load", _same(100)),
    Limit("until.count", "Iterations of Until", "iterations", "run", _same(5_000)),
    Limit("split.items", "Items of split-on", "items", "run", _by_plan(5_000, 100_000, 100_000)),
    Limit("page.items", "Rows of a paged list", "rows", "run", _by_plan(5_000, 100_000, 100_000)),
    Limit("run.duration", "A run", "seconds", "run", _same(30 * 86_400)),
    Limit("call.duration", "A synchronous call", "seconds", "run", _same(120)),
    Limit("message.size", "A message", "bytes", "run", _same(100 * 1024 * 1024)),
    Limit(
        "requests.day",
        "Requests of a flow in 24 hours (transition period)",
        "requests",
        "call",
        _by_plan(10_000, 200_000, 500_000),
    ),
    Limit("requests.5min", "Requests of a flow in 5 minutes", "requests", "call", _same(100_000)),
)

WAITING_RUNS = 10
"""How many runs may wait for a trigger with concurrency control, besides its degree."""
_BY_ID = {each.id: each for each in LIMITS}


def limit(limit_id: str) -> Limit:
    """A limit by its id. :raises KeyError: when there is none such."""
    return _BY_ID[limit_id]
