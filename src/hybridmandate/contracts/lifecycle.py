"""The end of a contract version: announced by headers, then refused (requirement A3).

``Deprecation`` is RFC 9745 (a date as ``@`` and seconds), ``Sunset`` RFC 8594 (an HTTP date), the
``successor-version`` link RFC 5829. Days begin at midnight UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any

DEPRECATED = "x-mandate-deprecated"
SUNSET = "x-mandate-sunset"
SUCCESSOR = "x-mandate-successor"
"""Members of an OpenAPI operation that carry the three parts of a lifecycle."""


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """When a contract version is deprecated and retired, and the path of what replaces it."""

    deprecated: date
    sunset: date | None = None
    successor: str | None = None

    def __post_init__(self) -> None:
        if self.sunset is not None and self.sunset < self.deprecated:
            raise ValueError("a contract cannot end before it is deprecated")
        if self.successor is not None and not self.successor.startswith("/"):
            raise ValueError(f"successor '{self.successor}' is no path that starts with /")

    @classmethod
    def of_openapi(cls, operation: Mapping[str, Any]) -> Lifecycle | None:
        """The lifecycle that an OpenAPI operation states, or None.

        :raises ValueError: for a date that is none, or an end without a deprecation.
        """
        deprecated, sunset = operation.get(DEPRECATED), operation.get(SUNSET)
        if deprecated is None:
            if sunset is not None:
                raise ValueError(f"{SUNSET} needs {DEPRECATED}")
            return None
        return cls(
            _day(deprecated),
            None if sunset is None else _day(sunset),
            operation.get(SUCCESSOR),
        )

    @property
    def ends_at(self) -> datetime | None:
        """The moment from which the version is refused."""
        return None if self.sunset is None else midnight(self.sunset)

    def headers(self) -> Mapping[str, str]:
        """The headers of every answer of the version."""
        found = {"Deprecation": f"@{int(midnight(self.deprecated).timestamp())}"}
        if self.sunset is not None:
            found["Sunset"] = format_datetime(midnight(self.sunset), usegmt=True)
        if self.successor is not None:
            found["Link"] = f'<{self.successor}>; rel="successor-version"'
        return found


def midnight(day: date) -> datetime:
    """The moment at which a day begins, UTC."""
    return datetime.combine(day, time(), tzinfo=UTC)


def _day(value: Any) -> date:
    """YAML readers make dates of what looks like one; JSON has text."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    return date.fromisoformat(str(value))
