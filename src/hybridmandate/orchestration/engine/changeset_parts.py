"""The actions inside a Changeset: they are sent as one call, and stand or fall with it.

``Perform a changeset request`` of Dataverse sends what it holds as one change set of a batch, which
is done as a whole or not at all. No action inside can use what another one there gives. Sources:
learn.microsoft.com/power-automate/dataverse/change-set; execute-batch-operations-using-web-api.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hybridmandate.orchestration.definition.model import Action, Graph, Status
from hybridmandate.orchestration.engine.outcomes import Ended
from hybridmandate.orchestration.engine.working import At, Working

BRANCH = "actions"
CODE = "ChangesetFailed"
_MESSAGE = "The change set was not done: nothing that it holds has changed anything."


def ordered(graph: Graph) -> list[Action]:
    """The actions as ``runAfter`` orders them, else as in the file."""
    left, found, done = list(graph.actions), [], set[str]()
    while left:
        following = next(each for each in left if done.issuperset(each.run_after))
        left.remove(following)
        done.add(following.name)
        found.append(following)
    return found


def close_parts(work: Working, action: Action, at: At, ended: Ended) -> None:
    """Give the actions inside the status that the end of the change set gives them.

    ``responses`` of the answer's body names each with ``status``, ``headers`` and ``body``.
    """
    answers = _answers(ended)
    for part in work.flow.branch_graph(action, BRANCH).actions:
        if work.record(part.name, at) is None:
            closed = work.close(part, at, _part_ending(ended, answers.get(part.name)))
            work.track(part, closed)


def _answers(ended: Ended) -> dict[str, Mapping[str, Any]]:
    outputs = ended.outputs if isinstance(ended.outputs, Mapping) else {}
    body = outputs.get("body")
    responses = body.get("responses") if isinstance(body, Mapping) else None
    named = [each for each in responses or () if isinstance(each, Mapping)]
    return {str(each.get("name")): each for each in named}


def _part_ending(ended: Ended, answer: Mapping[str, Any] | None) -> Ended:
    outputs = None
    if answer is not None:
        outputs = {
            "statusCode": answer.get("status"),
            "headers": answer.get("headers") or {},
            "body": answer.get("body"),
        }
    if ended.status is Status.SUCCEEDED:
        return Ended.succeeded(outputs)
    return Ended.failed(CODE, _MESSAGE, outputs)
