"""The failure types: the one table that gateway, execution, data gateway and flows share.

A flow routes on the *type*; the HTTP status and the retry rule follow from it (requirements K1,
I1). Nothing else in the project defines a failure or its status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from hybridmandate.contracts.wire import WireModel


class FailureType(StrEnum):
    """Why a call did not do what it was asked to do; stable names that flows may switch on."""

    MALFORMED_REQUEST = "malformed_request"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    CONTRACT_RETIRED = "contract_retired"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    VALIDATION_ERROR = "validation_error"
    THROTTLED = "throttled"
    QUOTA_EXCEEDED = "quota_exceeded"
    INTERNAL_ERROR = "internal_error"
    DOWNSTREAM_UNAVAILABLE = "downstream_unavailable"
    TIMEOUT = "timeout"


class Retry(StrEnum):
    """When the same call may be sent again."""

    NO = "no"
    AFTER = "after Retry-After"
    PERIOD_END = "when the period ends"
    ONCE = "once"
    YES = "yes"


@dataclass(frozen=True, slots=True)
class FailureRule:
    """What a failure type means on the wire: HTTP status, retry rule, one sentence for people."""

    http_status: int
    retry: Retry
    meaning: str

    @property
    def retryable(self) -> bool:
        """Whether sending the same call again can succeed at all."""
        return self.retry is not Retry.NO


FAILURES: Mapping[FailureType, FailureRule] = MappingProxyType(
    {
        FailureType.MALFORMED_REQUEST: FailureRule(
            400, Retry.NO, "The request cannot be parsed, or its correlation id is missing."
        ),
        FailureType.UNAUTHORIZED: FailureRule(401, Retry.NO, "There is no valid workload token."),
        FailureType.FORBIDDEN: FailureRule(
            403,
            Retry.NO,
            "The token is valid but lacks the role, or is a person's token on an unattended path.",
        ),
        FailureType.NOT_FOUND: FailureRule(
            404, Retry.NO, "There is no such operation, job, file or view."
        ),
        FailureType.CONFLICT: FailureRule(
            409,
            Retry.NO,
            "The same idempotency key came with another payload, or the record's version is stale.",
        ),
        FailureType.CONTRACT_RETIRED: FailureRule(
            410, Retry.NO, "This version of the contract is past its sunset date."
        ),
        FailureType.PAYLOAD_TOO_LARGE: FailureRule(
            413, Retry.NO, "The body is larger than the contract's limit."
        ),
        FailureType.UNSUPPORTED_MEDIA_TYPE: FailureRule(
            415, Retry.NO, "The content type is not in the contract."
        ),
        FailureType.VALIDATION_ERROR: FailureRule(
            422,
            Retry.NO,
            "The content breaks the contract's schema or a business rule; all errors are listed.",
        ),
        FailureType.THROTTLED: FailureRule(429, Retry.AFTER, "A rate limit was reached."),
        FailureType.QUOTA_EXCEEDED: FailureRule(
            403, Retry.PERIOD_END, "The client's quota for the period is used up."
        ),
        FailureType.INTERNAL_ERROR: FailureRule(
            500, Retry.ONCE, "A defect of ours; the evidence has the trace."
        ),
        FailureType.DOWNSTREAM_UNAVAILABLE: FailureRule(
            503, Retry.YES, "A named dependency did not answer."
        ),
        FailureType.TIMEOUT: FailureRule(
            504, Retry.YES, "The time that the contract allows ran out; idempotent calls may retry."
        ),
    }
)


class Failure(WireModel):
    """The failure of one call, as it stands in an outcome.

    ``retry_after_seconds`` is whole seconds, present when the refuser knows when a retry can work.
    ``reason`` narrows the type for machines (``correlation_id.missing``), ``message`` says what
    happened, to what, and what to do next.
    """

    type: FailureType
    message: str
    retryable: bool
    retry_after_seconds: int | None = None
    reason: str | None = None

    @classmethod
    def of(
        cls,
        type: FailureType,
        message: str,
        *,
        retry_after_seconds: int | None = None,
        reason: str | None = None,
    ) -> Failure:
        """A failure whose retry flag follows from the table."""
        return cls(
            type=type,
            message=message,
            retryable=FAILURES[type].retryable,
            retry_after_seconds=retry_after_seconds,
            reason=reason,
        )

    @property
    def http_status(self) -> int:
        """The status that carries this failure over HTTP."""
        return FAILURES[self.type].http_status
