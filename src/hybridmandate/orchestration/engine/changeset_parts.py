"""The actions inside a Changeset: they are sent as one call, and stand or fall with it.

``Perform a changeset request`` of Dataverse sends what it holds as one change set of a batch, which
is done as a whole or not at all. No action inside can use what another one there gives. Sources:
learn.microsoft.com/power-automate/dataverse/change-set; execute-batch-operations-using-web-api.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hybridmandate.orchestration.definition.model import Action, Graph, Status
from hybridmandate.orchestration.engine.outcomes import Ended
from hybridmandate.orchestration.engine.reader import Reader
from hybridmandate.orchestration.engine.working import At, Working

BRANCH = "actions"
_NOT_SENT = frozenset({"authentication", "retryPolicy"})


def part_requests(work: Working, action: Action, at: At) -> list[dict[str, Any]]:
    """The evaluated inputs of the actions inside, each with its ``name``, in their order.

    :raises ActionFault: when one of them cannot be evaluated.
    """
    return [
        {"name": part.name, **_inputs(work, part, at)}
        for part in _ordered(work.flow.branch_graph(action, BRANCH))
    ]


def close_parts(work: Working, action: Action, at: At, ended: Ended) -> None:
    """Give the actions inside the status that the answer of the change set gives them.

    ``responses`` of the answer's body names each with ``status``, ``headers`` and ``body``. Where
    the set failed, none of them has changed anything.
    """
    answers = _answers(ended)
    for part in work.flow.branch_graph(action, BRANCH).actions:
        if work.record(part.name, at) is None:
            closed = work.close(part, at, _part_ending(ended, answers.get(part.name)))
            work.track(part, closed)


def _inputs(work: Working, part: Action, at: At) -> dict[str, Any]:
    declared = {key: value for key, value in part.inputs.items() if key not in _NOT_SENT}
    evaluated: dict[str, Any] = Reader(work, part, at).evaluate(declared)
    return evaluated


def _ordered(graph: Graph) -> Iterator[Action]:
    """The actions as ``runAfter`` orders them, else as in the file."""
    left = list(graph.actions)
    done: set[str] = set()
    while left:
        following = next(each for each in left if done.issuperset(each.run_after))
        left.remove(following)
        done.add(following.name)
        yield following


def _answers(ended: Ended) -> dict[str, Mapping[str, Any]]:
    outputs = ended.outputs if isinstance(ended.outputs, Mapping) else {}
    body = outputs.get("body")
    responses = body.get("responses") if isinstance(body, Mapping) else None
    if not isinstance(responses, list):
        return {}
    return {str(each["name"]): each for each in responses if isinstance(each, Mapping)}


def _part_ending(ended: Ended, answer: Mapping[str, Any] | None) -> Ended:
    outputs = None
    if answer is not None:
        outputs = {
            "statusCode": answer["status"],
            "headers": answer.get("headers") or {},
            "body": answer.get("body"),
        }
    if ended.status is Status.SUCCEEDED:
        return Ended.succeeded(outputs)
    message = "The change set was not done: nothing that it holds has changed anything."
    return Ended(Status.FAILED, outputs, "ChangesetFailed", {
        "code": "ChangesetFailed",
        "message": message,
    })  # fmt: skip
