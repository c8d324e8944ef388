"""Reading request bodies and writing times, as Graph does."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request

from hybridmandate.twin.office.errors import GraphError

MAX_JSON_BYTES = 35 * 1024 * 1024
"""Largest JSON body: a mail with attachments has at most 35 MB in Exchange."""


async def bounded_body(request: Request, limit: int, code: str, message: str) -> bytes:
    """The whole body. :raises GraphError: 413 with this code and message over the limit."""
    read = bytearray()
    async for chunk in request.stream():
        read += chunk
        if len(read) > limit:
            raise GraphError(413, code, message)
    return bytes(read)


async def json_body(request: Request, limit: int = MAX_JSON_BYTES) -> dict[str, Any]:
    """The body as an object. :raises GraphError: 400 when it is none, 413 over the limit."""
    message = f"The request has at most {limit} bytes."
    body = await bounded_body(request, limit, "RequestEntityTooLarge", message)
    try:
        value = json.loads(body)
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


def listed(value: dict[str, Any], name: str) -> list[Any]:
    """A member that must be a list; empty where it is missing. :raises GraphError: 400."""
    found = value.get(name) or []
    if not isinstance(found, list):
        raise GraphError(400, "BadRequest", f"{name} must be a list.")
    return found


def graph_time(epoch: float) -> str:
    """A time as Graph writes it: UTC, milliseconds, Z."""
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
