"""Branch coverage of flows: which actions and branches no test has reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hybridmandate.orchestration.definition.model import Action, Flow
from hybridmandate.orchestration.shells.memory import MemoryRun


@dataclass(frozen=True, slots=True)
class FlowBranches:
    """One flow: its actions and branches, and those that were reached."""

    flow: str
    actions: frozenset[str]
    branches: frozenset[str]
    reached_actions: frozenset[str]
    reached_branches: frozenset[str]

    @property
    def share(self) -> float:
        """Reached actions and branches, from 0 to 1."""
        every = len(self.actions) + len(self.branches)
        return (len(self.reached_actions) + len(self.reached_branches)) / every if every else 1.0

    @property
    def missed(self) -> list[str]:
        """Actions and branches that were not reached, by name."""
        return sorted(
            (self.actions - self.reached_actions) | (self.branches - self.reached_branches)
        )

    def to_json(self) -> dict[str, Any]:
        """The figures for machines."""
        return {
            "flow": self.flow,
            "actions": len(self.actions),
            "branches": len(self.branches),
            "share": round(self.share, 4),
            "missed": self.missed,
        }


@dataclass(slots=True)
class BranchCoverage:
    """Runs of many tests, by flow."""

    _runs: list[tuple[MemoryRun, Sequence[MemoryRun]]] = field(default_factory=list)

    def add(self, run: MemoryRun, together: Sequence[MemoryRun] = ()) -> None:
        """Remember a run, and its child flows among those that run ``together`` with it.

        They are looked at when the result is asked for: they go on until then.
        """
        self._runs.append((run, together))

    def results(self) -> list[FlowBranches]:
        """What was reached of each flow, by name."""
        by_name: dict[str, list[MemoryRun]] = {}
        for run in self._all():
            by_name.setdefault(run.flow.name, []).append(run)
        return [_result(name, runs) for name, runs in sorted(by_name.items())]

    def _all(self) -> Iterator[MemoryRun]:
        for run, together in self._runs:
            yield run
            yield from (each for each in together if each.id.startswith(f"{run.id}/"))


def _result(name: str, runs: list[MemoryRun]) -> FlowBranches:
    flow = runs[-1].flow
    reached = {
        record["name"]
        for run in runs
        for record in (*run.tracked, *run.state["actions"].values())
        if record["status"] != "Skipped"
    }
    branches = dict(_branches(flow))
    taken = {
        label for label, action in branches.items() for run in runs if _taken(run, action, label)
    }
    return FlowBranches(
        name,
        frozenset(flow.actions),
        frozenset(branches),
        frozenset(reached),
        frozenset(taken),
    )


def _branches(flow: Flow) -> Iterator[tuple[str, Action]]:
    """Branches of If and Switch as ``Name/label``: only these choose."""
    for action in flow.actions.values():
        if action.type in ("If", "Switch"):
            for branch in action.branches:
                yield f"{action.name}/{branch.label}", action


def _taken(run: MemoryRun, action: Action, label: str) -> bool:
    """Whether a run went this way: by what the container's own record says."""
    chosen = label.partition("/")[2]
    for record in (*run.tracked, *run.state["actions"].values()):
        if record["name"] != action.name or record["status"] == "Skipped":
            continue
        value = (record.get("inputs") or {}).get("expressionResult")
        if _label(action, value) == chosen:
            return True
    return False


def _label(action: Action, value: Any) -> str:
    if action.type == "If":
        return "actions" if value else "else"
    for branch in action.branches:
        same_kind = isinstance(branch.case, bool) == isinstance(value, bool)
        if branch.label != "default" and same_kind and branch.case == value:
            return branch.label
    return "default"
