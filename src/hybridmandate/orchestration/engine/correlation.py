"""The correlation id of a run (requirement L1): made by the flow's first action.

Convention: a Compose named ``Correlation_id`` that waits for nothing at the top of the flow,
usually ``@guid()``, or the trigger's ``correlation.clientTrackingId``. What it gives becomes the
run's client tracking id. A run that was given a correlation id (resubmit, child flow, a caller's
``x-correlation-id``) keeps that one: the action then gives it instead of a new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hybridmandate.contracts import is_correlation_id
from hybridmandate.orchestration.definition.model import Action, Status
from hybridmandate.orchestration.engine.working import Working

ACTION_NAME = "correlation_id"


def is_correlation_action(action: Action) -> bool:
    """Whether an action makes the correlation id by the convention."""
    return (
        action.owner is None
        and not action.run_after
        and action.type == "Compose"
        and action.name.lower() == ACTION_NAME
    )


def given_id(work: Working, action: Action) -> str | None:
    """The id that the correlation action must give, None when it makes a new one."""
    if not is_correlation_action(action):
        return None
    known: str | None = work.run["correlationId"]
    return known


def recognise(work: Working, action: Action, record: Mapping[str, Any]) -> None:
    """Take the id that the correlation action gave as the run's client tracking id."""
    if record["status"] != Status.SUCCEEDED or not is_correlation_action(action):
        return
    made = record["outputs"]
    if isinstance(made, str) and is_correlation_id(made):
        work.run["correlationId"] = made
        work.run["clientTrackingId"] = made
