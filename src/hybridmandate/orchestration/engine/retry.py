"""Retry policies: what is retried, how often, and how long each wait is.

Source: power-automate-docs limits-and-config (default policies: low profile 2 retries from about
5 minutes to 10; medium and high 8 retries scaling by 7 seconds to about 15 minutes) and the Azure
Logic Apps page on retry policies (none, fixed, exponential; 408, 429, 5xx; count 1-90; interval
5 s - 1 day; n-th exponential wait uniform in [max(2^(n-2)*i, min), min(2^(n-1)*i, max)]).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

from hybridmandate.orchestration.engine.durations import duration_seconds
from hybridmandate.orchestration.engine.events import Answer
from hybridmandate.orchestration.limits.catalogue import Profile

DAY = 86400.0
MEDIUM_PROFILE: Mapping[str, Any] = {
    "type": "exponential",
    "count": 8,
    "interval": "PT7S",
    "maximumInterval": "PT15M",
}
LOW_PROFILE: Mapping[str, Any] = {
    "type": "exponential",
    "count": 2,
    "interval": "PT5M",
    "minimumInterval": "PT5M",
    "maximumInterval": "PT10M",
}
DEFAULT_POLICIES: Mapping[str, Mapping[str, Any]] = {
    Profile.LOW: LOW_PROFILE,
    Profile.MEDIUM: MEDIUM_PROFILE,
    Profile.HIGH: MEDIUM_PROFILE,
}
"""The policy of actions that name none, by performance profile."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """A checked policy. ``count`` retries after the first attempt; times in seconds."""

    type: str
    count: int
    interval: float
    minimum: float
    maximum: float

    @classmethod
    def of(cls, declared: Mapping[str, Any] | None, default: Mapping[str, Any]) -> RetryPolicy:
        """The policy of an action; ``default`` where it names none.

        :raises ValueError: when type, count or interval is outside the documented limits.
        """
        policy = declared or default
        kind = str(policy.get("type", "default")).lower()
        if kind == "default":
            policy, kind = default, str(default.get("type", "none")).lower()
        if kind == "none":
            return cls("none", 0, 0.0, 0.0, 0.0)
        if kind not in ("fixed", "exponential"):
            raise ValueError(f"retry policy type '{policy.get('type')}' is not known")
        count = _whole(policy.get("count", 0))
        if not 1 <= count <= 90:
            raise ValueError(f"a retry count of {count} is not between 1 and 90")
        interval = duration_seconds(policy.get("interval"))
        if not 5 <= interval <= DAY:
            raise ValueError(f"a retry interval of {interval:g} s is not between 5 s and 1 day")
        minimum = duration_seconds(policy.get("minimumInterval", "PT0S"))
        maximum = duration_seconds(policy.get("maximumInterval", "P1D"))
        return cls(kind, count, interval, minimum, maximum)

    def bounds(self, retry: int) -> tuple[float, float]:
        """The shortest and longest wait before the ``retry``-th retry (from 1), in seconds."""
        if self.type == "fixed":
            return self.interval, self.interval
        low = 0.0 if retry == 1 else 2.0 ** (retry - 2) * self.interval
        high = 2.0 ** (retry - 1) * self.interval
        low = max(low, self.minimum)
        return min(low, self.maximum), max(min(high, self.maximum), min(low, self.maximum))

    def wait(self, retry: int, draw: float, asked: float | None) -> float:
        """Seconds before the ``retry``-th retry.

        ``draw`` in [0, 1) picks within the bounds; ``asked`` is the answer's Retry-After, never
        undercut.
        """
        low, high = self.bounds(retry)
        return max(low + (high - low) * draw, asked or 0.0)


def _whole(value: object) -> int:
    """A count. :raises ValueError: when it is no whole number."""
    try:
        return int(str(value))
    except ValueError:
        raise ValueError(f"a retry count of '{value}' is not a whole number") from None


def is_retryable(answer: Answer) -> bool:
    """Whether a policy retries this answer: 408, 429, 5xx, no connection, no answer in time."""
    if answer.fault is not None:
        return answer.fault in ("unreachable", "timeout")
    return answer.status in (408, 429) or 500 <= answer.status <= 599


def retry_after(answer: Answer, now: float) -> float | None:
    """Seconds of the answer's ``Retry-After`` (a number or an HTTP date), None without one."""
    text = next((v for k, v in answer.headers.items() if k.lower() == "retry-after"), None)
    if text is None:
        return None
    if text.strip().isascii() and text.strip().isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now)
