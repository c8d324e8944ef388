"""Cultures by .NET name: month and day names, date patterns, separators. Data: CLDR (babel).

en-US, the default of the functions, has the patterns of the .NET documentation ("Standard date and
time format strings"); other cultures have CLDR's, with the two-digit year of short dates widened
as .NET does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from babel import Locale, UnknownLocaleError, numbers

from hybridmandate.orchestration.expressions.dotnet.locale_data import locale_data
from hybridmandate.orchestration.expressions.errors import FunctionFault

_PATTERN_TOKEN = re.compile(r"'(?:[^']|'')*'|([A-Za-z])\1*|.", re.DOTALL)
_CLDR_TO_DOTNET = {
    "EEEE": "dddd",
    "EEE": "ddd",
    "E": "ddd",
    "LLLL": "MMMM",
    "LLL": "MMM",
    "y": "yyyy",
    "a": "tt",
    "b": "tt",
    "B": "tt",
    "u": "yyyy",
}
_NAME = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*")


@dataclass(frozen=True)
class Culture:
    """What formatting and parsing need of a culture. Day names start on Sunday, as in .NET."""

    name: str
    days: tuple[str, ...]
    short_days: tuple[str, ...]
    months: tuple[str, ...]
    short_months: tuple[str, ...]
    genitive_months: tuple[str, ...]
    genitive_short_months: tuple[str, ...]
    am: str
    pm: str
    short_date: str
    long_date: str
    short_time: str
    long_time: str
    month_day: str
    year_month: str
    decimal: str
    group: str
    minus: str
    currency: str
    currency_digits: int
    currency_positive: str
    currency_negative: str
    percent_positive: str
    percent: str
    per_mille: str
    group_sizes: tuple[int, int]

    @property
    def date_separator(self) -> str:
        """What ``/`` stands for."""
        return _separator(self.short_date, "dMy", "/")

    @property
    def time_separator(self) -> str:
        """What ``:`` stands for."""
        return _separator(self.long_time, "Hhms", ":")


def culture(name: str, argument: int | None = None) -> Culture:
    """The culture of a name such as ``de-DE`` (any case).

    :raises FunctionFault: when there is none.
    """
    found = _culture(name)
    if found is None:
        raise FunctionFault("The locale is not valid", argument=argument, value=name)
    return found


@lru_cache(maxsize=256)
def _culture(name: str) -> Culture | None:
    name = name.strip() or "en-US"
    if not _NAME.fullmatch(name):
        return None
    try:
        locale = Locale.parse(name.replace("-", "_"))
    except (UnknownLocaleError, ValueError, TypeError):
        return None
    american = str(locale) == "en_US"
    data = locale_data(str(locale))
    dates, times = data["date_formats"], data["time_formats"]
    months, days = data["months"], data["days"]
    wide = _names(months["format"]["wide"], 1, 12)
    short = _names(months["format"]["abbreviated"], 1, 12)
    return Culture(
        name=name,
        days=_days(days["format"]["wide"]),
        short_days=_days(days["format"]["abbreviated"]),
        months=_names(months["stand-alone"]["wide"], 1, 12),
        short_months=_names(months["stand-alone"]["abbreviated"], 1, 12),
        genitive_months=wide,
        genitive_short_months=short,
        am=_day_period(data, "am"),
        pm=_day_period(data, "pm"),
        short_date=_dotnet(dates["short"].pattern, full_year=True),
        long_date=_dotnet(dates["full"].pattern),
        short_time=_dotnet(times["short"].pattern),
        long_time=_dotnet(times["medium"].pattern),
        month_day="MMMM d" if american else _skeleton(data, "MMMMd", "MMMM d"),
        year_month="MMMM yyyy" if american else _skeleton(data, "yMMMM", "MMMM yyyy"),
        **_numbers(locale, american),
    )


def _numbers(locale: Locale, american: bool) -> dict[str, Any]:
    currency_code = _currency_of(locale)
    pattern = locale.currency_formats["standard"]
    symbol = numbers.get_currency_symbol(currency_code, locale)
    positive, negative = (
        _plain_spaces(f"{pattern.prefix[at]}n{pattern.suffix[at]}") for at in (0, 1)
    )
    percent = locale.percent_formats[None]
    grouping = locale.decimal_formats[None].grouping
    return {
        "decimal": numbers.get_decimal_symbol(locale),
        "group": numbers.get_group_symbol(locale),
        "minus": "-",
        "currency": symbol,
        "currency_digits": numbers.get_currency_precision(currency_code),
        "currency_positive": positive,
        "currency_negative": "(¤n)" if american else negative,
        "percent_positive": "n %" if american else f"n{_plain_spaces(percent.suffix[0])}",
        "percent": "%",
        "per_mille": "‰",
        "group_sizes": (int(grouping[0]), int(grouping[1])) if grouping[0] < 100 else (3, 3),
    }


def _plain_spaces(pattern: str) -> str:
    """.NET's patterns of currencies and percentages have plain spaces where CLDR's have others."""
    return pattern.replace("\xa0", " ").replace("\u202f", " ")


def _currency_of(locale: Locale) -> str:
    """The currency of the culture's territory now; the neutral sign where it names none."""
    current = numbers.get_territory_currencies(locale.territory) if locale.territory else []
    return str(current[-1]) if current else "XXX"


def _days(names: Any) -> tuple[str, ...]:
    """CLDR counts days from Monday."""
    return (names[6], *(names[index] for index in range(6)))


def _names(names: Any, first: int, last: int) -> tuple[str, ...]:
    return tuple(str(names[index]) for index in range(first, last + 1))


def _day_period(data: Any, key: str) -> str:
    return str(data["day_periods"]["format"]["abbreviated"].get(key, key.upper())).replace(
        "\u202f", " "
    )


def _skeleton(data: Any, name: str, otherwise: str) -> str:
    found = data["datetime_skeletons"].get(name)
    return _dotnet(found.pattern) if found is not None else otherwise


def _dotnet(pattern: str, *, full_year: bool = False) -> str:
    """A CLDR date pattern in .NET's letters."""
    made = []
    for token in _PATTERN_TOKEN.finditer(pattern.replace("\u202f", " ")):
        text = token.group()
        if full_year and text == "yy":
            text = "yyyy"
        made.append(_CLDR_TO_DOTNET.get(text, text))
    return "".join(made)


def _separator(pattern: str, letters: str, otherwise: str) -> str:
    found = re.search(rf"[{letters}]+([^A-Za-z'\s]+)\s*[{letters}]", pattern)
    return found.group(1) if found else otherwise
