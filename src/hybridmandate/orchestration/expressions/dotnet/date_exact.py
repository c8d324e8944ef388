"""Text as dates by a given format, as ``DateTime.ParseExact`` reads it."""

from __future__ import annotations

import re

from hybridmandate.orchestration.expressions.dotnet.cultures import Culture, culture
from hybridmandate.orchestration.expressions.dotnet.date_format import TOKEN, standard_pattern
from hybridmandate.orchestration.expressions.dotnet.date_parse import clock_ticks
from hybridmandate.orchestration.expressions.dotnet.instants import (
    TICKS_PER_HOUR,
    TICKS_PER_MINUTE,
    Instant,
)
from hybridmandate.orchestration.expressions.errors import FunctionFault

_ZONE = re.compile(r"Z|[+-]\d{1,2}(?::?\d{2})?", re.ASCII)


def parse_exact(text: str, pattern: str, locale: str) -> Instant:
    """The instant of a text that has exactly the form of the pattern.

    :raises FunctionFault: when it has not, or pattern or locale are not known.
    """
    words = culture(locale, 2)
    if len(pattern) == 1:
        known = standard_pattern(pattern, words)
        if known is None:
            raise FunctionFault("The format is not valid", argument=3, value=pattern)
        pattern = known
    try:
        return _Exact(text.strip(), words).read(pattern)
    except FunctionFault as wrong:
        raise FunctionFault(
            f"The string was not recognized in the format '{pattern}'",
            argument=1,
            expected=f"a date in the format '{pattern}'",
            value=text,
        ) from wrong


class _Exact:
    def __init__(self, text: str, words: Culture) -> None:
        self._text = text
        self._words = words
        self._at = 0
        self._found: dict[str, int] = {}
        self._fraction: str | None = None
        self._offset: int | None = None

    def read(self, pattern: str) -> Instant:
        for token in TOKEN.finditer(pattern):
            run = token["run"] or (token["only"] if token["only"] not in (None, ":", "/") else None)
            if run:
                self._field(run)
            elif token["sign"]:
                words = self._words
                separator = words.time_separator if token["sign"] == ":" else words.date_separator
                self._literal(separator)
            else:
                self._literal(next(part for part in token.groups() if part is not None))
        if self._at != len(self._text):
            raise FunctionFault("there is more text than the format has")
        return self._instant()

    def _instant(self) -> Instant:
        found = self._found
        hour = found.get("H", found.get("h", 0))
        if "t" in found:
            if hour > 12:
                raise FunctionFault("the hour is over 12")
            hour = hour % 12 + 12 * found["t"]
        ticks = clock_ticks(hour, found.get("m", 0), found.get("s", 0), self._fraction)
        instant = Instant.at(
            found.get("y", 1),
            found.get("M", 1),
            found.get("d", 1),
            ticks=ticks,
            utc=self._offset is not None,
        )
        return instant.plus(-(self._offset or 0))

    def _field(self, run: str) -> None:
        letter, size = run[0], len(run)
        if letter == "M" and size >= 3:
            words = self._words
            lists = (
                (words.genitive_short_months, words.short_months)
                if size == 3
                else (words.genitive_months, words.months)
            )
            self._found["M"] = self._name(*lists) + 1
        elif letter == "d" and size >= 3:
            self._name(self._words.short_days if size == 3 else self._words.days)
        elif letter == "t":
            words = self._words
            names = (words.am, words.pm)
            self._found["t"] = self._name(tuple(n[:1] for n in names) if size == 1 else names)
        elif letter in "fF":
            self._fraction = self._digits(size if letter == "f" else 0, size)
        elif letter in "Kz":
            self._zone()
        elif letter == "y":
            digits = self._digits(2 if size <= 2 else size, max(size, 2))
            year = int(digits)
            self._found["y"] = year + (2000 if year < 50 else 1900) if size <= 2 else year
        elif letter == "g":
            self._name(("A.D.", "AD"))
        else:
            self._found[letter] = int(self._digits(min(size, 2), 2))

    def _digits(self, least: int, most: int) -> str:
        found = re.compile(rf"\d{{{least},{most}}}", re.ASCII).match(self._text, self._at)
        if found is None:
            raise FunctionFault("digits are missing")
        self._at = found.end()
        return found.group()

    def _name(self, *lists: tuple[str, ...]) -> int:
        rest = self._text[self._at :].lower()
        fitting = [
            (len(name), index)
            for names in lists
            for index, name in enumerate(names)
            if name and rest.startswith(name.lower())
        ]
        if not fitting:
            raise FunctionFault("a name is missing")
        length, index = max(fitting)
        self._at += length
        return index

    def _zone(self) -> None:
        found = _ZONE.match(self._text, self._at)
        if found is None:
            return
        self._at = found.end()
        zone = found.group()
        if zone == "Z":
            self._offset = 0
            return
        digits = zone[1:].replace(":", "").rjust(2, "0")
        hours, minutes = int(digits[:2]), int(digits[2:] or 0)
        ticks = hours * TICKS_PER_HOUR + minutes * TICKS_PER_MINUTE
        self._offset = -ticks if zone[0] == "-" else ticks

    def _literal(self, text: str) -> None:
        if not self._text.startswith(text, self._at):
            raise FunctionFault(f"'{text}' is missing")
        self._at += len(text)
