"""The state of a run while one event is worked in: copied where it changes, never in place.

The state is JSON: ``run`` (id, status, times, tracking id), ``trigger``, ``parameters``,
``variables``, ``actions`` (a record by key), ``waits`` (what a token stands for) and ``open`` (how
many top-level actions have not ended). An action inside loops is keyed with its iteration indices,
``Post_row@3.0``; records of iterations that nothing can refer to any more are dropped.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from hybridmandate.orchestration.definition import kinds
from hybridmandate.orchestration.definition.model import Action, Flow, Graph, Status
from hybridmandate.orchestration.engine.commands import Abandon, Command, Track
from hybridmandate.orchestration.engine.instants import instant_text
from hybridmandate.orchestration.engine.outcomes import Ended

State = dict[str, Any]
At = tuple[int, ...]
Task = Callable[[], None]

_WAITING = kinds.CALLS | {"Wait"}
"""Action types that wait for something outside."""
_INTERNAL = frozenset(
    {
        "attemptTime",
        "branch",
        "deadline",
        "done",
        "failed",
        "items",
        "kept",
        "location",
        "next",
        "open",
        "watches",
    }
)


@lru_cache(maxsize=4096)
def record_key(name: str, at: At) -> str:
    """The key of an action's record in an iteration."""
    return f"{name}@{'.'.join(map(str, at))}" if at else name


class Working:
    """One event's worth of work on a run."""

    def __init__(self, flow: Flow, state: State, time: float) -> None:
        self.flow = flow
        self.time = time
        self.commands: list[Command] = []
        self.agenda: deque[Task] = deque()
        self.state: State = {
            **state,
            "run": dict(state["run"]),
            "actions": dict(state["actions"]),
            "variables": dict(state["variables"]),
            "waits": dict(state["waits"]),
        }
        self._now_text: str | None = None

    @property
    def run(self) -> dict[str, Any]:
        """Id, status, times and tracking id of the run."""
        run: dict[str, Any] = self.state["run"]
        return run

    @property
    def ended(self) -> bool:
        """Whether the run is over."""
        return bool(self.run["status"] != Status.RUNNING)

    @property
    def now(self) -> str:
        """The event's time as text."""
        if self._now_text is None:
            self._now_text = instant_text(self.time)
        return self._now_text

    def work(self) -> None:
        """Do what is on the agenda until nothing is left or the run is over."""
        while self.agenda and not self.ended:
            self.agenda.popleft()()

    # --- records -------------------------------------------------------------------------------

    def record(self, name: str, at: At) -> dict[str, Any] | None:
        """The record of an action in an iteration, None while it has not started."""
        found: dict[str, Any] | None = self.state["actions"].get(record_key(name, at))
        return found

    def status(self, name: str, at: At) -> Status | None:
        """How an action stands, None while it has not started."""
        record = self.record(name, at)
        return Status(record["status"]) if record else None

    def begin(self, action: Action, at: At, **fields: Any) -> dict[str, Any]:
        """Put the record of an action that runs now."""
        record = {
            "name": action.name,
            "at": list(at),
            "type": action.type,
            "status": Status.RUNNING.value,
            "startTime": self.now,
            "attempt": 1,
            **fields,
        }
        self.state["actions"][record_key(action.name, at)] = record
        return record

    def change(self, action: Action, at: At, **fields: Any) -> dict[str, Any]:
        """Replace fields of a record that exists."""
        key = record_key(action.name, at)
        record = {**self.state["actions"][key], **fields}
        self.state["actions"][key] = record
        return record

    def drop(self, graph: Graph, at: At) -> None:
        """Forget the records of a list of actions in one iteration, and all inside it."""
        for action in graph.actions:
            record = self.state["actions"].pop(record_key(action.name, at), None)
            if record is None or not action.branches:
                continue
            kept = record.get("kept")
            places = [at] if kept is None else [(*at, index) for index in kept]
            for branch in action.branches:
                for place in places:
                    self.drop(branch.graph, place)

    # --- endings -------------------------------------------------------------------------------

    def close(self, action: Action, at: At, ended: Ended) -> dict[str, Any]:
        """Give an action its final status, track it, and let go of what it waited for."""
        record = self.record(action.name, at) or self.begin(action, at)
        record = {
            **record,
            "status": ended.status.value,
            "endTime": self.now,
            "outputs": ended.outputs,
            "code": ended.code,
            "error": dict(ended.error) if ended.error else None,
        }
        self.state["actions"][record_key(action.name, at)] = record
        if action.type in _WAITING:
            self._let_go(record_key(action.name, at))
        return record

    def track(self, action: Action, record: Mapping[str, Any]) -> None:
        """Hand the record to the run history, without what is internal or secured."""
        shown = {key: value for key, value in record.items() if key not in _INTERNAL}
        shown["clientTrackingId"] = self.run["clientTrackingId"]
        for part in action.secured:
            if shown.get(part) is not None:
                shown[part] = {"secured": True}
        self.commands.append(Track(shown))

    def _let_go(self, key: str) -> None:
        waits = self.state["waits"]
        prefix = f"{key}#"
        for token in [token for token in waits if token.startswith(prefix)]:
            del waits[token]
            self.commands.append(Abandon(token))

    # --- places --------------------------------------------------------------------------------

    def graph_of(self, action: Action) -> Graph:
        """The list of actions in which an action stands."""
        if action.owner is None or action.branch is None:
            return self.flow.graph
        return self.flow.branch_graph(self.flow.actions[action.owner], action.branch)

    def failed_inside(self, graph: Graph, at: At) -> bool:
        """Whether a list of actions that has ended counts as failed.

        Its leaves decide; for a skipped leaf those before it do (Azure Logic Apps, 'Evaluate
        status': a branch whose last action was skipped takes the status of what preceded it).
        """
        stack, seen = list(graph.leaves), set()
        while stack:
            action = stack.pop()
            if action.name in seen:
                continue
            seen.add(action.name)
            status = self.status(action.name, at)
            if status in (Status.FAILED, Status.TIMED_OUT, Status.CANCELLED):
                return True
            if status is Status.SKIPPED:
                stack.extend(graph.names[name] for name in action.run_after)
        return False

    def draw(self) -> float:
        """The next number in [0, 1) of the run's random sequence."""
        return int(self.draw_hex()[:13], 16) / 16**13

    def draw_hex(self) -> str:
        """The next 64 hex digits of the run's random sequence."""
        run = self.run
        run["draws"] += 1
        return hashlib.sha256(f"{run['seed']}:{run['draws']}".encode()).hexdigest()


def walk(graph: Graph) -> Iterator[Action]:
    """Every action of a list and inside it, in file order."""
    for action in graph.actions:
        yield action
        for branch in action.branches:
            yield from walk(branch.graph)
