"""``Perform a changeset request`` of Dataverse: all actions inside as one change set, or none.

A repetition after a crash meets its own first row: then the whole set was done before, as a change
set is done as a whole, and what it holds is read instead. A set that only deletes fails with 404
then, as on the platform.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hybridmandate.orchestration.connectors.dataverse_requests import (
    ANNOTATIONS,
    API,
    CHANGES,
    ApiRequest,
)
from hybridmandate.orchestration.connectors.multipart import PartAnswer, answers, change_set
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import ServiceSession, decoded
from hybridmandate.orchestration.engine import Answer

REQUESTS = "requests"
"""The parameter that holds what stands in the set: name, host, parameters of each."""
Send = Callable[[ApiRequest], Awaitable[Answer]]


async def execute(
    session: ServiceSession, call: OperationCall, environment: str, send: Send
) -> Answer:
    """Send the set. ``send`` sends a request alone.

    :raises MissingParameter: when an action inside lacks a parameter.
    :raises ValueError: for an operation that cannot stand in a change set.
    """
    parts = _parts(call, environment)
    if not parts:
        return Answer(200, {}, {"responses": []})
    mark = hashlib.sha256(call.idempotency_key.encode()).hexdigest()
    kind, data = change_set([request for _, request in parts], environment, mark)
    answer = await session.send(
        "POST",
        f"{API}/$batch",
        call=call,
        headers={"content-type": kind, "odata-version": "4.0", "odata-maxversion": "4.0"},
        data=data,
        decode=_decoded,
    )
    if answer.fault is not None or not isinstance(answer.body, list):
        return answer
    given: list[PartAnswer] = answer.body
    failed = next((each for each in given if each.status >= 400), None)
    if failed is None:
        return Answer(200, answer.headers, {"responses": _responses(parts, given)})
    if failed.status == 412 and _is_own_creation(parts, failed):
        before = await _done_before(parts, send)
        if before is not None:
            return before
    body = failed.body if isinstance(failed.body, Mapping) else {"error": {"message": failed.body}}
    return Answer(failed.status, failed.headers, {**body, "responses": _responses(parts, [failed])})


Part = tuple[str, ApiRequest]


def _parts(call: OperationCall, environment: str) -> list[Part]:
    found = []
    for each in call.parameters.get(REQUESTS) or []:
        operation = str((each.get("host") or {}).get("operationId"))
        build = CHANGES.get(operation)
        if build is None:
            raise ValueError(f"'{operation}' cannot stand in a change set")
        name = str(each["name"])
        inner = replace(
            call,
            operation_id=operation,
            parameters=each.get("parameters") or {},
            idempotency_key=f"{call.idempotency_key}/{name}",
        )
        found.append((name, build(inner, environment)))
    return found


def _responses(parts: Sequence[Part], given: Sequence[PartAnswer]) -> list[dict[str, Any]]:
    names = {str(number): name for number, (name, _) in enumerate(parts, 1)}
    return [
        {
            "name": names.get(each.content_id or "", each.content_id),
            "status": each.status,
            "headers": dict(each.headers),
            "body": each.body,
        }
        for each in given
    ]


def _is_own_creation(parts: Sequence[Part], failed: PartAnswer) -> bool:
    number = int(failed.content_id or 0)
    return 0 < number <= len(parts) and parts[number - 1][1].is_own_creation


async def _done_before(parts: Sequence[Part], send: Send) -> Answer | None:
    """What the set gives when its own rows stand already; None when one of them does not.

    Then another row has the key of a new one, and the set was never done.
    """
    responses = []
    for name, request in parts:
        response: dict[str, Any] = {"name": name, "status": 204, "headers": {}, "body": None}
        if request.method == "PATCH":
            answer = await send(ApiRequest("GET", request.address, {"prefer": ANNOTATIONS}))
            if answer.fault is not None or answer.status not in (200, 404):
                return answer
            if answer.status == 404 and request.is_own_creation:
                return None
            response["body"] = answer.body if answer.status == 200 else None
        responses.append(response)
    return Answer(200, {}, {"responses": responses})


def _decoded(body: bytes, content_type: str) -> Any:
    try:
        return answers(body)
    except ValueError:
        return decoded(body, content_type)
