"""DateTime, DateTimeOffset, TimeSpan, TimeZoneInfo, Stopwatch."""

from __future__ import annotations

import calendar as months
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from hybridmandate.governance.gateway.csharp.dates import (
    DAY,
    MAX_TICKS,
    TICKS,
    UNIX_TICKS,
    DateTime,
    DateTimeOffset,
    TimeSpan,
    calendar,
    from_parts,
    parse_date_time,
    parse_offset,
    parse_time_span,
)
from hybridmandate.governance.gateway.csharp.failures import (
    ExpressionFailure,
    invalid_cast,
    out_of_range,
)
from hybridmandate.governance.gateway.csharp.numbers import Long
from hybridmandate.governance.gateway.csharp.text import as_text
from hybridmandate.governance.gateway.csharp.types.strings import Culture
from hybridmandate.governance.gateway.csharp.types.table import (
    OBJECT,
    ClrType,
    EnumValue,
    Run,
    enumeration,
    full_name_of,
)
from hybridmandate.governance.gateway.csharp.types.windows_zones import WINDOWS_ZONES

KIND: Final = enumeration("DateTimeKind", "System.DateTimeKind", ["Unspecified", "Utc", "Local"])
WEEKDAY: Final = enumeration(
    "DayOfWeek", "System.DayOfWeek", [months.day_name[(i + 6) % 7] for i in range(7)]
)
STYLES: Final = enumeration(
    "DateTimeStyles",
    "System.Globalization.DateTimeStyles",
    {"None": 0, "AllowWhiteSpaces": 7, "AssumeLocal": 32, "AssumeUniversal": 64,
     "AdjustToUniversal": 16, "RoundtripKind": 128},
)  # fmt: skip
_HOUR: Final = 3600 * TICKS
_MINUTE: Final = 60 * TICKS
_MILLISECOND: Final = TICKS // 1000


def now_ticks(run: Run) -> int:
    """Ticks of the gateway's clock in UTC."""
    return UNIX_TICKS + int(run.context.clock() * 1_000_000) * 10


def seconds_moment(seconds: float) -> DateTime:
    """A DateTime of seconds since the epoch."""
    return DateTime(UNIX_TICKS + int(seconds * 1_000_000) * 10, "Utc")


# TimeSpan


def _total(unit: int) -> Callable[[Any], float]:
    return lambda span: span.ticks / unit


def _component(unit: int, modulo: int) -> Callable[[Any], int]:
    def run(span: TimeSpan) -> int:
        part = abs(span.ticks) // unit
        part = part % modulo if modulo else part
        return -part if span.ticks < 0 else part

    return run


def span_of(value: Any, unit: int) -> TimeSpan:
    """``TimeSpan.FromSeconds`` and its like."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ExpressionFailure(
            "TimeSpan does not accept floating point Not-a-Number values.", "ArgumentException"
        )
    return TimeSpan(round(value * unit))


def make_span(*parts: Any) -> TimeSpan:
    """``new TimeSpan(ticks)``, ``(h, m, s)``, ``(d, h, m, s)``, ``(d, h, m, s, ms)``."""
    if len(parts) == 1:
        return TimeSpan(int(parts[0]))
    days, hours, minutes, seconds, millis = (
        (0, *parts, 0) if len(parts) == 3 else (*parts, 0) if len(parts) == 4 else parts
    )
    return TimeSpan(
        days * DAY + hours * _HOUR + minutes * _MINUTE + seconds * TICKS + millis * _MILLISECOND
    )


def compare_moments(value: Any, other: Any) -> int:
    """``CompareTo``."""
    return int(value > other) - int(value < other)


def _form(form: Any) -> str | None:
    return None if isinstance(form, Culture) else form


def _text(value: Any, form: Any = None, culture: Any = None) -> str:
    form = _form(form)
    return value.clr_format(form) if form else as_text(value)


SPAN: Final = ClrType("TimeSpan", "System.TimeSpan", TimeSpan, base=OBJECT)
SPAN.constructed_by(make_span)
for _label, _unit, _modulo in (
    ("Days", DAY, 0), ("Hours", _HOUR, 24), ("Minutes", _MINUTE, 60), ("Seconds", TICKS, 60),
    ("Milliseconds", _MILLISECOND, 1000),
):  # fmt: skip
    SPAN.property(_label, _component(_unit, _modulo), "int")
    SPAN.property(f"Total{_label}", _total(_unit), "double")
    SPAN.static(f"From{_label}", lambda value, u=_unit: span_of(value, u), "TimeSpan")
SPAN.static("FromTicks", lambda value: TimeSpan(int(value)), "TimeSpan")
SPAN.property("Ticks", lambda span: Long(span.ticks), "long")
SPAN.constant("Zero", TimeSpan(0), "TimeSpan")
SPAN.constant("_default", TimeSpan(0), "TimeSpan")
SPAN.constant("MaxValue", TimeSpan(2**63 - 1), "TimeSpan")
SPAN.constant("MinValue", TimeSpan(-(2**63)), "TimeSpan")
for _label, _unit in (
    ("Second", TICKS),
    ("Minute", _MINUTE),
    ("Hour", _HOUR),
    ("Day", DAY),
    ("Millisecond", _MILLISECOND),
):
    SPAN.constant(f"TicksPer{_label}", Long(_unit), "long")
SPAN.static("Parse", lambda s, provider=None: parse_time_span(s), "TimeSpan")
SPAN.method("Add", lambda span, other: span + other, "TimeSpan")
SPAN.method("Subtract", lambda span, other: span - other, "TimeSpan")
SPAN.method("Negate", lambda span: -span, "TimeSpan")
SPAN.method("Duration", lambda span: TimeSpan(abs(span.ticks)), "TimeSpan")
SPAN.method("CompareTo", compare_moments, "int")
SPAN.method("ToString", _text, "string")


def _attempt(parse: Callable[..., Any], empty: Any) -> Callable[..., tuple[bool, Any]]:
    def run(*arguments: Any) -> tuple[bool, Any]:
        try:
            return True, parse(*arguments)
        except ExpressionFailure:
            return False, empty

    return run


SPAN.static("TryParse", _attempt(parse_time_span, TimeSpan(0)), "bool", outs=1)


# DateTime


def make_date(*parts: Any) -> DateTime:
    """``new DateTime(ticks)`` or of year to millisecond, with an optional kind."""
    kind = next((p.label for p in parts if isinstance(p, EnumValue)), "Unspecified")
    numbers = [int(p) for p in parts if not isinstance(p, EnumValue)]
    if len(numbers) == 1:
        return DateTime(numbers[0], kind)
    return DateTime(_ticks_of(numbers), kind)


def _ticks_of(numbers: list[int]) -> int:
    year, month, day, hour, minute, second, millis = [*numbers, 0, 0, 0, 0][:7]
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60 and 0 <= millis < 1000):
        raise ExpressionFailure(
            "Hour, Minute, and Second parameters describe an un-representable DateTime.",
            "ArgumentOutOfRangeException",
        )
    part = hour * _HOUR + minute * _MINUTE + second * TICKS + millis * _MILLISECOND
    return from_parts(year, month, day, part)


def with_ticks(value: Any, ticks: int) -> Any:
    """The same kind or offset at another time."""
    if isinstance(value, DateTimeOffset):
        return DateTimeOffset(ticks, value.offset)
    return DateTime(ticks, value.kind)


def add_units(value: Any, count: Any, unit: int) -> Any:
    """``AddSeconds`` and its like; fractions count."""
    if isinstance(count, float) and not math.isfinite(count):
        raise out_of_range("value", "Value to add was out of range.")
    return with_ticks(value, value.ticks + round(count * unit))


def add_months(value: Any, count: int) -> Any:
    """``AddMonths``: the last day of a shorter month."""
    moment = calendar(value.ticks)
    total = moment.year * 12 + moment.month - 1 + count
    year, month = divmod(total, 12)
    if not 1 <= year <= 9999:
        raise out_of_range(
            "months", "The added or subtracted value results in an un-representable DateTime."
        )
    day = min(moment.day, months.monthrange(year, month + 1)[1])
    return with_ticks(value, from_parts(year, month + 1, day, value.ticks % DAY))


def _calendar_part(name: str) -> Callable[[Any], int]:
    return lambda value: int(getattr(calendar(value.ticks), name))


def _weekday(value: Any) -> EnumValue:
    label = months.day_name[calendar(value.ticks).weekday()]
    found: EnumValue = WEEKDAY.values[label]
    return found


def _common(made: ClrType) -> None:
    name = made.name
    for label in ("Year", "Month", "Day", "Hour", "Minute", "Second"):
        made.property(label, _calendar_part(label.lower()), "int")
    made.property("Millisecond", lambda v: v.ticks // _MILLISECOND % 1000, "int")
    made.property("Ticks", lambda v: Long(v.ticks), "long")
    made.property("DayOfWeek", _weekday, "DayOfWeek")
    made.property("DayOfYear", lambda v: calendar(v.ticks).timetuple().tm_yday, "int")
    made.property("TimeOfDay", lambda v: TimeSpan(v.ticks % DAY), "TimeSpan")
    for label, unit in (
        ("Days", DAY), ("Hours", _HOUR), ("Minutes", _MINUTE), ("Seconds", TICKS),
        ("Milliseconds", _MILLISECOND), ("Ticks", 1),
    ):  # fmt: skip
        made.method(f"Add{label}", lambda v, value, u=unit: add_units(v, value, u), name)
    made.method("AddMonths", add_months, name)
    made.method("AddYears", lambda v, years: add_months(v, years * 12), name)
    made.method("Add", lambda v, span: v + span, name)
    made.method("Subtract", lambda v, other: v - other, "")
    made.method("CompareTo", compare_moments, "int")
    made.static("Compare", compare_moments, "int")
    made.method("ToString", _text, "string")


DATE: Final = ClrType("DateTime", "System.DateTime", DateTime, base=OBJECT)
OFFSET: Final = ClrType("DateTimeOffset", "System.DateTimeOffset", DateTimeOffset, base=OBJECT)
_common(DATE)
_common(OFFSET)


def in_style(found: DateTime, styles: Any) -> DateTime:
    """A parsed date, by DateTimeStyles."""
    bits = int(styles) if isinstance(styles, EnumValue) else 0
    if found.kind == "Unspecified" and bits & 64:
        return DateTime(found.ticks, "Utc" if bits & 16 else "Local")
    if found.kind == "Local" and bits & (16 | 128):
        return DateTime(found.ticks, "Utc")
    return found


def parse_date(s: Any, provider: Any = None, styles: Any = None) -> DateTime:
    """``DateTime.Parse``."""
    return in_style(parse_date_time(s), styles)


def parse_date_exact(s: Any, form: Any, provider: Any = None, style: Any = None) -> DateTime:
    """``DateTime.ParseExact``, of one format or several."""
    forms = [form] if isinstance(form, str) else list(form)
    for each in forms[:-1]:
        try:
            return in_style(parse_date_time(s, each), style)
        except ExpressionFailure:
            continue
    return in_style(parse_date_time(s, forms[-1]), style)


DATE.constructed_by(make_date)
DATE.property("Kind", lambda v: KIND.values[v.kind], "DateTimeKind")
DATE.property("Date", lambda v: DateTime(v.ticks - v.ticks % DAY, v.kind), "DateTime")
DATE.method("ToUniversalTime", lambda v: DateTime(v.ticks, "Utc"), "DateTime")
DATE.method("ToLocalTime", lambda v: DateTime(v.ticks, "Local"), "DateTime")
DATE.method("ToShortDateString", lambda v: v.clr_format("d"), "string")
DATE.method("ToLongDateString", lambda v: v.clr_format("D"), "string")
DATE.method("ToShortTimeString", lambda v: v.clr_format("t"), "string")
DATE.method("ToLongTimeString", lambda v: v.clr_format("T"), "string")
DATE.static_property("UtcNow", lambda run: DateTime(now_ticks(run), "Utc"), "DateTime")
DATE.static_property("Now", lambda run: DateTime(now_ticks(run), "Local"), "DateTime")
DATE.static_property(
    "Today", lambda run: DateTime(now_ticks(run) // DAY * DAY, "Local"), "DateTime"
)
DATE.constant("MinValue", DateTime(0), "DateTime")
DATE.constant("_default", DateTime(0), "DateTime")
DATE.constant("MaxValue", DateTime(MAX_TICKS), "DateTime")
DATE.constant("UnixEpoch", DateTime(UNIX_TICKS, "Utc"), "DateTime")
DATE.static("Parse", parse_date, "DateTime")
DATE.static("ParseExact", parse_date_exact, "DateTime")
DATE.static(
    "TryParse",
    lambda s, provider=None, styles=None: _attempt(parse_date, DateTime(0))(s, provider, styles),
    "bool",
    outs=1,
)
DATE.static(
    "TryParseExact",
    lambda s, form, provider=None, style=None: _attempt(parse_date_exact, DateTime(0))(
        s, form, provider, style
    ),
    "bool",
    outs=1,
)
DATE.static("SpecifyKind", lambda v, kind: DateTime(v.ticks, kind.label), "DateTime")
DATE.static("DaysInMonth", lambda year, month: months.monthrange(year, month)[1], "int")
DATE.method("IsDaylightSavingTime", lambda date: False, "bool")
DATE.static("IsLeapYear", lambda year: months.isleap(year), "bool")


# DateTimeOffset


def make_offset(first: Any, *rest: Any) -> DateTimeOffset:
    """Of a DateTime, of ticks or of parts, each with an offset."""
    offset = rest[-1].ticks if rest and isinstance(rest[-1], TimeSpan) else 0
    if isinstance(first, DateTime):
        return DateTimeOffset(first.ticks, offset)
    if len(rest) == 1:
        return DateTimeOffset(int(first), offset)
    return DateTimeOffset(_ticks_of([first, *rest[:-1]]), offset)


def to_offset(value: DateTimeOffset, offset: TimeSpan) -> DateTimeOffset:
    """The same moment at another offset."""
    return DateTimeOffset(value.utc_ticks + offset.ticks, offset.ticks)


def from_unix(value: int, unit: int) -> DateTimeOffset:
    """``FromUnixTimeSeconds`` and ``FromUnixTimeMilliseconds``."""
    ticks = UNIX_TICKS + int(value) * unit
    if not 0 <= ticks <= MAX_TICKS:
        raise out_of_range(
            "seconds", "Valid values are between -62135596800 and 253402300799, inclusive."
        )
    return DateTimeOffset(ticks)


OFFSET.constructed_by(make_offset)
OFFSET.property("Offset", lambda v: TimeSpan(v.offset), "TimeSpan")
OFFSET.property("UtcTicks", lambda v: Long(v.utc_ticks), "long")
OFFSET.property("DateTime", lambda v: DateTime(v.ticks), "DateTime")
OFFSET.property("Date", lambda v: DateTime(v.ticks - v.ticks % DAY), "DateTime")
OFFSET.property("UtcDateTime", lambda v: DateTime(v.utc_ticks, "Utc"), "DateTime")
OFFSET.property("LocalDateTime", lambda v: DateTime(v.utc_ticks, "Local"), "DateTime")
OFFSET.method("ToUnixTimeSeconds", lambda v: Long((v.utc_ticks - UNIX_TICKS) // TICKS), "long")
OFFSET.method(
    "ToUnixTimeMilliseconds", lambda v: Long((v.utc_ticks - UNIX_TICKS) // _MILLISECOND), "long"
)
OFFSET.method("ToUniversalTime", lambda v: DateTimeOffset(v.utc_ticks), "DateTimeOffset")
OFFSET.method("ToLocalTime", lambda v: DateTimeOffset(v.utc_ticks), "DateTimeOffset")
OFFSET.method("ToOffset", to_offset, "DateTimeOffset")
OFFSET.static_property("UtcNow", lambda run: DateTimeOffset(now_ticks(run)), "DateTimeOffset")
OFFSET.static_property("Now", lambda run: DateTimeOffset(now_ticks(run)), "DateTimeOffset")
OFFSET.constant("MinValue", DateTimeOffset(0), "DateTimeOffset")
OFFSET.constant("_default", DateTimeOffset(0), "DateTimeOffset")
OFFSET.constant("MaxValue", DateTimeOffset(MAX_TICKS), "DateTimeOffset")
OFFSET.constant("UnixEpoch", DateTimeOffset(UNIX_TICKS), "DateTimeOffset")
OFFSET.static("FromUnixTimeSeconds", lambda seconds: from_unix(seconds, TICKS), "DateTimeOffset")
OFFSET.static(
    "FromUnixTimeMilliseconds",
    lambda milliseconds: from_unix(milliseconds, _MILLISECOND),
    "DateTimeOffset",
)
OFFSET.static("Parse", lambda s, provider=None, styles=None: parse_offset(s), "DateTimeOffset")
OFFSET.static(
    "ParseExact",
    lambda s, form, provider=None, styles=None: parse_offset(s, form),
    "DateTimeOffset",
)
OFFSET.static(
    "TryParse",
    lambda s, provider=None, styles=None: _attempt(parse_offset, DateTimeOffset(0))(s),
    "bool",
    outs=1,
)
OFFSET.static(
    "TryParseExact",
    lambda s, form, provider=None, styles=None: _attempt(parse_offset, DateTimeOffset(0))(s, form),
    "bool",
    outs=1,
)


def offset_of(value: Any) -> DateTimeOffset:
    """The implicit conversion of a DateTime."""
    if isinstance(value, DateTime):
        return DateTimeOffset(value.ticks)
    raise invalid_cast(full_name_of(value), "System.DateTimeOffset")


OFFSET.cast = offset_of


# TimeZoneInfo


class Zone:
    """System.TimeZoneInfo, by Windows or IANA id."""

    __slots__ = ("id", "info")

    def __init__(self, name: str) -> None:
        self.id = name
        try:
            self.info = ZoneInfo(WINDOWS_ZONES.get(name, name))
        except (KeyError, ValueError, OSError):
            raise ExpressionFailure(
                f"The time zone ID '{name[:60]}' was not found on the local computer.",
                "TimeZoneNotFoundException",
            ) from None

    def clr_text(self) -> str:
        """The id."""
        return self.id

    def offset_at(self, utc_ticks: int) -> int:
        """The offset from UTC, in ticks, at a moment."""
        delta = calendar(utc_ticks).astimezone(self.info).utcoffset() or timedelta()
        return round(delta.total_seconds()) * TICKS

    def to_utc(self, ticks: int) -> int:
        """UTC of a local time."""
        local = calendar(ticks).replace(tzinfo=self.info)
        delta = local.utcoffset() or timedelta()
        return ticks - round(delta.total_seconds()) * TICKS


def convert_from_utc(value: Any, zone: Zone) -> Any:
    """``ConvertTimeFromUtc``."""
    return DateTime(value.ticks + zone.offset_at(value.ticks), "Unspecified")


def convert_to_utc(value: Any, zone: Zone | None = None) -> DateTime:
    """``ConvertTimeToUtc``; without a zone the local one, which is UTC."""
    return DateTime(value.ticks if zone is None else zone.to_utc(value.ticks), "Utc")


def convert_time(value: Any, first: Zone, second: Zone | None = None) -> Any:
    """``ConvertTime`` to a zone, or from one to another."""
    if isinstance(value, DateTimeOffset):
        offset = first.offset_at(value.utc_ticks)
        return DateTimeOffset(value.utc_ticks + offset, offset)
    if second is not None:
        return convert_from_utc(DateTime(first.to_utc(value.ticks)), second)
    return convert_from_utc(value, first)


def is_summer_time(zone: Zone, value: Any) -> bool:
    """``IsDaylightSavingTime``."""
    moment: datetime = calendar(value.ticks).replace(tzinfo=zone.info)
    return bool(moment.dst())


ZONE: Final = ClrType("TimeZoneInfo", "System.TimeZoneInfo", Zone, base=OBJECT)
ZONE.static("FindSystemTimeZoneById", Zone, "TimeZoneInfo")
ZONE.static("ConvertTimeFromUtc", convert_from_utc, "DateTime")
ZONE.static("ConvertTimeToUtc", convert_to_utc, "DateTime")
ZONE.static("ConvertTime", convert_time, "")
ZONE.static(
    "ConvertTimeBySystemTimeZoneId", lambda value, *ids: convert_time(value, *map(Zone, ids)), ""
)
ZONE.constant("Utc", Zone("UTC"), "TimeZoneInfo")
ZONE.constant("Local", Zone("UTC"), "TimeZoneInfo")
ZONE.property("Id", lambda zone: zone.id, "string")
ZONE.property("DisplayName", lambda zone: zone.id, "string")
ZONE.property("StandardName", lambda zone: zone.id, "string")
ZONE.method(
    "GetUtcOffset",
    lambda zone, v: TimeSpan(zone.offset_at(getattr(v, "utc_ticks", v.ticks))),
    "TimeSpan",
)
ZONE.method("IsDaylightSavingTime", is_summer_time, "bool")
