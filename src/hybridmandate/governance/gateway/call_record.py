"""The evidence of a call: what was asked, who asked, how it ended (requirements I3, L3, L5)."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from hybridmandate.contracts import FailureType, is_correlation_id
from hybridmandate.contracts.headers import CORRELATION_ID
from hybridmandate.evidence.record import Record, Tier
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.messages import SMALL_BYTES

REQUEST_FAULTS, ANSWER_FAULTS = "contractFaults", "answerFaults"
"""Variables in which the baseline keeps what breaks the contract; faults hold no values."""
MAX_FAULTS_TOLD = 5
_FAILURES = frozenset(each.value for each in FailureType)


def call_record(
    exchange: Exchange, *, time_ns: int, duration_ms: float, broke: str | None = None
) -> Record:
    """The record of a call that has ended; ``broke`` says why its response could not be sent.

    The principal is the one whose token was verified; a malformed correlation id is left out.
    """
    operation = exchange.operation
    path = _path(exchange.api.path, operation.url_template if operation is not None else "")
    status = exchange.response.status
    outcome = "succeeded" if status < 400 else "refused" if status < 500 else "failed"
    detail: dict[str, Any] = {
        "status": status,
        "api": exchange.api.id,
        "operation": operation.id if operation is not None else None,
        "backend": exchange.backend_called,
    }
    if exchange.api.version:
        detail["version"] = exchange.api.version
    if exchange.product is not None:
        detail["product"] = exchange.product.id
    if exchange.answered_by:
        detail["refusedBy"] = exchange.answered_by
    elif status >= 400:
        detail["refusedBy"] = "backend" if exchange.backend_called else "return-response"
    if exchange.last_error is not None:
        detail["reason"] = exchange.last_error.reason
    faults = exchange.variables.get(REQUEST_FAULTS) or exchange.variables.get(ANSWER_FAULTS)
    if isinstance(faults, list):
        detail["faults"] = [f"{e['Name']}: {e['Details']}" for e in faults[:MAX_FAULTS_TOLD]]
    if broke is not None:
        detail["broke"] = broke
    return Record(
        time_ns=time_ns,
        tier=Tier.GATEWAY,
        kind="gateway.call",
        subject=f"{exchange.request.method} {path}",
        correlation_id=_correlation(exchange),
        principal=exchange.principal,
        outcome="failed" if broke is not None else outcome,
        failure_type=failure_type(exchange) if status >= 400 else None,
        duration_ms=duration_ms,
        bytes_in=exchange.bytes_in,
        bytes_out=exchange.bytes_out,
        detail=detail,
    )


@lru_cache(maxsize=4096)
def _path(api: str, template: str) -> str:
    return "".join(f"/{each}" for each in (api.strip("/"), template.strip("/")) if each) or "/"


def _correlation(exchange: Exchange) -> str | None:
    text = exchange.request.headers.get(CORRELATION_ID)
    return text if is_correlation_id(text) else None


def failure_type(exchange: Exchange) -> str | None:
    """``failure.type`` of a body in the standard error shape, or None."""
    content = exchange.response.body.content
    if not content or len(content) > SMALL_BYTES:
        return None
    try:
        found = json.loads(content)
    except ValueError:
        return None
    failure = found.get("failure") if isinstance(found, dict) else None
    kind = failure.get("type") if isinstance(failure, dict) else None
    return kind if kind in _FAILURES else None
