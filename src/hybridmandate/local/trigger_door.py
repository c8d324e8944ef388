"""The door of flow triggers leaves evidence of everybody whom it does not let in (requirement I2).

A run tells who started it; a refused caller starts no run, so the refusal itself is recorded: who
asked where it is known, at which trigger, and why not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hybridmandate.contracts import headers as names
from hybridmandate.contracts import is_correlation_id
from hybridmandate.evidence.record import Record, Recorder, Tier
from hybridmandate.identity.principal import Principal, TokenVerifier

TRIGGERS = "/flows/"
_REFUSALS = (401, 403)
_MAX_BODY_BYTES = 64 * 1024


class CallerNoted:
    """A token verifier that remembers, for the request that asks, who the caller is."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier
        self.caller: ContextVar[str | None] = ContextVar("caller", default=None)

    async def verify(self, authorization: str | None, *, role: str | None = None) -> Principal:
        """The principal of a token. :raises TokenRefused: as the verifier behind it."""
        principal = await self._verifier.verify(authorization, role=role)
        self.caller.set(principal.object_id)
        return principal


class TriggerDoor:
    """Passes everything on to the flows process, and records 401 and 403 of its triggers."""

    def __init__(
        self, app: ASGIApp, callers: CallerNoted, recorder: Recorder, clock: Callable[[], float]
    ) -> None:
        self._app = app
        self._callers = callers
        self._recorder = recorder
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection of an ASGI server."""
        if scope["type"] != "http" or not scope["path"].startswith(TRIGGERS):
            await self._app(scope, receive, send)
            return
        started = self._clock()
        self._callers.caller.set(None)
        status, body = 0, bytearray()

        async def watching(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif status in _REFUSALS and len(body) < _MAX_BODY_BYTES:
                body.extend(message.get("body", b""))
            await send(message)

        await self._app(scope, receive, watching)
        if status in _REFUSALS:
            self._record(scope, status, _failure(bytes(body)), started)

    def _record(
        self, scope: Scope, status: int, failure: Mapping[str, Any], started: float
    ) -> None:
        given = Headers(scope=scope).get(names.CORRELATION_ID)
        self._recorder.record(
            Record(
                time_ns=round(started * 1_000_000_000),
                tier=Tier.FLOW,
                kind="flow.trigger",
                subject=str(scope["path"]),
                correlation_id=given if given and is_correlation_id(given) else None,
                principal=self._callers.caller.get(),
                outcome="refused",
                failure_type=failure.get("type"),
                duration_ms=(self._clock() - started) * 1000,
                detail={"status": status, "reason": failure.get("reason")},
            )
        )


def _failure(body: bytes) -> Mapping[str, Any]:
    """The failure of an outcome; empty when the flow itself answered something else."""
    try:
        outcome = json.loads(body)
    except ValueError:
        return {}
    failure = outcome.get("failure") if isinstance(outcome, dict) else None
    return failure if isinstance(failure, dict) else {}
