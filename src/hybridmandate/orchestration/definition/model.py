"""A flow as the engine reads it: triggers, a graph of actions, parameters, connections.

Values that may hold expressions stay as they are in the file; the engine evaluates them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

CORRELATION_ACTION = "correlation_id"
"""The name, in any case, of the Compose at the top of a flow that makes its correlation id."""


class Status(StrEnum):
    """How an action stands; the first four may be named in ``runAfter``."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    SKIPPED = "Skipped"
    TIMED_OUT = "TimedOut"
    CANCELLED = "Cancelled"
    RUNNING = "Running"
    WAITING = "Waiting"

    @property
    def final(self) -> bool:
        """Whether nothing follows it."""
        return self not in (Status.RUNNING, Status.WAITING)


@dataclass(frozen=True, slots=True)
class Branch:
    """A list of actions inside a container.

    ``label`` is ``actions``, ``else``, ``default`` or ``case:<name>``; ``case`` the value of a
    switch case.
    """

    label: str
    graph: Graph
    case: Any = None


@dataclass(frozen=True, slots=True)
class Action:
    """One action. ``loops`` names the Foreach and Until loops around it, outermost first.

    ``owner`` is the container that holds it, None at the top. ``inputs``, ``expression`` and
    ``foreach`` are as in the file. ``retry`` is ``inputs.retryPolicy``, ``timeout`` the text of
    ``limit.timeout``, ``limit`` the whole limit.
    """

    name: str
    type: str
    kind: str | None
    path: str
    owner: str | None
    branch: str | None
    loops: tuple[str, ...]
    run_after: Mapping[str, frozenset[str]]
    inputs: Any
    expression: Any = None
    foreach: Any = None
    branches: tuple[Branch, ...] = ()
    retry: Mapping[str, Any] | None = None
    limit: Mapping[str, Any] = field(default_factory=dict)
    runtime: Mapping[str, Any] = field(default_factory=dict)
    options: frozenset[str] = frozenset()
    tracked_properties: Mapping[str, Any] = field(default_factory=dict)
    description: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    secured: frozenset[str] = field(init=False)
    """Which of ``inputs`` and ``outputs`` the action itself keeps out of the run history."""
    concurrency: int = field(init=False)
    """How many iterations of a Foreach run at a time; 1 unless the file says otherwise."""
    correlates: bool = field(init=False)
    """Whether it makes the run's correlation id: see :data:`CORRELATION_ACTION`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "secured", _secured(self.runtime))
        object.__setattr__(self, "concurrency", self._repetitions())
        object.__setattr__(self, "correlates", self._makes_correlation_id())

    def _makes_correlation_id(self) -> bool:
        first = self.owner is None and not self.run_after
        return first and self.type == "Compose" and self.name.lower() == CORRELATION_ACTION

    def _repetitions(self) -> int:
        if "Sequential" in self.options:
            return 1
        repetitions = (self.runtime.get("concurrency") or {}).get("repetitions")
        return int(repetitions) if repetitions else 1


@dataclass(frozen=True, slots=True)
class Graph:
    """Actions that stand side by side, ordered as in the file, with their dependents."""

    actions: tuple[Action, ...]
    roots: tuple[Action, ...]
    dependents: Mapping[str, tuple[Action, ...]]
    leaves: tuple[Action, ...]
    names: Mapping[str, Action]


@dataclass(frozen=True, slots=True)
class Trigger:
    """What starts a run. ``correlation`` is ``correlation.clientTrackingId``, an expression."""

    name: str
    type: str
    kind: str | None
    path: str
    inputs: Any
    recurrence: Mapping[str, Any] | None
    split_on: str | None
    conditions: tuple[Any, ...]
    correlation: Any
    runtime: Mapping[str, Any]
    options: frozenset[str]
    metadata: Mapping[str, Any]

    @property
    def concurrency(self) -> int | None:
        """How many runs may be under way at a time; None when there is no bound."""
        runs = (self.runtime.get("concurrency") or {}).get("runs")
        return int(runs) if runs else None

    @property
    def operation_id(self) -> str | None:
        """The connector operation of a polling or webhook trigger."""
        host = self.inputs.get("host") if isinstance(self.inputs, dict) else None
        return host.get("operationId") if isinstance(host, dict) else None

    @property
    def secured(self) -> frozenset[str]:
        """Which of ``inputs`` and ``outputs`` are kept out of the run history."""
        return _secured(self.runtime)


@dataclass(frozen=True, slots=True)
class ConnectionReference:
    """A connection of a flow: the key that actions use, and the reference it stands for."""

    key: str
    logical_name: str
    api_name: str
    runtime_source: str | None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the definition; an environment variable when it has a schema name."""

    name: str
    type: str
    default: Any
    schema_name: str | None

    @property
    def secure(self) -> bool:
        """Whether its value is kept out of the run history."""
        return self.type.lower().startswith("secure")


@dataclass(frozen=True, slots=True)
class RacyVariable:
    """A variable that parallel iterations of a loop change: ``how`` is ``set``, ``appended to`` or
    ``counted and read``, ``actions`` those that change it."""

    loop: str
    variable: str
    how: str
    actions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """A checked flow. ``actions`` holds every action at any depth by name."""

    name: str
    workflow_id: str | None
    trigger: Trigger
    graph: Graph
    actions: Mapping[str, Action]
    parameters: Mapping[str, Parameter]
    connections: Mapping[str, ConnectionReference]
    static_results: Mapping[str, Any]
    outputs: Mapping[str, Any]
    collected_loops: frozenset[str]
    """Loops whose iterations must be kept because an expression may ask ``result()`` for them."""
    names: Mapping[str, str]
    """The actions' names by their lower-case form: expressions write them in any case."""
    secured: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """``inputs`` and ``outputs`` that stay out of the run history, by action."""
    races: tuple[RacyVariable, ...] = ()
    """Variables that iterations change side by side."""
    graphs: Mapping[str, Graph] = field(init=False)
    """The list of actions in which each action stands, by the action's name."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "graphs", dict(_standing(self.graph)))

    def find(self, name: str) -> Action | None:
        """The action of a name, compared without regard to case."""
        return self.actions.get(name) or self.actions.get(self.names.get(name.lower(), ""))

    def branch_graph(self, owner: Action, label: str) -> Graph:
        """The actions of one branch of a container. :raises KeyError: when it has none such."""
        for branch in owner.branches:
            if branch.label == label:
                return branch.graph
        raise KeyError(f"'{owner.name}' has no branch '{label}'")


def _standing(graph: Graph) -> Iterator[tuple[str, Graph]]:
    for action in graph.actions:
        yield action.name, graph
        for branch in action.branches:
            yield from _standing(branch.graph)


def _secured(runtime: Mapping[str, Any]) -> frozenset[str]:
    secure = runtime.get("secureData") or {}
    return frozenset(secure.get("properties") or ())
