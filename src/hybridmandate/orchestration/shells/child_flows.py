"""Child flows: how deep they are nested, and what a parent gets of one that does not respond."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hybridmandate.orchestration.engine import Answer

MAX_LEVELS = 8
"""Levels of child flows, a bound of this engine: a flow that starts itself would never end."""


def too_deep() -> Answer:
    """What a parent gets whose child would be one level too many."""
    return Answer.refused(f"child flows are nested deeper than {MAX_LEVELS} levels")


def without_response(status: str, error: Mapping[str, Any] | None) -> Answer:
    """What a parent gets of a child that has ended with a status and without a response."""
    if status == "Succeeded":
        return Answer(200)
    message = (error or {}).get("message") or f"the child flow ended {status}"
    return Answer(502, {}, {"error": {"code": "NoResponse", "message": message}})
