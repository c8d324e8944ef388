"""The graph of one list of actions: who follows whom, no dangling names, no circles."""

from __future__ import annotations

from collections.abc import Sequence

from hybridmandate.orchestration.definition import kinds
from hybridmandate.orchestration.definition.errors import DefinitionError
from hybridmandate.orchestration.definition.model import Action, Graph


def build_graph(
    actions: Sequence[Action], declared: frozenset[str], path: str, errors: list[DefinitionError]
) -> Graph:
    """The graph of actions that stand side by side; faults are added to ``errors``.

    ``declared`` names also those that cannot be read, which are told of already.
    """
    names = {action.name: action for action in actions}
    dependents: dict[str, list[Action]] = {name: [] for name in names}
    for action in actions:
        for before, statuses in action.run_after.items():
            where = f"{action.path}.runAfter.{before}"
            if before not in names:
                if before in declared:
                    continue
                message = f"there is no action '{before}' beside '{action.name}'"
                errors.append(DefinitionError(where, message))
                continue
            dependents[before].append(action)
            errors.extend(
                DefinitionError(where, f"'{status}' is not a status that can be waited for")
                for status in sorted(statuses - kinds.RUN_AFTER_STATUSES)
            )
    circle = _circle(names, dependents)
    if circle:
        shown = " -> ".join([*circle, circle[0]])
        errors.append(DefinitionError(path, f"the actions wait for each other: {shown}"))
    return Graph(
        actions=tuple(actions),
        roots=tuple(action for action in actions if not action.run_after),
        dependents={name: tuple(found) for name, found in dependents.items()},
        leaves=tuple(action for action in actions if not dependents[action.name]),
        names=names,
    )


def _circle(names: dict[str, Action], dependents: dict[str, list[Action]]) -> list[str]:
    """The names of one circle of actions that wait for one another, in the order of waiting."""
    missing = {
        name: sum(before in names for before in action.run_after) for name, action in names.items()
    }
    ready = [name for name, count in missing.items() if count == 0]
    while ready:
        name = ready.pop()
        del missing[name]
        for action in dependents[name]:
            missing[action.name] -= 1
            if missing[action.name] == 0:
                ready.append(action.name)
    if not missing:
        return []
    seen: dict[str, None] = {}
    name = next(iter(missing))
    while name not in seen:
        seen[name] = None
        name = next(before for before in names[name].run_after if before in missing)
    around = list(seen)
    return around[around.index(name) :]
