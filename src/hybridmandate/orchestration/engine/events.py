"""What happens to a run: the only way in which time, answers and randomness reach it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A trigger fired. ``time`` is epoch seconds, ``seed`` the run's source of randomness.

    ``trigger`` is what the trigger brought (``{"outputs": {"headers": …, "body": …}}``),
    ``parameters`` the values of the definition's parameters in this environment,
    ``correlation_id`` one that is already known (a resubmit, a child flow), ``workflow`` what the
    function ``workflow()`` gives, ``profile`` the performance profile whose limits hold
    (``low``, ``medium``, ``high``), ``default_retry`` the policy of actions that name none (that of
    the profile when None).
    """

    time: float
    run_id: str
    seed: str
    trigger: Mapping[str, Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    correlation_id: str | None = None
    workflow: Mapping[str, Any] = field(default_factory=dict)
    default_retry: Mapping[str, Any] | None = None
    profile: str = "medium"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call brought back.

    With ``fault`` None it is an HTTP answer. Otherwise nothing came: ``fault`` is ``unreachable``,
    ``timeout``, ``refused`` (the request never left: not simulated, no connection, no token) or
    ``too_large`` (a message over the limit) and ``message`` says what happened.
    """

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    fault: str | None = None
    message: str | None = None

    @classmethod
    def unreachable(cls, message: str) -> Answer:
        """The connection could not be made or broke."""
        return cls(fault="unreachable", message=message)

    @classmethod
    def timed_out(cls, message: str) -> Answer:
        """No answer in the time that a synchronous call has."""
        return cls(fault="timeout", message=message)

    @classmethod
    def too_large(cls, message: str) -> Answer:
        """The request or the answer is over the limit of a message."""
        return cls(fault="too_large", message=message)

    @classmethod
    def refused(cls, message: str) -> Answer:
        """The connector would not send it; sending it again cannot help."""
        return cls(fault="refused", message=message)


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """A call or a watch came to an end."""

    time: float
    token: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A point in time that was asked for has come."""

    time: float
    token: str


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """A person ends the run."""

    time: float
    reason: str


Event = RunStarted | CallAnswered | TimerFired | CancelRequested
_KINDS: dict[str, type[Any]] = {
    each.__name__: each for each in (RunStarted, CallAnswered, TimerFired, CancelRequested)
}


def event_to_json(event: Event) -> dict[str, Any]:
    """The event as JSON, for the durable log."""
    if isinstance(event, CallAnswered):
        # Most events are answers, and their bodies are JSON already: they are not copied deeply.
        answer = event.answer
        return {
            "event": "CallAnswered",
            "time": event.time,
            "token": event.token,
            "answer": {
                "status": answer.status,
                "headers": dict(answer.headers),
                "body": answer.body,
                "fault": answer.fault,
                "message": answer.message,
            },
        }
    return {"event": type(event).__name__, **asdict(event)}


def event_from_json(value: Mapping[str, Any]) -> Event:
    """The event that :func:`event_to_json` wrote. :raises KeyError: for another kind."""
    fields = dict(value)
    kind = _KINDS[fields.pop("event")]
    if kind is CallAnswered:
        fields["answer"] = Answer(**fields["answer"])
    event: Event = kind(**fields)
    return event
