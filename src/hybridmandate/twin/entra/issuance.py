"""Evidence of what the issuer gives and refuses (requirements I3, L3)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from hybridmandate.contracts.correlation import is_correlation_id
from hybridmandate.evidence.record import Record, Recorder, Tier
from hybridmandate.twin.entra.errors import AadError
from hybridmandate.twin.entra.grants import Grant

REQUEST_ID = "client-request-id"


def caller_id(client_request_id: str | None) -> str | None:
    """The correlation id of a request, if the caller sent one."""
    return client_request_id if is_correlation_id(client_request_id) else None


@dataclass(frozen=True, slots=True)
class Issuance:
    """Writes a record for each token issued or refused; never a credential or a token."""

    recorder: Recorder
    clock: Callable[[], float]

    def issued(self, grant: Grant, *, how: str, correlation_id: str | None) -> None:
        """Record a token that was given."""
        self.recorder.record(
            Record(
                time_ns=self._now(),
                tier=Tier.IDENTITY,
                kind="token.issued",
                subject=grant.resource,
                correlation_id=correlation_id,
                principal=grant.principal,
                detail={"how": how, "tokenId": grant.minted.token_id},
            )
        )

    def refused(
        self, error: AadError, *, who: str, resource: str, how: str, correlation_id: str | None
    ) -> None:
        """Record a refusal; ``who`` and ``resource`` are what was claimed and asked for."""
        self.recorder.record(
            Record(
                time_ns=self._now(),
                tier=Tier.IDENTITY,
                kind="token.refused",
                subject=resource[:256],
                correlation_id=correlation_id,
                principal=who[:128] or None,
                outcome="refused",
                failure_type="unauthorized" if error.status == 401 else "forbidden",
                detail={"how": how, "code": f"AADSTS{error.code}"},
            )
        )

    def _now(self) -> int:
        return int(self.clock() * 1_000_000_000)


def trace_of(client_request_id: str | None) -> tuple[str, str]:
    """Trace id (new) and correlation id (the caller's if it sent one) of an answer."""
    return str(uuid.uuid4()), caller_id(client_request_id) or str(uuid.uuid4())
