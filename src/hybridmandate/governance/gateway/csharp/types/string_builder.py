"""StringBuilder.

Source: learn.microsoft.com, .NET API browser, System.Text.StringBuilder.
"""

from __future__ import annotations

from typing import Any, Final

from hybridmandate.governance.gateway.csharp.collections import Array
from hybridmandate.governance.gateway.csharp.numbers import Char
from hybridmandate.governance.gateway.csharp.text import as_text
from hybridmandate.governance.gateway.csharp.types.strings import (
    chars_of,
    element,
    format_text,
    insert,
    join,
    remove,
    replace,
)
from hybridmandate.governance.gateway.csharp.types.table import OBJECT, ClrType, Run


class Builder:
    """System.Text.StringBuilder."""

    __slots__ = ("parts",)

    def __init__(self, text: Any = None, *_: Any) -> None:
        self.parts: list[str] = [text] if type(text) is str else []

    def clr_text(self) -> str:
        """The text so far."""
        if len(self.parts) > 1:
            self.parts = ["".join(self.parts)]
        return self.parts[0] if self.parts else ""

    def put(self, run: Run, text: str) -> Builder:
        """Append, at a price."""
        run.budget.allocate(len(text))
        self.parts.append(text)
        return self

    def become(self, text: str) -> Builder:
        """Another text."""
        self.parts = [text]
        return self


def append(run: Run, builder: Builder, value: Any, count: int | None = None) -> Builder:
    """``Append``; a character can be repeated."""
    if count is not None and isinstance(value, Char):
        run.budget.allocate(max(0, count))
        return builder.put(run, value * count)
    text = "".join(chars_of(value)) if isinstance(value, Array) else as_text(value)
    return builder.put(run, text)


BUILDER: Final = ClrType("StringBuilder", "System.Text.StringBuilder", Builder, base=OBJECT)
BUILDER.constructed_by(Builder)
BUILDER.method("Append", append, "StringBuilder")
BUILDER.method(
    "AppendLine", lambda run, b, value="": b.put(run, as_text(value) + "\n"), "StringBuilder"
)
BUILDER.method(
    "AppendFormat", lambda run, b, form, *v: b.put(run, format_text(run, form, *v)), "StringBuilder"
)
BUILDER.method(
    "AppendJoin", lambda run, b, between, *v: b.put(run, join(run, between, *v)), "StringBuilder"
)
BUILDER.method(
    "Insert",
    lambda run, b, at, value: b.put(run, "").become(insert(b.clr_text(), at, as_text(value))),
    "StringBuilder",
)
BUILDER.method(
    "Remove", lambda b, start, count: b.become(remove(b.clr_text(), start, count)), "StringBuilder"
)
BUILDER.method(
    "Replace",
    lambda run, b, old, new: b.become(replace(run, b.clr_text(), old, new)),
    "StringBuilder",
)
BUILDER.method("Clear", lambda b: b.become(""), "StringBuilder")
BUILDER.property("Length", lambda b: len(b.clr_text()), "int")
BUILDER.indexed_by(lambda b, at: element(b.clr_text(), at), "char")
