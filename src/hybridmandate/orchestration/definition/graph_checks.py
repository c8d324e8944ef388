"""The graph of one list of actions: who follows whom, no dangling names, no circles."""

from __future__ import annotations

from collections.abc import Sequence

from hybridmandate.orchestration.definition import kinds
from hybridmandate.orchestration.definition.errors import DefinitionError
from hybridmandate.orchestration.definition.model import Action, Graph


def build_graph(actions: Sequence[Action], path: str, errors: list[DefinitionError]) -> Graph:
    """The graph of actions that stand side by side; faults are added to ``errors``."""
    names = {action.name: action for action in actions}
    dependents: dict[str, list[Action]] = {name: [] for name in names}
    for action in actions:
        for before, statuses in action.run_after.items():
            where = f"{action.path}.runAfter.{before}"
            if before not in names:
                message = f"there is no action '{before}' beside '{action.name}'"
                errors.append(DefinitionError(where, message))
                continue
            dependents[before].append(action)
            errors.extend(
                DefinitionError(where, f"'{status}' is not a status that can be waited for")
                for status in sorted(statuses - kinds.RUN_AFTER_STATUSES)
            )
    circle = _circle(actions, names)
    if circle:
        shown = " -> ".join(circle)
        errors.append(DefinitionError(path, f"the actions wait for each other: {shown}"))
    return Graph(
        actions=tuple(actions),
        roots=tuple(action for action in actions if not action.run_after),
        dependents={name: tuple(found) for name, found in dependents.items()},
        leaves=tuple(action for action in actions if not dependents[action.name]),
        names=names,
    )


def _circle(actions: Sequence[Action], names: dict[str, Action]) -> list[str]:
    """The names that cannot start because they wait for one another, in file order."""
    waiting = {
        action.name: {before for before in action.run_after if before in names}
        for action in actions
    }
    while True:
        ready = [name for name, before in waiting.items() if not before]
        if not ready:
            return list(waiting)
        for name in ready:
            del waiting[name]
        for before in waiting.values():
            before.difference_update(ready)
