"""How dates and numbers are written, as a profile declares it."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Literal

import polars as pl
from pydantic import BaseModel, ConfigDict

_DATE_PARTS = {
    "YYYY": (r"[0-9]{4}", "%Y"),
    "YY": (r"[0-9]{2}", "%y"),
    "MM": (r"[0-9]{2}", "%m"),
    "DD": (r"[0-9]{2}", "%d"),
    "hh": (r"[0-9]{2}", "%H"),
    "mm": (r"[0-9]{2}", "%M"),
    "ss": (r"[0-9]{2}", "%S"),
    "ZZ": (r"(?:Z|[+-][0-9]{2}:[0-9]{2})", "%z"),
}
_NUMBER_EXAMPLE = re.compile(
    r"(?P<opened>\(?)1(?P<group>[,. '’\u00a0\u202f]?)234(?P<point>[.,])56(?P<behind>[-)]?)"
)
_ALIKE = {**dict.fromkeys(" \u00a0\u202f", " \u00a0\u202f"), **dict.fromkeys("'’", "'’")}


Negative = Literal["", "-", "()"]
_NEGATIVES: dict[str, Negative] = {"": "", "-": "-", "()": "()"}


class DateFormat(BaseModel):
    """A declared date format such as ``DD.MM.YYYY``: strict, two-digit days and months.

    A year that is declared as ``YY`` lies between 1970 and 2069.
    """

    model_config = ConfigDict(frozen=True)
    text: str
    pattern: str
    strptime: str

    @classmethod
    def parse(cls, text: str) -> DateFormat:
        """:raises ValueError: when the text is not made of the known parts and separators."""
        pattern, strptime, rest = "", "", text
        while rest:
            part = next((p for p in _DATE_PARTS if rest.startswith(p)), None)
            if part is None and rest[0].isalnum() and not rest.startswith("Thh"):
                raise ValueError(
                    f"'{text}': write YYYY (or YY), MM, DD (hh, mm, ss, ZZ) and separators"
                )
            taken = part or rest[0]
            expression, code = _DATE_PARTS.get(taken, (re.escape(taken), taken))
            pattern, strptime, rest = pattern + expression, strptime + code, rest[len(taken) :]
        counts = [strptime.count(f"%{part}") for part in "md"]
        if {*counts, strptime.lower().count("%y")} != {1}:
            raise ValueError(f"'{text}': a date needs YYYY (or YY), MM and DD, each once")
        once = [strptime.count(f"%{part}") <= 1 for part in "HMSz"]
        if not all(once) or ("%z" in strptime and "%H" not in strptime):
            raise ValueError(f"'{text}': hh, mm, ss and ZZ stand once, ZZ behind a time")
        return cls(text=text, pattern=f"^{pattern}$", strptime=strptime)

    @property
    def has_offset(self) -> bool:
        """Whether the text says its own distance from UTC: ``+02:00`` or ``Z``."""
        return "%z" in self.strptime


class NumberFormat(BaseModel):
    """How numbers are written, declared by an example: ``1,234.56``, ``1.234,56``, ``1 234,56`` …

    ``1,234.56-`` says that a minus may stand behind the number, ``(1,234.56)`` that a negative one
    may stand in round brackets; a sign before it is always known.
    """

    model_config = ConfigDict(frozen=True)
    group: str
    point: str
    negative: Negative = ""

    @classmethod
    def parse(cls, text: str) -> NumberFormat:
        """:raises ValueError: when the example is not 1 234.56 in some notation."""
        match = _NUMBER_EXAMPLE.fullmatch(text)
        negative = None if match is None else _NEGATIVES.get(match["opened"] + match["behind"])
        if match is None or negative is None or match["group"] == match["point"]:
            raise ValueError(
                f"'{text}': show how you write 1,234.56; a minus behind it, or round brackets "
                "around it, say that negative numbers are written so"
            )
        return cls(group=match["group"], point=match["point"], negative=negative)

    @cached_property
    def groups(self) -> str:
        """A regular expression of what stands between groups; what looks alike is alike."""
        return f"[{_ALIKE.get(self.group, re.escape(self.group))}]" if self.group else ""

    @cached_property
    def pattern(self) -> str:
        """A regular expression of the numbers that are written so, sign included."""
        grouped = rf"[0-9]{{1,3}}(?:{self.groups}[0-9]{{3}})+|" if self.group else ""
        digits = rf"(?:{grouped}[0-9]+)(?:{re.escape(self.point)}[0-9]+)?"
        also = {"": "", "-": f"|{digits}-", "()": rf"|\({digits}\)"}[self.negative]
        return rf"^(?:[+-]?{digits}{also})$"

    def as_plain(self, text: pl.Expr) -> pl.Expr:
        """Numbers that are written so, as digits with a minus before and a point in them."""
        if self.group:
            text = text.str.replace_all(self.groups, "")
        if self.point != ".":
            text = text.str.replace(self.point, ".", literal=True)
        if self.negative:
            text = text.str.replace(r"^\(?([0-9.]+)[-)]$", "-$1")
        return text
