"""Python → flow: start a cloud flow as an authenticated principal (requirement I2).

The caller proves itself with its own managed identity; there is no signature in an address, and a
flow whose trigger is open to anyone is not called.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx

from hybridmandate.contracts import FailureType, Refused, is_correlation_id
from hybridmandate.contracts import headers as names
from hybridmandate.identity.principal import TokenSource, TokenUnavailable

FLOW_SERVICE_AUDIENCE = "https://service.flow.microsoft.com/"
"""The audience of Power Automate in the public cloud ('Add OAuth authentication for HTTP request
triggers'); a local run has its own."""
TIMEOUT_SECONDS = 130.0
"""An inbound request is answered within 120 s (limits page); a little more, to hear that it was
not."""


@dataclass(frozen=True, slots=True)
class FlowAnswer:
    """What the flow answered: HTTP status, headers, and the body (JSON where it is JSON)."""

    status: int
    headers: Mapping[str, str]
    body: Any


def trigger_address(origin: str, flow: str, trigger: str = "manual") -> str:
    """The address of a request trigger of the local flows process."""
    return f"{origin.rstrip('/')}/flows/{quote(flow)}/triggers/{quote(trigger)}"


async def trigger(
    address: str,
    body: Any = None,
    *,
    tokens: TokenSource,
    http: httpx.AsyncClient,
    correlation_id: str,
    idempotency_key: str | None = None,
    audience: str = FLOW_SERVICE_AUDIENCE,
) -> FlowAnswer:
    """Start a flow and give its answer.

    ``address`` is the trigger's address without a signature. With ``idempotency_key`` a repeated
    call starts no second run.

    :raises Refused: when no token can be had, the address carries a signature, the correlation id
        cannot be used, or the flow does not answer or refuses.
    """
    if "sig" in parse_qs(urlsplit(address).query):
        raise Refused(
            FailureType.MALFORMED_REQUEST,
            "the address carries a signature: such a trigger is open to anyone who has it",
            reason="trigger.signature",
        )
    if not is_correlation_id(correlation_id):
        raise Refused(
            FailureType.MALFORMED_REQUEST,
            "x-correlation-id: 8 to 64 letters, digits, '.', '_' and '-'",
            reason="correlation_id.malformed",
        )
    headers = {names.CORRELATION_ID: correlation_id, **await _authorization(tokens, audience)}
    if idempotency_key is not None:
        headers[names.IDEMPOTENCY_KEY] = idempotency_key
    try:
        answer = await http.post(address, json=body, headers=headers, timeout=TIMEOUT_SECONDS)
    except httpx.TimeoutException as error:
        raise Refused(FailureType.TIMEOUT, "the flow did not answer in time") from error
    except httpx.HTTPError as error:
        raise Refused(
            FailureType.DOWNSTREAM_UNAVAILABLE, f"the flow cannot be reached: {error}"
        ) from error
    if answer.status_code in (401, 403):
        kind = FailureType.FORBIDDEN if answer.status_code == 403 else FailureType.UNAUTHORIZED
        raise Refused(kind, f"the flow refuses this principal: {answer.text[:300]}")
    return FlowAnswer(answer.status_code, dict(answer.headers), _body(answer))


async def _authorization(tokens: TokenSource, audience: str) -> dict[str, str]:
    try:
        return {"authorization": f"Bearer {await tokens.token(audience)}"}
    except TokenUnavailable as error:
        kind = FailureType.DOWNSTREAM_UNAVAILABLE if error.transient else FailureType.UNAUTHORIZED
        raise Refused(kind, f"no token for the flow: {error}") from error


def _body(answer: httpx.Response) -> Any:
    if not answer.content:
        return None
    if "json" in answer.headers.get("content-type", ""):
        return answer.json()
    return answer.text
