"""Points in time as text: the platform writes seven digits of a second and ``Z``."""

from __future__ import annotations

from datetime import UTC, datetime


def instant_text(epoch_seconds: float) -> str:
    """``2026-11-24T11:30:00.0000000Z`` of epoch seconds."""
    moment = datetime.fromtimestamp(epoch_seconds, UTC)
    return f"{moment.isoformat(timespec='microseconds')[:26]}0Z"


def epoch_seconds(text: object) -> float:
    """Epoch seconds of an ISO 8601 point in time; UTC where it names no offset.

    :raises ValueError: when the text is none.
    """
    if not isinstance(text, str):
        raise ValueError(f"'{text}' is not a point in time")
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()
