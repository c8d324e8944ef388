"""Text as dates: ISO 8601 at once, other forms as ``DateTime.Parse`` reads them in a culture."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

from hybridmandate.orchestration.expressions.dotnet.cultures import Culture, culture
from hybridmandate.orchestration.expressions.dotnet.instants import (
    TICKS_PER_DAY,
    TICKS_PER_HOUR,
    TICKS_PER_MINUTE,
    TICKS_PER_SECOND,
    Instant,
)
from hybridmandate.orchestration.expressions.errors import FunctionFault

_ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?"
    r"\s*(Z|z|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII,
)
_TIME = re.compile(
    r"(?<![\d:.])(\d{1,2})(?::(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?(?:\s*(am|pm|a|p))?(?![\d:])",
    re.ASCII | re.IGNORECASE,
)
_OFFSET = re.compile(r"(?:\s*(Z|GMT|UTC)|\s*([+-])(\d{2}):?(\d{2})?)$", re.ASCII | re.IGNORECASE)
_WORD = re.compile(r"\d+|[^\W\d_]+\.?")
_LONGEST = 100


def parse_date(text: str, argument: int = 1, locale: str = "en-US") -> Instant:
    """The instant that a text names.

    :raises FunctionFault: when the text is no date and time in the culture.
    """
    text = text.strip()
    if not text or len(text) > _LONGEST:
        raise _no_date(text, argument)
    return _read(text, argument, locale)


@lru_cache(maxsize=4_096)
def _read(text: str, argument: int, locale: str) -> Instant:
    found = _ISO.fullmatch(text)
    if found is not None:
        return _iso(found, text, argument)
    return _Loose(text, culture(locale, argument + 1), argument).read()


def _iso(found: re.Match[str], text: str, argument: int) -> Instant:
    year, month, day, hour, minute, second, fraction, zone = found.groups("")
    try:
        time = clock_ticks(int(hour or 0), int(minute or 0), int(second or 0), fraction)
        instant = Instant.at(int(year), int(month), int(day), ticks=time, utc=zone != "")
        offset = 0 if zone in "Zz" else _offset_ticks(zone)
        return instant.plus(-offset) if offset else instant
    except FunctionFault as wrong:
        raise _no_date(text, argument) from wrong


def clock_ticks(hour: int, minute: int, second: int, fraction: str | None) -> int:
    """Ticks of a time of day; digits beyond a tick are rounded.

    :raises FunctionFault: when there is no such time.
    """
    if hour > 23 or minute > 59 or second > 59:
        raise FunctionFault(f"There is no time {hour:02d}:{minute:02d}:{second:02d}")
    ticks = round(int(fraction[:9].ljust(9, "0")) / 100) if fraction else 0
    return hour * TICKS_PER_HOUR + minute * TICKS_PER_MINUTE + second * TICKS_PER_SECOND + ticks


def _offset_ticks(zone: str) -> int:
    if zone in "Zz":
        return 0
    digits = zone[1:].replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:] or 0)
    if hours > 14 or minutes > 59:
        raise FunctionFault("The offset is over 14 hours")
    ticks = hours * TICKS_PER_HOUR + minutes * TICKS_PER_MINUTE
    return -ticks if zone[0] == "-" else ticks


@dataclass
class _Loose:
    """A date with names or in the culture's order, and a time, in either order."""

    text: str
    words: Culture
    argument: int
    _offset: int | None = field(default=None, init=False)

    def read(self) -> Instant:
        rest = self._take_offset(self.text)
        time, rest = self._take_time(rest)
        year, month, day = self._date(rest)
        try:
            instant = Instant.at(year, month, day, ticks=time, utc=self._offset is not None)
            return instant.plus(-(self._offset or 0))
        except FunctionFault as wrong:
            raise self._no_date() from wrong

    def _take_offset(self, text: str) -> str:
        found = _OFFSET.search(text)
        if found is None or ":" not in text[: found.start()]:
            return text
        if found.group(1):
            self._offset = 0
        else:
            ticks = int(found.group(3)) * TICKS_PER_HOUR
            ticks += int(found.group(4) or 0) * TICKS_PER_MINUTE
            self._offset = -ticks if found.group(2) == "-" else ticks
        return text[: found.start()]

    def _take_time(self, text: str) -> tuple[int, str]:
        text = self._plain_day_periods(text)
        for found in _TIME.finditer(text):
            hour, minute, second, fraction, half = found.groups()
            if minute is None and half is None:
                continue
            at = int(hour)
            if half is not None:
                if not 1 <= at <= 12:
                    raise self._no_date()
                at = at % 12 + (12 if half[0].lower() == "p" else 0)
            try:
                ticks = clock_ticks(at, int(minute or 0), int(second or 0), fraction)
            except FunctionFault as wrong:
                raise self._no_date() from wrong
            return ticks, f"{text[: found.start()]} {text[found.end() :]}"
        return 0, text

    def _plain_day_periods(self, text: str) -> str:
        for name, plain in ((self.words.am, "am"), (self.words.pm, "pm")):
            text = re.sub(
                rf"(?<=\d)(\s*){re.escape(name)}(?!\w)", rf"\g<1>{plain}", text, flags=re.IGNORECASE
            )
        return text

    def _date(self, text: str) -> tuple[int, int, int]:
        numbers: list[str] = []
        month: int | None = None
        for found in _WORD.finditer(text):
            word = found.group()
            if word.isdecimal():
                numbers.append(word)
                continue
            named = self._month(word)
            if named is not None and month is None:
                month = named
            elif not self._filler(word):
                raise self._no_date()
        if re.sub(r"[\w\s./,\-]", "", text):
            raise self._no_date()
        return self._ordered(numbers) if month is None else self._with_month(month, numbers)

    def _with_month(self, month: int, numbers: list[str]) -> tuple[int, int, int]:
        if len(numbers) == 1 and len(numbers[0]) == 4:
            return int(numbers[0]), month, 1
        if len(numbers) != 2:
            raise self._no_date()
        first, second = numbers
        if len(first) >= 3:
            first, second = second, first
        return _year(second), month, int(first)

    def _ordered(self, numbers: list[str]) -> tuple[int, int, int]:
        if any(len(each) > 4 for each in numbers):
            raise self._no_date()
        if len(numbers) == 2 and max(map(len, numbers)) == 4:
            month, year = sorted(numbers, key=len)
            return int(year), int(month), 1
        if len(numbers) != 3:
            raise self._no_date()
        if len(numbers[0]) >= 3:
            return _year(numbers[0]), int(numbers[1]), int(numbers[2])
        order = sorted("dMy", key=lambda letter: self.words.short_date.find(letter))
        fields = dict(zip(order, numbers, strict=True))
        if len(numbers[2]) >= 3 and order[2] != "y":
            fields = dict(
                zip([*(each for each in order if each != "y"), "y"], numbers, strict=True)
            )
        return _year(fields["y"]), int(fields["M"]), int(fields["d"])

    def _month(self, word: str) -> int | None:
        plain = word.rstrip(".").lower()
        for names in (
            self.words.months,
            self.words.genitive_months,
            self.words.short_months,
            self.words.genitive_short_months,
        ):
            for index, name in enumerate(names):
                if name.rstrip(".").lower() == plain:
                    return index + 1
        return None

    def _filler(self, word: str) -> bool:
        plain = word.rstrip(".").lower()
        if plain == "t":
            return True
        if any(plain == name.rstrip(".").lower() for name in self.words.days):
            return True
        if any(plain == name.rstrip(".").lower() for name in self.words.short_days):
            return True
        return f"'{plain}'" in self.words.long_date.lower()

    def _no_date(self) -> FunctionFault:
        return _no_date(self.text, self.argument)


def _year(text: str) -> int:
    """Two digits are a year from 1950 to 2049 (``Calendar.TwoDigitYearMax`` of .NET)."""
    year = int(text)
    if len(text) > 2:
        return year
    return year + (2000 if year < 50 else 1900)


def _no_date(text: str, argument: int) -> FunctionFault:
    return FunctionFault(
        "The value must be a datetime string that matches ISO 8601 format or a known date form",
        argument=argument,
        expected="a date and time",
        value=text,
    )


def day_of_year(instant: Instant) -> int:
    """From 1."""
    start = Instant.at(instant.moment.year, 1, 1)
    return (instant.ticks - start.ticks) // TICKS_PER_DAY + 1
