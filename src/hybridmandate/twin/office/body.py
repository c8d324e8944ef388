"""Reading request bodies and writing times, as Graph does."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request

from hybridmandate.twin.office.errors import GraphError


async def json_body(request: Request) -> dict[str, Any]:
    """The body as an object. :raises GraphError: 400 when it is none."""
    try:
        value = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise GraphError(400, "BadRequest", "The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise GraphError(400, "BadRequest", "The body must be an object.")
    return value


def part(value: Any, name: str) -> dict[str, Any]:
    """A member that must be an object. :raises GraphError: 400 when it is none."""
    part = value.get(name) if isinstance(value, dict) else None
    if not isinstance(part, dict):
        raise GraphError(400, "BadRequest", f"{name} is required and must be an object.")
    return part


def graph_time(epoch: float) -> str:
    """A time as Graph writes it: UTC, milliseconds, Z."""
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
