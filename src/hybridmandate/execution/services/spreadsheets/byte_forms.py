"""Frequent ways of writing, tested and read on the bytes of whole columns.

Each test is exact for what it accepts; what it does not accept is judged by the expressions of
`column_checks`, so a form that is missing here costs time, never a verdict.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np

from hybridmandate.execution.services.spreadsheets.cell_bytes import (
    WORD,
    TextBytes,
    Words,
)
from hybridmandate.execution.services.spreadsheets.record_scan import Mask

_U = np.uint64
_HIGH = _U(0x8080808080808080)
_ZEROS = _U(0x3030303030303030)
_ABOVE_NINE = _U(0x7676767676767676)
"""Added to bytes above nine, each gets a high bit."""
_DIGIT = (ord("0"), ord("9"))
_FIRST_YEAR, _YEARS = 1900, 200
_PIECE = re.compile(
    r"(?P<one>\\d|\[(?P<low>[0-9A-Za-z])-(?P<high>[0-9A-Za-z])\]|\\[-./]|[\w/: -])"
    r"(?:\{(?P<times>[0-9]{1,2})\})?"
)


@dataclass(frozen=True, slots=True)
class FixedForm:
    """Texts of one length whose every byte lies in a range: ``V-\\d{5}``."""

    ranges: tuple[tuple[int, int], ...]

    @classmethod
    def of_pattern(cls, pattern: str) -> FixedForm | None:
        """The form of a pattern made of literals, digits and ranges; None for any other.

        A space at an edge is no form either: cells are judged without it.
        """
        ranges: list[tuple[int, int]] = []
        rest = pattern
        while rest:
            piece = _PIECE.match(rest)
            if piece is None or not piece["one"].isascii():
                return None
            ranges += [_range(piece)] * int(piece["times"] or 1)
            rest = rest[piece.end() :]
        if not 0 < len(ranges) <= 2 * WORD or ord(" ") in (ranges[0][0], ranges[-1][0]):
            return None
        return cls(tuple(ranges))

    def matches(self, cells: TextBytes) -> Mask:
        """The cells that are written so."""
        size = len(self.ranges)
        found = _within(cells.first_bytes(size), self.ranges[:WORD])
        if size > WORD:
            found &= _within(cells.word_at(size - WORD), self.ranges[-WORD:])
        if cells.shortest != size or cells.longest != size:
            found &= cells.lengths == size
        return np.asarray(found, dtype=np.bool_)


def _range(piece: re.Match[str]) -> tuple[int, int]:
    if piece["one"] == r"\d":
        return _DIGIT
    if piece["low"] is not None:
        return ord(piece["low"]), ord(piece["high"])
    return ord(piece["one"][-1]), ord(piece["one"][-1])


def _within(words: Words, ranges: tuple[tuple[int, int], ...]) -> Mask:
    """Words whose every byte lies in its range; bytes behind the last range must be zero."""
    if all(low == high or (low, high) == _DIGIT for low, high in ranges):
        return np.asarray(_Digits.of(words, ranges).wrong & _HIGH == 0, dtype=np.bool_)
    # With its high bit set no byte borrows from its neighbour: all eight are compared at once.
    low = _U(sum(a << (8 * n) for n, (a, _) in enumerate(ranges)))
    high = _U(sum(b << (8 * n) for n, (_, b) in enumerate(ranges)))
    above = (words | _HIGH) - low
    below = (high | _HIGH) - words
    return np.asarray((above & below & _HIGH == _HIGH) & (words & _HIGH == 0), dtype=np.bool_)


@lru_cache(maxsize=1)
def _days() -> Any:
    """Days since 1970 by (year, month, day), and the least number where there is no such day."""
    table = np.full((_YEARS, 16, 32), np.iinfo(np.int32).min, dtype=np.int32)
    first = date(_FIRST_YEAR, 1, 1)
    for ordinal in range(first.toordinal(), date(_FIRST_YEAR + _YEARS, 1, 1).toordinal()):
        day = date.fromordinal(ordinal)
        table[day.year - _FIRST_YEAR, day.month, day.day] = ordinal - date(1970, 1, 1).toordinal()
    return table.reshape(-1)


@dataclass(frozen=True, slots=True)
class DateForm:
    """Dates as one declared format writes them, from 1900 to 2099."""

    form: FixedForm
    year: int
    month: int
    day: int

    @classmethod
    def of_format(cls, text: str) -> DateForm | None:
        """``DD.MM.YYYY`` and the like; None for a format with a time or another alphabet."""
        if not WORD <= len(text) <= 2 * WORD or not text.isascii() or re.search("[hms]", text):
            return None
        ranges = tuple(_DIGIT if c in "YMD" else (ord(c), ord(c)) for c in text)
        return cls(FixedForm(ranges), text.index("YYYY"), text.index("MM"), text.index("DD"))

    def is_told_from(self, other: DateForm) -> bool:
        """Whether no text is a date of both forms, whatever its year.

        Dates beyond the years that are read here are dates all the same, of the first form.
        """
        mine, others = self.form.ranges, other.form.ranges
        apart = any(a > d or c > b for (a, b), (c, d) in zip(mine, others, strict=False))
        return apart or len(mine) != len(others) or self.year == other.year

    def read(self, cells: TextBytes) -> tuple[Mask, Any]:
        """The cells that are dates written so, and their days since 1970."""
        size = len(self.form.ranges)
        front = back = _Digits.of(cells.first_bytes(size), self.form.ranges[:WORD])
        wrong = front.wrong
        if size > WORD:
            back = _Digits.of(cells.word_at(size - WORD), self.form.ranges[-WORD:])
            wrong = wrong | back.wrong

        def pair(place: int) -> Words:
            if place >= size - WORD:
                return back.pair(place - (size - WORD))
            return front.pair(place)

        # A year before the first one becomes a very large number: there is no sign.
        year = pair(self.year) * _U(100) + (pair(self.year + 2) - _U(_FIRST_YEAR))
        month, day = pair(self.month), pair(self.day)
        good = (wrong & _HIGH == 0) & (year < _U(_YEARS)) & (month <= _U(12)) & (day <= _U(31))
        if cells.shortest != size or cells.longest != size:
            good &= cells.lengths == size
        number = (year << _U(9)) + (month << _U(5)) + day
        days = _days().take(number.view(np.int64), mode="clip")
        good &= days != np.iinfo(np.int32).min
        return np.asarray(good, dtype=np.bool_), days


@dataclass(frozen=True, slots=True)
class _Digits:
    """Words of digits and fixed bytes. A high bit in ``wrong`` marks a byte that is another."""

    wrong: Words
    digits: Words

    @classmethod
    def of(cls, words: Words, ranges: tuple[tuple[int, int], ...]) -> _Digits:
        """Where each range is that of the digits or a single byte, from the lowest byte on."""
        zero = _U(sum(low << (8 * n) for n, (low, _) in enumerate(ranges)))
        # Added to the distance from the lowest byte, a high bit appears beyond the highest.
        room = _U(sum((127 - (high - low)) << (8 * n) for n, (low, high) in enumerate(ranges)))
        digits = words ^ zero
        return cls((digits + room) | digits, digits)

    def pair(self, place: int) -> Words:
        """The number that the digits at a place and behind it make."""
        pair = self.digits >> _U(8 * place) if place else self.digits
        return (pair & _U(15)) * _U(10) + ((pair >> _U(8)) & _U(15))


@dataclass(frozen=True, slots=True)
class NumberForm:
    """Numbers without sign and grouping: digits, and up to ``scale`` of them behind the point."""

    point: str
    scale: int
    max_digits: int

    def read(self, cells: TextBytes) -> tuple[Mask, Any]:
        """The cells that are numbers written so, and their values times ten to the scale."""
        lengths = cells.lengths
        high, low = cells.last_words()
        factor: Any = np.int64(10**self.scale)
        pointed = np.zeros(len(lengths), dtype=bool)
        for digits in range(min(self.scale, WORD - 2), 0, -1):
            here = ((low >> _U(8 * (WORD - 1 - digits))) & _U(255)) == ord(self.point)
            here &= ~pointed & (lengths > digits + 1)
            if not here.any():
                continue
            pointed |= here
            behind = _U(((1 << (8 * digits)) - 1) << (8 * (WORD - digits)))
            before = _U((1 << (8 * (WORD - 1 - digits))) - 1)
            joined = (low & behind) | ((low & before) << _U(8)) | (high >> _U(56))
            if here.all():
                low, high, factor = joined, high << _U(8), np.int64(10 ** (self.scale - digits))
                break
            low, high = np.where(here, joined, low), np.where(here, high << _U(8), high)
            factor = np.where(here, np.int64(10 ** (self.scale - digits)), factor)
        size = lengths - pointed
        good, value = _read_digits(low, size)
        # Scaled, the value must stay within the digits that a decimal of a profile may have.
        good &= cells.filled & (lengths <= self.max_digits - self.scale)
        if cells.longest > WORD:
            also, upper = _read_digits(high, size - WORD)
            good &= also
            value = value + upper * 10**WORD
        return np.asarray(good, dtype=np.bool_), value * factor


def _read_digits(words: Words, size: Any) -> tuple[Mask, Any]:
    """Which right-aligned words are digits in their last ``size`` bytes; the number they make.

    Bytes before the digits are zero. Pairs, then fours, then all: three multiplications for eight
    digits (SWAR). A shift by 64 bits or more leaves nothing.
    """
    x = words ^ (_ZEROS << (_U(8 * WORD) - (size.astype(np.uint64) << _U(3))))
    good = ((x + _ABOVE_NINE) | x) & _HIGH == 0
    x = (x * _U(10)) + (x >> _U(8))
    pairs = _U(0x000000FF000000FF)
    first = (x & pairs) * _U(0x000F424000000064)
    second = ((x >> _U(16)) & pairs) * _U(0x0000271000000001)
    return good, ((first + second) >> _U(32)).astype(np.int64)
