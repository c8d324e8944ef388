"""When two calls are the same call, and which outcomes stand for good (design.md section 4)."""

from __future__ import annotations

import hashlib
import re

from hybridmandate.contracts import (
    Caller,
    ContractRef,
    FailureType,
    Operation,
    Outcome,
    Refused,
    headers,
)
from hybridmandate.execution.claims import ClaimState

KEY_CHARS = 40
_EXPLICIT = re.compile(r"[\x21-\x7e]{1,128}")
CURABLE = frozenset(
    {
        FailureType.THROTTLED,
        FailureType.QUOTA_EXCEEDED,
        FailureType.DOWNSTREAM_UNAVAILABLE,
        FailureType.TIMEOUT,
        FailureType.INTERNAL_ERROR,
    }
)
"""Failures that a repeat of the same call can cure: they never stand as the first outcome."""


def claim_key(
    caller: Caller, contract: ContractRef, *, correlation_id: str, digest: str, explicit: str | None
) -> str:
    """The identity of a call: 160 bits in hex; also the id of its job.

    Derived from correlation id, caller, operation, version and payload digest. An explicit
    ``Idempotency-Key`` stands in place of correlation id and digest, within the same caller and
    contract.
    """
    own = ("explicit", explicit) if explicit is not None else ("call", correlation_id, digest)
    parts = (caller.app_id, contract.operation, str(contract.version), *own)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:KEY_CHARS]


def explicit_key(sent: str | None) -> str | None:
    """The ``Idempotency-Key`` header's value, checked.

    :raises Refused: ``malformed_request`` unless it is 1 to 128 visible ASCII characters.
    """
    if sent is None or _EXPLICIT.fullmatch(sent):
        return sent
    raise Refused(
        FailureType.MALFORMED_REQUEST,
        f"{headers.IDEMPOTENCY_KEY} must be 1 to 128 visible ASCII characters",
        reason="idempotency_key.invalid",
    )


def closing_state(outcome: Outcome) -> ClaimState:
    """Whether an outcome is kept for every repeat, or a repeat runs again."""
    curable = outcome.failure is not None and outcome.failure.type in CURABLE
    return ClaimState.RELEASED if curable else ClaimState.KEPT


def payload_conflict(operation: Operation) -> Refused:
    """The refusal of a key that was used before with another payload."""
    return Refused(
        FailureType.CONFLICT,
        f"this {headers.IDEMPOTENCY_KEY} was used for another payload of "
        f"{operation.ref.operation}; use a new key for a new call",
        reason="idempotency_key.other_payload",
    )
