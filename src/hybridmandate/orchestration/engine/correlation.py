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
from hybridmandate.orchestration.definition.model import Status
from hybridmandate.orchestration.engine.working import Working


def given_id(work: Working, made: Any) -> Any:
    """What the correlation action gives: the id that the run has, else the one that it made."""
    return work.run["correlationId"] or made


def recognise(work: Working, record: Mapping[str, Any]) -> None:
    """Take the id that the correlation action gave as the run's client tracking id."""
    if record["status"] != Status.SUCCEEDED:
        return
    made = record["outputs"]
    if isinstance(made, str) and is_correlation_id(made):
        work.run["correlationId"] = made
        work.run["clientTrackingId"] = made
