"""The outcome: what every operation returns, and what every refusal looks like.

The same shape serves a synchronous answer, the result of a job, a queue reply and a refusal by any
tier, so a flow needs one piece of routing for all of them (requirement I1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from pydantic import Field, model_validator

from hybridmandate.contracts.failures import Failure, FailureType
from hybridmandate.contracts.wire import WireModel


class Status(StrEnum):
    """How a call ended: the first thing that a flow switches on."""

    SUCCEEDED = "succeeded"
    PARTIALLY_SUCCEEDED = "partiallySucceeded"
    REJECTED = "rejected"
    FAILED = "failed"
    ACCEPTED = "accepted"


class ContractRef(WireModel):
    """Which contract answered: operation name and major version."""

    operation: str
    version: int = Field(ge=1)


class RowError(WireModel):
    """One violation: a rule (``code``) broken at a place.

    ``line`` is the 1-based physical line (or worksheet row) in the file that was sent; ``record``
    the identity of the record; ``field`` a column of the profile or a JSON pointer into the body;
    ``value`` the text as it was sent, cut to a bounded length by whoever reports it.
    """

    code: str
    message: str
    line: int | None = None
    record: str | None = None
    field: str | None = None
    value: str | None = None


class Versions(WireModel):
    """What exactly ran: the answer to 'which build decided this?' (requirement V6)."""

    service: str | None = None
    build: str | None = None
    profile: str | None = None
    prompt: str | None = None


class Outcome(WireModel):
    """The result of a call.

    Invariants, checked on construction: ``failed`` and ``rejected`` carry a failure, the others do
    not. ``data`` is the operation's own output, ``counts`` whole numbers by name,
    ``duration_ms`` the time spent by the tier that made this outcome.
    """

    status: Status
    correlation_id: str | None
    contract: ContractRef | None = None
    replayed: bool = False
    data: Any = None
    counts: dict[str, int] = Field(default_factory=dict)
    errors: list[RowError] = Field(default_factory=list)
    warnings: list[RowError] = Field(default_factory=list)
    failure: Failure | None = None
    versions: Versions | None = None
    duration_ms: int = 0

    @model_validator(mode="after")
    def _failure_follows_status(self) -> Outcome:
        refused = self.status in (Status.FAILED, Status.REJECTED)
        if refused and self.failure is None:
            raise ValueError(f"an outcome that is '{self.status}' needs a failure")
        if not refused and self.failure is not None:
            raise ValueError(f"an outcome that is '{self.status}' cannot carry a failure")
        return self

    @property
    def http_status(self) -> int:
        """The HTTP status that carries this outcome: the failure's, 202 for accepted, else 200."""
        if self.failure is not None:
            return self.failure.http_status
        return 202 if self.status is Status.ACCEPTED else 200

    def to_json(self) -> dict[str, Any]:
        """The outcome as JSON values with camelCase keys, as it goes over the wire."""
        return self.model_dump(mode="json", by_alias=True)


def refusal(
    type: FailureType,
    message: str,
    *,
    correlation_id: str | None,
    contract: ContractRef | None = None,
    reason: str | None = None,
    retry_after_seconds: int | None = None,
    errors: Sequence[RowError] = (),
    duration_ms: int = 0,
) -> Outcome:
    """The outcome of a call that was refused or broke: the one error body of every tier.

    ``validation_error`` becomes ``rejected`` (the content was judged and refused), every other type
    ``failed``.
    """
    status = Status.REJECTED if type is FailureType.VALIDATION_ERROR else Status.FAILED
    return Outcome(
        status=status,
        correlation_id=correlation_id,
        contract=contract,
        errors=list(errors),
        failure=Failure.of(type, message, reason=reason, retry_after_seconds=retry_after_seconds),
        duration_ms=duration_ms,
    )


def response_headers(outcome: Outcome) -> Mapping[str, str]:
    """The headers that go with an outcome: correlation id, and Retry-After where it is known."""
    headers: dict[str, str] = {"content-type": "application/json"}
    if outcome.correlation_id is not None:
        headers["x-correlation-id"] = outcome.correlation_id
    if outcome.failure is not None and outcome.failure.retry_after_seconds is not None:
        headers["retry-after"] = str(outcome.failure.retry_after_seconds)
    return headers


class Refused(Exception):
    """Raised inside a tier to end a call with a failure; the outermost shell makes the outcome."""

    def __init__(
        self,
        type: FailureType,
        message: str,
        *,
        reason: str | None = None,
        retry_after_seconds: int | None = None,
        errors: Sequence[RowError] = (),
    ) -> None:
        super().__init__(message)
        self.type = type
        self.message = message
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds
        self.errors = list(errors)

    def outcome(
        self,
        *,
        correlation_id: str | None,
        contract: ContractRef | None = None,
        duration_ms: int = 0,
    ) -> Outcome:
        """This refusal as the outcome that goes to the caller."""
        return refusal(
            self.type,
            self.message,
            correlation_id=correlation_id,
            contract=contract,
            reason=self.reason,
            retry_after_seconds=self.retry_after_seconds,
            errors=self.errors,
            duration_ms=duration_ms,
        )
