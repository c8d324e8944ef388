"""DateTime, DateTimeOffset and TimeSpan with .NET's 100 nanosecond ticks.

The local time zone of an expression is UTC, as on the gateways of Azure.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import total_ordering
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.date_formats import (
    format_moment,
    parse_moment,
    parse_span,
    span_text,
)
from hybridmandate.governance.gateway.csharp.failures import ExpressionFailure, out_of_range

TICKS: Final = 10_000_000
DAY: Final = 864_000_000_000
MAX_TICKS: Final = 3_155_378_975_999_999_999
UNIX_TICKS: Final = 621_355_968_000_000_000
_START: Final = datetime(1, 1, 1, tzinfo=UTC)


def _checked(ticks: int) -> int:
    if not 0 <= ticks <= MAX_TICKS:
        raise out_of_range(
            "value", "The added or subtracted value results in an un-representable DateTime."
        )
    return ticks


def from_parts(year: int, month: int, day: int, ticks_of_day: int) -> int:
    """Ticks of a date and time. :raises ExpressionFailure: ArgumentOutOfRangeException."""
    try:
        days = (datetime(year, month, day, tzinfo=UTC) - _START).days
    except ValueError:
        raise ExpressionFailure(
            "Year, Month, and Day parameters describe an un-representable DateTime.",
            "ArgumentOutOfRangeException",
        ) from None
    return days * DAY + ticks_of_day


def calendar(ticks: int) -> datetime:
    """The calendar date and time of ticks, cut to microseconds."""
    return _START + timedelta(microseconds=ticks // 10)


@total_ordering
class TimeSpan:
    """A length of time."""

    __slots__ = ("ticks",)

    def __init__(self, ticks: int) -> None:
        if not -(2**63) <= ticks < 2**63:
            raise ExpressionFailure(
                "TimeSpan overflowed because the duration is too long.", "OverflowException"
            )
        self.ticks = ticks

    def clr_text(self) -> str:
        """``[-][d.]hh:mm:ss[.fffffff]``."""
        return span_text(self.ticks, "c")

    def clr_format(self, form: str) -> str:
        """A standard (c, g, G) or custom format."""
        return span_text(self.ticks, form)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TimeSpan) and self.ticks == other.ticks

    def __lt__(self, other: TimeSpan) -> bool:
        return self.ticks < other.ticks

    def __hash__(self) -> int:
        return hash(self.ticks)

    def __add__(self, other: Any) -> TimeSpan:
        return TimeSpan(self.ticks + other.ticks) if isinstance(other, TimeSpan) else NotImplemented

    def __sub__(self, other: Any) -> TimeSpan:
        return TimeSpan(self.ticks - other.ticks) if isinstance(other, TimeSpan) else NotImplemented

    def __neg__(self) -> TimeSpan:
        return TimeSpan(-self.ticks)

    def __mul__(self, factor: Any) -> TimeSpan:
        return TimeSpan(round(self.ticks * factor))

    def __rmul__(self, factor: Any) -> TimeSpan:
        return TimeSpan(round(self.ticks * factor))

    def __truediv__(self, other: Any) -> Any:
        if isinstance(other, TimeSpan):
            return self.ticks / other.ticks
        return TimeSpan(round(self.ticks / other))


@total_ordering
class DateTime:
    """A date and time; ``kind`` is Unspecified, Utc or Local."""

    __slots__ = ("kind", "ticks")

    def __init__(self, ticks: int, kind: str = "Unspecified") -> None:
        self.ticks = _checked(ticks)
        self.kind = kind

    def clr_text(self) -> str:
        """The general invariant format, ``MM/dd/yyyy HH:mm:ss``."""
        return self.clr_format("G")

    def clr_format(self, form: str) -> str:
        """A standard or custom format."""
        return format_moment(self.ticks, form, 0, self.kind)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DateTime) and self.ticks == other.ticks

    def __lt__(self, other: DateTime) -> bool:
        if not isinstance(other, DateTime):
            return NotImplemented
        return self.ticks < other.ticks

    def __hash__(self) -> int:
        return hash(self.ticks)

    def __add__(self, other: Any) -> DateTime:
        if not isinstance(other, TimeSpan):
            return NotImplemented
        return DateTime(self.ticks + other.ticks, self.kind)

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, DateTime):
            return TimeSpan(self.ticks - other.ticks)
        if isinstance(other, DateTimeOffset):
            return TimeSpan(self.ticks - other.utc_ticks)
        return DateTime(self.ticks - other.ticks, self.kind)


@total_ordering
class DateTimeOffset:
    """A moment with an offset (in ticks) from UTC; ``ticks`` are those of the local clock."""

    __slots__ = ("offset", "ticks")

    def __init__(self, ticks: int, offset: int = 0) -> None:
        if abs(offset) > 14 * 36_000_000_000 or offset % (60 * TICKS):
            raise out_of_range(
                "offset", "Offset must be within plus or minus 14 hours, in minutes."
            )
        self.ticks = _checked(ticks)
        self.offset = offset

    @property
    def utc_ticks(self) -> int:
        """Ticks of the moment in UTC."""
        return self.ticks - self.offset

    def clr_text(self) -> str:
        """The general invariant format with the offset."""
        return self.clr_format("MM/dd/yyyy HH:mm:ss zzz")

    def clr_format(self, form: str) -> str:
        """A standard or custom format."""
        return format_moment(self.ticks, form, self.offset, "Offset")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DateTimeOffset) and self.utc_ticks == other.utc_ticks

    def __lt__(self, other: DateTimeOffset) -> bool:
        if not isinstance(other, DateTimeOffset):
            return NotImplemented
        return self.utc_ticks < other.utc_ticks

    def __hash__(self) -> int:
        return hash(self.utc_ticks)

    def __add__(self, other: Any) -> DateTimeOffset:
        if not isinstance(other, TimeSpan):
            return NotImplemented
        return DateTimeOffset(self.ticks + other.ticks, self.offset)

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, DateTimeOffset):
            return TimeSpan(self.utc_ticks - other.utc_ticks)
        if isinstance(other, DateTime):
            return TimeSpan(self.utc_ticks - other.ticks)
        return DateTimeOffset(self.ticks - other.ticks, self.offset)


def parse_date_time(text: str, form: str | None = None) -> DateTime:
    """``DateTime.Parse`` or ``ParseExact``. :raises ExpressionFailure: FormatException.

    A text with an offset becomes local time, which is UTC, as .NET does without styles.
    """
    ticks, offset, zulu = parse_moment(text, form)
    if offset is None:
        return DateTime(ticks)
    return DateTime(ticks - offset, "Utc" if zulu and form is not None else "Local")


def parse_offset(text: str, form: str | None = None) -> DateTimeOffset:
    """``DateTimeOffset.Parse`` or ``ParseExact``. :raises ExpressionFailure: FormatException."""
    ticks, offset, _ = parse_moment(text, form)
    return DateTimeOffset(ticks, offset or 0)


def parse_time_span(text: str) -> TimeSpan:
    """``TimeSpan.Parse``. :raises ExpressionFailure: FormatException or OverflowException."""
    return TimeSpan(parse_span(text))
