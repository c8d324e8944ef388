"""One column of a profile: its type, where it may come from, what it must satisfy."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from hybridmandate.execution.services.spreadsheets.identifiers import is_standard
from hybridmandate.execution.services.spreadsheets.profile_formats import (
    DateFormat,
    NumberFormat,
)

_NUMBERS = ("integer", "decimal", "money")
_SETTINGS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("min_length", "max_length"), ("text",)),
    **dict.fromkeys(("minimum", "maximum"), (*_NUMBERS, "date")),
    **dict.fromkeys(("values", "synonyms"), ("enum",)),
    **dict.fromkeys(("true_words", "false_words"), ("boolean",)),
    "formats": ("date", "datetime"),
    "time_zone": ("datetime",),
    "number_format": _NUMBERS,
    "scale": ("decimal", "money"),
    "currencies": ("money",),
}
"""The types of column that a setting is about; all others belong to every type."""
_DAY = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])-[0-9]{2}")
_WHOLE = re.compile(r"[+-]?[0-9]{1,15}")
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,10})?")


class Declared(BaseModel):
    """A part of a profile: unknown settings are refused, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Reference(Declared):
    """A declared view of the data gateway and its column that must hold the value."""

    view: str
    column: str
    parameters: dict[str, str] = Field(default_factory=dict)


class Column(Declared):
    """One column of the result: type, where it may come from, what it must satisfy."""

    type: Literal[
        "text",
        "integer",
        "decimal",
        "money",
        "date",
        "datetime",
        "boolean",
        "enum",
        "email",
        "iban",
        "vat",
        "bic",
        "lei",
        "isin",
        "identifier",
    ]
    required: bool = False
    aliases: tuple[str, ...] = ()
    pattern: str | None = None
    min_length: int | None = Field(default=None, ge=0)
    max_length: int | None = Field(default=None, ge=1)
    formats: tuple[str, ...] = ("YYYY-MM-DD",)
    number_format: str = "1,234.56"
    scale: int = Field(default=2, ge=0, le=10)
    minimum: str | None = None
    maximum: str | None = None
    values: tuple[str, ...] = ()
    synonyms: dict[str, str] = Field(default_factory=dict)
    true_words: tuple[str, ...] = ("true", "yes", "1", "x")
    false_words: tuple[str, ...] = ("false", "no", "0")
    time_zone: str = "UTC"
    standard: str | None = None
    """Of an identifier: a module of python-stdnum, such as ``ch.uid``, ``isbn`` or ``iso11649``."""
    currencies: tuple[str, ...] = ()
    reference: Reference | None = None

    @field_validator("pattern")
    @classmethod
    def _pattern(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
            pl.Series([""]).str.contains(f"^(?:{value})$")
        except (re.error, pl.exceptions.ComputeError) as error:
            reason = str(error).rpartition("error: ")[2].partition("\n")[0]
            raise ValueError(f"pattern '{value}' is not a regular expression: {reason}") from None
        return value

    @model_validator(mode="after")
    def _settings_belong_to_the_type(self) -> Self:
        for setting in self.model_fields_set & _SETTINGS.keys():
            usual = type(self).model_fields[setting].get_default(call_default_factory=True)
            if self.type not in _SETTINGS[setting] and getattr(self, setting) != usual:
                raise ValueError(f"'{setting}' says nothing about a {self.type}")
        return self

    @model_validator(mode="after")
    def _formats_can_be_read(self) -> Self:
        if not self.formats:
            raise ValueError("formats must have at least one: YYYY-MM-DD")
        offsets = [DateFormat.parse(each).has_offset for each in self.formats]
        if any(offsets) and self.type != "datetime":
            raise ValueError(f"a {self.type} has no UTC offset (ZZ)")
        NumberFormat.parse(self.number_format)
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"there is no time zone '{self.time_zone}'") from None
        return self

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if self.type == "money" and not self.currencies:
            raise ValueError("money needs its currencies, as they are written: EUR, €")
        if self.type == "enum" and not self.values:
            raise ValueError("an enum needs its values")
        unknown = [v for v in self.synonyms.values() if v not in self.values]
        if self.type == "enum" and unknown:
            raise ValueError(f"synonyms lead to {unknown}, which are not among the values")
        words = (*self.values, *self.synonyms) if self.type == "enum" else ()
        if self.type == "boolean":
            words = (*self.true_words, *self.false_words)
        twice = [word for word, n in Counter(each.casefold() for each in words).items() if n > 1]
        if twice:
            raise ValueError(f"words that stand twice, apart from case: {', '.join(twice)}")
        if (self.type == "identifier") != (self.standard is not None):
            raise ValueError("an identifier, and nothing else, needs its standard: ch.uid, isbn")
        if self.standard is not None and not is_standard(self.standard):
            raise ValueError(f"python-stdnum has no standard '{self.standard}'")
        return self

    @model_validator(mode="after")
    def _bounds_are_values(self) -> Self:
        least, most = (None if b is None else self._bound(b) for b in (self.minimum, self.maximum))
        if least is not None and most is not None and least > most:  # type: ignore[operator]
            raise ValueError(f"minimum {least} is above maximum {most}: nothing could fit")
        low, high = self.min_length, self.max_length
        if low is not None and high is not None and low > high:
            raise ValueError(f"min_length {low} is above max_length {high}: nothing could fit")
        return self

    def _bound(self, text: str) -> date | int | Decimal:
        if self.type == "date":
            if _DAY.fullmatch(text) is None:
                raise ValueError(f"'{text}' is not a date YYYY-MM-DD")
            return date.fromisoformat(text)
        if self.type == "integer":
            if _WHOLE.fullmatch(text) is None:
                raise ValueError(f"'{text}' is not a whole number")
            return int(text)
        if _NUMBER.fullmatch(text) is None:
            raise ValueError(f"'{text}' is not a number")
        return Decimal(text)

    @cached_property
    def date_formats(self) -> list[DateFormat]:
        """The declared date formats."""
        return [DateFormat.parse(each) for each in self.formats]

    @cached_property
    def number(self) -> NumberFormat:
        """The declared number format."""
        return NumberFormat.parse(self.number_format)
