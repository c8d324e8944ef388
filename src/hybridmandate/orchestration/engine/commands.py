"""What a run asks of the shell around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """Call a service, or start a child flow.

    ``request`` holds the action's evaluated inputs; ``idempotency_key`` is the same for every
    attempt of this action in this iteration, and for a repetition after a crash.
    """

    token: str
    action: str
    type: str
    attempt: int
    request: Mapping[str, Any]
    correlation_id: str
    idempotency_key: str
    pagination: int | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """Read ``location`` again and again until it answers something else than 202.

    The asynchronous pattern of Azure: first after ``after_seconds``, then after each answer's
    Retry-After (20 seconds where it has none). Reading has no effect, so it may be repeated.
    """

    token: str
    action: str
    type: str
    request: Mapping[str, Any]
    location: str
    after_seconds: float
    correlation_id: str


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Fire :class:`TimerFired` with this token at ``due`` (epoch seconds)."""

    token: str
    due: float


@dataclass(frozen=True, slots=True)
class Abandon:
    """Nobody waits for this call, watch or timer any more."""

    token: str


@dataclass(frozen=True, slots=True)
class Respond:
    """Answer whoever called the Request trigger."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Track:
    """An action has its final status. ``record`` is what the run history keeps (JSON)."""

    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TrackStart:
    """An action has begun and goes on; its :class:`Track` follows. ``record`` as there."""

    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TrackRetry:
    """An attempt failed and another follows at ``due``. ``record`` names action and cause."""

    record: Mapping[str, Any]
    due: float


@dataclass(frozen=True, slots=True)
class NearLimit:
    """An action comes to 80 % of a limit, or over it, at ``time`` (epoch seconds).

    ``limit_id`` is a row of the catalogue.
    """

    limit_id: str
    action: str
    value: int
    highest: int
    time: float


@dataclass(frozen=True, slots=True)
class EndRun:
    """The run is over."""

    status: str
    code: str | None
    error: Mapping[str, Any] | None


Command = (
    Call
    | Watch
    | SetTimer
    | Abandon
    | Respond
    | TrackStart
    | Track
    | TrackRetry
    | NearLimit
    | EndRun
)
