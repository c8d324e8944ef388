"""The pure stepper: definition + state + event -> state + commands.

Nothing here looks at a clock, a socket or a random source: time arrives in events, randomness is
drawn from the seed in the run's start event. The state is a JSON value.
"""

from hybridmandate.orchestration.engine.commands import (
    Abandon,
    Call,
    Command,
    EndRun,
    NearLimit,
    Respond,
    SetTimer,
    Track,
    TrackRetry,
    TrackStart,
    Watch,
)
from hybridmandate.orchestration.engine.events import (
    Answer,
    CallAnswered,
    CancelRequested,
    Event,
    RunStarted,
    TimerFired,
    event_from_json,
    event_to_json,
)
from hybridmandate.orchestration.engine.stepper import Transition, step
from hybridmandate.orchestration.engine.working import State

__all__ = [
    "Abandon",
    "Answer",
    "Call",
    "CallAnswered",
    "CancelRequested",
    "Command",
    "EndRun",
    "Event",
    "NearLimit",
    "Respond",
    "RunStarted",
    "SetTimer",
    "State",
    "TimerFired",
    "Track",
    "TrackRetry",
    "TrackStart",
    "Transition",
    "Watch",
    "event_from_json",
    "event_to_json",
    "step",
]
