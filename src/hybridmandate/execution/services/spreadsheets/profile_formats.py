"""How dates and numbers are written, as a profile declares it."""

from __future__ import annotations

import re
from functools import cached_property

from pydantic import BaseModel, ConfigDict

_DATE_PARTS = {
    "YYYY": (r"[0-9]{4}", "%Y"),
    "MM": (r"[0-9]{2}", "%m"),
    "DD": (r"[0-9]{2}", "%d"),
    "hh": (r"[0-9]{2}", "%H"),
    "mm": (r"[0-9]{2}", "%M"),
    "ss": (r"[0-9]{2}", "%S"),
    "ZZ": (r"(?:Z|[+-][0-9]{2}:[0-9]{2})", "%z"),
}
_NUMBER_EXAMPLE = re.compile(r"1(?P<group>[,. '\u00a0]?)234(?P<point>[.,])56")


class DateFormat(BaseModel):
    """A declared date format such as ``DD.MM.YYYY``: strict, two-digit days and months."""

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
                raise ValueError(f"'{text}': write YYYY, MM, DD (hh, mm, ss, ZZ) and separators")
            taken = part or rest[0]
            expression, code = _DATE_PARTS.get(taken, (re.escape(taken), taken))
            pattern, strptime, rest = pattern + expression, strptime + code, rest[len(taken) :]
        if any(strptime.count(f"%{part}") != 1 for part in "Ymd"):
            raise ValueError(f"'{text}': a date needs YYYY, MM and DD, each once")
        once = [strptime.count(f"%{part}") <= 1 for part in "HMSz"]
        if not all(once) or ("%z" in strptime and "%H" not in strptime):
            raise ValueError(f"'{text}': hh, mm, ss and ZZ stand once, ZZ behind a time")
        return cls(text=text, pattern=f"^{pattern}$", strptime=strptime)

    @property
    def has_offset(self) -> bool:
        """Whether the text says its own distance from UTC: ``+02:00`` or ``Z``."""
        return "%z" in self.strptime


class NumberFormat(BaseModel):
    """How numbers are written, declared by an example: ``1,234.56`` or ``1.234,56`` …"""

    model_config = ConfigDict(frozen=True)
    group: str
    point: str

    @classmethod
    def parse(cls, text: str) -> NumberFormat:
        """:raises ValueError: when the example is not 1 234.56 in some notation."""
        match = _NUMBER_EXAMPLE.fullmatch(text)
        if match is None or match["group"] == match["point"]:
            raise ValueError(f"'{text}': show how you write 1,234.56")
        return cls(group=match["group"], point=match["point"])

    @cached_property
    def pattern(self) -> str:
        """A regular expression of the numbers that are written so, sign included."""
        group = re.escape(self.group)
        grouped = rf"[0-9]{{1,3}}(?:{group}[0-9]{{3}})+|" if self.group else ""
        return rf"^[+-]?(?:{grouped}[0-9]+)(?:{re.escape(self.point)}[0-9]+)?$"
