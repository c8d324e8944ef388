"""``ToString`` of every value, and composite format strings (``string.Format``, ``$"…"``)."""

from __future__ import annotations

import re
import uuid
from typing import Any

from hybridmandate.governance.gateway.csharp.failures import bad_format
from hybridmandate.governance.gateway.csharp.formats import number_text, plain_text
from hybridmandate.governance.gateway.csharp.numbers import NUMBERS
from hybridmandate.governance.gateway.csharp.types.table import EnumValue, Run, full_name_of

_ITEM = re.compile(
    r"\{\{|\}\}|\{\s*(\d{1,6})\s*(?:,\s*(-?\d{1,6})\s*)?(?::((?:[^{}]|\{\{|\}\})*))?\}|[{}]"
)

_GUID_FORMS = {"D": ("", ""), "B": ("{", "}"), "P": ("(", ")")}


def as_text(value: Any) -> str:
    """The text C# makes of a value in a concatenation; null becomes empty."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    if value is None:
        return ""
    if kind is bool:
        return "True" if value else "False"
    if kind is int:
        return str(value)
    if kind in NUMBERS:
        return plain_text(value)
    if isinstance(value, EnumValue):
        return value.label
    if isinstance(value, str | uuid.UUID):
        return str(value)
    own = getattr(value, "clr_text", None)
    return own() if own is not None else full_name_of(value)


def formatted(value: Any, form: str | None) -> str:
    """The text of a value in a format; types without formats ignore it."""
    if value is None:
        return ""
    if form and type(value) in NUMBERS:
        return number_text(value, form)
    if form and isinstance(value, EnumValue):
        return str(int(value)) if form in ("d", "D") else value.label
    if form and isinstance(value, uuid.UUID):
        return guid_text(value, form)
    own = getattr(value, "clr_format", None)
    return own(form) if form and own is not None else as_text(value)


def guid_text(value: uuid.UUID, form: str | None) -> str:
    """A GUID in format D, N, B or P. :raises ExpressionFailure: FormatException."""
    kind = (form or "D").upper()
    if kind == "N":
        return value.hex
    around = _GUID_FORMS.get(kind)
    if around is None:
        raise bad_format('Format string can be only "D", "d", "N", "n", "P", "p", "B" or "b".')
    return f"{around[0]}{value}{around[1]}"


def aligned(text: str, width: int, run: Run) -> str:
    """Text in a field: to the right for a positive width, to the left for a negative."""
    if abs(width) > len(text):
        run.budget.allocate(abs(width))
    return text.rjust(width) if width > 0 else text.ljust(-width)


def composite(run: Run, form: str, values: list[Any]) -> str:
    """``string.Format``. :raises ExpressionFailure: FormatException, as .NET words it."""
    out: list[str] = []
    at = 0
    for item in _ITEM.finditer(form):
        out.append(form[at : item.start()])
        at = item.end()
        whole = item[0]
        if item[1] is None:
            if len(whole) == 1:
                raise bad_format()
            out.append(whole[0])
            continue
        index = int(item[1])
        if index >= len(values):
            raise bad_format(
                "Index (zero based) must be greater than or equal to zero and less than the size "
                "of the argument list."
            )
        text = formatted(values[index], item[3])
        out.append(aligned(text, int(item[2] or 0), run))
        run.budget.allocate(len(text))
    out.append(form[at:])
    return "".join(out)
