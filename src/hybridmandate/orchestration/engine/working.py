"""The state of a run while one event is worked in: copied where it changes, never in place.

The state is JSON: ``run`` (id, status, times, tracking id), ``trigger``, ``parameters``,
``variables``, ``actions`` (a record by key), ``waits`` (what a token stands for) and ``open`` (how
many top-level actions have not ended). An action inside loops is keyed with its iteration indices,
``Post_row@3.0``; records of iterations that nothing can refer to any more are dropped.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from hybridmandate.orchestration.definition import kinds
from hybridmandate.orchestration.definition.model import Action, Flow, Graph, Status
from hybridmandate.orchestration.engine.commands import (
    Abandon,
    Command,
    NearLimit,
    Track,
    TrackStart,
)
from hybridmandate.orchestration.engine.instants import instant_text
from hybridmandate.orchestration.engine.outcomes import ActionFault, Ended
from hybridmandate.orchestration.engine.value_sizes import TooDeep, json_size
from hybridmandate.orchestration.limits.catalogue import Profile, limit
from hybridmandate.orchestration.limits.measures import WARN_SHARE

State = dict[str, Any]
At = tuple[int, ...]
Task = Callable[[], None]
"""Something on the agenda of an event."""

_WAITING = kinds.CALLS | {"Wait"}
"""Action types that wait for something outside."""
_AT_ONCE = kinds.DATA | kinds.VARIABLES | {"Response", "Terminate"}
"""Action types that end in the event in which they begin; their records hold nothing internal."""
_SHOWN_AS_WAITING = frozenset({"Wait", "OpenApiConnectionWebhook", "ApiConnectionWebhook"})
"""Action types that the history shows as waiting while they go on: for time, or for a person."""
_LARGE = WARN_SHARE * min(limit("message.size").highest.values())
"""Characters from which on a value is held to the limit of a message."""
_FINAL = frozenset(each.value for each in Status if each.final)
_FAILED = frozenset({Status.FAILED.value, Status.TIMED_OUT.value, Status.CANCELLED.value})
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


def record_key(name: str, at: At) -> str:
    """The key of an action's record in an iteration."""
    if len(at) == 1:
        return f"{name}@{at[0]}"
    return f"{name}@{'.'.join(map(str, at))}" if at else name


class Working:
    """One event's worth of work on a run."""

    __slots__ = (
        "_begun",
        "_own",
        "agenda",
        "commands",
        "flow",
        "now",
        "records",
        "run",
        "state",
        "time",
    )

    def __init__(self, flow: Flow, state: State, time: float) -> None:
        self.flow = flow
        self.time = time
        self.commands: list[Command] = []
        self.agenda: deque[Task] = deque()
        self.records: dict[str, dict[str, Any]] = dict(state["actions"])
        self.run: dict[str, Any] = dict(state["run"])
        """Id, status, times and tracking id of the run."""
        self.state: State = {
            **state,
            "run": self.run,
            "actions": self.records,
            "variables": dict(state["variables"]),
            "waits": dict(state["waits"]),
        }
        self.now = instant_text(time)
        """The event's time as text."""
        # Records that this event made or copied: nobody else holds them, so they may be changed.
        self._own: set[str] = set()
        self._begun: list[tuple[Action, At]] = []

    def work(self) -> None:
        """Do what is on the agenda until nothing is left or the run is over."""
        agenda, run, running = self.agenda, self.run, Status.RUNNING.value
        while agenda and run["status"] == running:
            agenda.popleft()()
        self._track_begun()

    # --- records -------------------------------------------------------------------------------

    def record(self, name: str, at: At) -> dict[str, Any] | None:
        """The record of an action in an iteration, None while it has not started."""
        return self.records.get(record_key(name, at))

    def status(self, name: str, at: At) -> str | None:
        """How an action has ended, None while it has not."""
        record = self.records.get(record_key(name, at))
        if record is None:
            return None
        status: str = record["status"]
        return status if status in _FINAL else None

    def begin(self, action: Action, at: At, **fields: Any) -> dict[str, Any]:
        """Put the record of an action that runs now.

        :raises ActionFault: when its inputs are more than a run may hold.
        """
        inputs = fields.get("inputs")
        if type(inputs) is dict or type(inputs) is list:
            self.must_hold(action, inputs)
        key = record_key(action.name, at) if at else action.name
        record = {
            "name": action.name,
            "at": list(at),
            "type": action.type,
            "status": "Running",
            "startTime": self.now,
            "attempt": 1,
            **fields,
        }
        self.records[key] = record
        self._own.add(key)
        if action.type not in _AT_ONCE:
            self._begun.append((action, at))
        return record

    def change(self, action: Action, at: At, **fields: Any) -> dict[str, Any]:
        """Replace fields of a record that exists."""
        record = self.changeable(action, at)
        record.update(fields)
        return record

    def changeable(self, action: Action, at: At) -> dict[str, Any]:
        """A record that exists, with the lists and objects that count its iterations, to change.

        It is copied unless this event has made or copied it.
        """
        key = record_key(action.name, at) if at else action.name
        return self.records[key] if key in self._own else self._copied(key)

    def _copied(self, key: str) -> dict[str, Any]:
        self._own.add(key)
        record = self.records[key] = dict(self.records[key])
        for counting in ("open", "kept"):
            if isinstance(record.get(counting), dict | list):
                record[counting] = record[counting].copy()
        return record

    def drop(self, graph: Graph, at: At) -> None:
        """Forget the records of a list of actions in one iteration, and all inside it."""
        for action in graph.actions:
            record = self.records.pop(record_key(action.name, at), None)
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
        key = record_key(action.name, at) if at else action.name
        record = self.records.get(key) or self.begin(action, at)
        if key not in self._own:
            record = self._copied(key)
        status, outputs, code, error = ended
        record["status"] = status._value_
        record["endTime"] = self.now
        record["outputs"] = outputs
        record["code"] = code
        record["error"] = dict(error) if error else None
        if action.type in _WAITING:
            self._let_go(key)
        return record

    def track(self, action: Action, record: Mapping[str, Any]) -> None:
        """Hand the record to the run history, without what is internal or secured."""
        self.commands.append(Track(self._shown(action, record)))

    def _shown(self, action: Action, record: Mapping[str, Any]) -> dict[str, Any]:
        tracking_id = self.run["clientTrackingId"]
        if action.type in _AT_ONCE:
            shown = {**record, "clientTrackingId": tracking_id}
        else:
            shown = {key: value for key, value in record.items() if key not in _INTERNAL}
            shown["clientTrackingId"] = tracking_id
        secured = self.flow.secured.get(action.name)
        if secured:
            for part in (*secured, "trackedProperties"):
                if shown.get(part) is not None:
                    shown[part] = {"secured": True}
        return shown

    def _track_begun(self) -> None:
        """Show in the history what began in this event and goes on after it."""
        for action, at in self._begun:
            record = self.record(action.name, at)
            if record is None or record["status"] in _FINAL:
                continue
            shown = self._shown(action, record)
            if action.type in _SHOWN_AS_WAITING:
                shown["status"] = Status.WAITING.value
            self.commands.append(TrackStart(shown))

    def _let_go(self, key: str) -> None:
        waits = self.state["waits"]
        prefix = f"{key}#"
        for token in [token for token in waits if token.startswith(prefix)]:
            del waits[token]
            self.commands.append(Abandon(token))

    # --- limits --------------------------------------------------------------------------------

    def highest(self, limit_id: str) -> int:
        """The highest value of a limit in the run's performance profile."""
        return limit(limit_id).of(Profile(self.state["profile"]))

    def measure(self, limit_id: str, action: Action, value: int) -> bool:
        """Hold a value to a limit: False when it is over. From 80 % on the run says so."""
        highest = self.highest(limit_id)
        if value >= WARN_SHARE * highest:
            self.commands.append(NearLimit(limit_id, action.name, value, highest, self.time))
        return value <= highest

    def must_hold(self, action: Action, value: Any) -> int:
        """Hold what an action keeps to the limit of a message; gives about its characters.

        :raises ActionFault: when it is larger, or nested too deeply.
        """
        try:
            size = json_size(value)
        except TooDeep as deep:
            raise ActionFault("InvalidTemplate", f"Action '{action.name}': {deep}.") from None
        if size >= _LARGE:
            self.must_fit(action, size)
        return size

    def must_fit(self, action: Action, size: int) -> None:
        """Hold a number of characters to the limit of a message. :raises ActionFault: when over."""
        if not self.measure("message.size", action, size):
            raise ActionFault(
                "MessageSizeLimitExceeded",
                f"Action '{action.name}' makes a value of more than "
                f"{self.highest('message.size')} characters.",
            )

    # --- places --------------------------------------------------------------------------------

    def failed_inside(self, graph: Graph, at: At) -> bool:
        """Whether a list of actions that has ended counts as failed.

        Its leaves decide; for a skipped leaf those before it do (Azure Logic Apps, 'Evaluate
        status': a branch whose last action was skipped takes the status of what preceded it).
        """
        stack = [leaf for leaf in graph.leaves if self.status(leaf.name, at) != "Succeeded"]
        seen: set[str] = set()
        while stack:
            action = stack.pop()
            status = self.status(action.name, at)
            if status == "Succeeded" or action.name in seen:
                continue
            seen.add(action.name)
            if status in _FAILED:
                return True
            if status == "Skipped":
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
