"""Starting, skipping and ending actions: ``runAfter`` and what follows from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from hybridmandate.orchestration.definition.model import Action, Graph, Status
from hybridmandate.orchestration.engine.changeset_parts import close_parts
from hybridmandate.orchestration.engine.commands import Abandon, EndRun
from hybridmandate.orchestration.engine.correlation import recognise
from hybridmandate.orchestration.engine.outcomes import ActionFault, Ended
from hybridmandate.orchestration.engine.reader import Reader
from hybridmandate.orchestration.engine.working import At, Working

MAX_TRACKED = 16_000
"""Characters of an action's tracked properties (limits page)."""
Start = Callable[[Working, Action, At], None]
GraphDone = Callable[[Working, Action, At, Graph], None]


class FlowControl:
    """The order of a run. ``start`` runs one action, ``graph_done`` ends a container's branch."""

    def __init__(self, start: Start, graph_done: GraphDone) -> None:
        self._start = start
        self._graph_done = graph_done

    def open_graph(self, work: Working, graph: Graph, at: At) -> None:
        """Start the actions that wait for nothing."""
        for action in graph.roots:
            work.agenda.append(partial(self._start, work, action, at))

    def end(self, work: Working, action: Action, at: At, ended: Ended) -> None:
        """Give an action its final status; what waits for it comes on the agenda."""
        if action.type == "Changeset":
            close_parts(work, action, at, ended)
        record = work.close(action, at, ended)
        if action.correlates:
            recognise(work, record)
        if action.tracked_properties:
            record["trackedProperties"] = _tracked_properties(work, action, at)
        work.track(action, record)
        work.agenda.append(partial(self._ended, work, action, at))

    def skip(self, work: Working, action: Action, at: At, code: str, message: str) -> None:
        """Skip an action and all that is inside it."""
        ended = Ended(Status.SKIPPED, None, code, {"code": code, "message": message})
        self.skip_inside(work, action, at)
        self.end(work, action, at, ended)

    def skip_inside(self, work: Working, action: Action, at: At) -> None:
        """Skip what is inside an action that was skipped; a loop has no iterations then."""
        if action.type in ("Foreach", "Until"):
            return
        for branch in action.branches:
            self.skip_branch(work, branch.graph, at)

    def skip_inside_unless_open(self, work: Working, action: Action, at: At) -> None:
        """Skip what is inside a container whose own condition could not be evaluated."""
        if work.record(action.name, at) is None:
            self.skip_inside(work, action, at)

    def skip_branch(self, work: Working, graph: Graph, at: At) -> None:
        """Skip the actions of a branch that was not taken."""
        for action in graph.actions:
            code = "ActionBranchingConditionNotSatisfied"
            message = (
                f"The execution of template action '{action.name}' is skipped: the branching "
                "condition for this action is not satisfied."
            )
            ended = Ended(Status.SKIPPED, None, code, {"code": code, "message": message})
            work.track(action, work.close(action, at, ended))
            self.skip_inside(work, action, at)

    def end_run(self, work: Working, status: str, code: str | None, message: str | None) -> None:
        """End the run: nothing is waited for any more, every action has a final status."""
        error = {"code": code, "message": message} if message else None
        work.run.update(status=str(status), endTime=work.now, code=code, error=error)
        work.agenda.clear()
        self._close_open(work, work.flow.graph, ())
        for token in list(work.state["waits"]):
            del work.state["waits"][token]
            work.commands.append(Abandon(token))
        work.commands.append(EndRun(str(status), code, error))

    def _ended(self, work: Working, action: Action, at: At) -> None:
        graph = work.flow.graphs[action.name]
        for dependent in graph.dependents[action.name]:
            self._consider(work, dependent, at)
        if action.owner is None:
            work.state["open"] -= 1
            if work.state["open"] == 0:
                work.agenda.append(partial(self._root_done, work))
            return
        self._graph_done(work, work.flow.actions[action.owner], at, graph)

    def _consider(self, work: Working, action: Action, at: At) -> None:
        if work.record(action.name, at) is not None:
            return
        unmet = None
        for before, wanted in action.run_after.items():
            status = work.status(before, at)
            if status is None:
                return
            if status not in wanted and unmet is None:
                unmet = (before, wanted, status)
        if unmet is None:
            self._start(work, action, at)
            return
        before, wanted, status = unmet
        expected = ", ".join(sorted(wanted))
        message = (
            f"The execution of template action '{action.name}' skipped: the 'runAfter' condition "
            f"for action '{before}' is not satisfied. Expected status values '{expected}' and "
            f"actual value '{status}'."
        )
        self.skip(work, action, at, "ActionConditionFailed", message)

    def _root_done(self, work: Working) -> None:
        if work.failed_inside(work.flow.graph, ()):
            message = "An action failed. No dependent actions succeeded."
            self.end_run(work, Status.FAILED, "ActionFailed", message)
            return
        self.end_run(work, Status.SUCCEEDED, None, None)

    def _close_open(self, work: Working, graph: Graph, at: At) -> None:
        for action in graph.actions:
            record = work.record(action.name, at)
            if record is None:
                code = "ActionSkipped"
                message = f"The run ended before '{action.name}' started."
                ended = Ended(Status.SKIPPED, None, code, {"code": code, "message": message})
                work.track(action, work.close(action, at, ended))
                self.skip_inside(work, action, at)
                continue
            if Status(record["status"]).final:
                continue
            for branch in action.branches:
                if action.type in ("Foreach", "Until"):
                    for index in record["open"]:
                        self._close_open(work, branch.graph, (*at, int(index)))
                elif branch.label == record["branch"]:
                    self._close_open(work, branch.graph, at)
            code = "ActionCancelled"
            message = "The run ended while the action was running."
            ended = Ended(Status.CANCELLED, None, code, {"code": code, "message": message})
            work.track(action, work.close(action, at, ended))


def _tracked_properties(work: Working, action: Action, at: At) -> dict[str, Any]:
    """The tracked properties of an action that has ended; one that has no value says why.

    They see the action itself as ``action()``, and never fail it (Azure Logic Apps, 'Monitor
    workflows: tracked properties').
    """
    reader = Reader(work, action, at)
    found: dict[str, Any] = {}
    for name, declared in action.tracked_properties.items():
        try:
            found[name] = reader.evaluate(declared)
        except ActionFault as fault:
            found[name] = {"error": {"code": fault.code, "message": fault.message}}
    if len(json.dumps(found)) > MAX_TRACKED:
        message = f"tracked properties have at most {MAX_TRACKED} characters"
        return {"error": {"code": "TrackedPropertiesTooLarge", "message": message}}
    return found
