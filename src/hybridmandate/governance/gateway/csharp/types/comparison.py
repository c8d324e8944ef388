"""How texts are compared: StringComparison, StringComparer, and what they mean.

Comparison without a StringComparison argument is ordinal here, also where .NET compares by culture;
``string.Compare`` alone keeps to the order of cultures.
"""

from __future__ import annotations

from typing import Any, Final

from hybridmandate.governance.gateway.csharp.types.table import (
    OBJECT,
    ClrType,
    EnumValue,
    enumeration,
)

COMPARISON: Final = enumeration(
    "StringComparison",
    "System.StringComparison",
    ["CurrentCulture", "CurrentCultureIgnoreCase", "InvariantCulture", "InvariantCultureIgnoreCase",
     "Ordinal", "OrdinalIgnoreCase"],
)  # fmt: skip


class Comparer(EnumValue):
    """System.StringComparer."""

    @property
    def ignore_case(self) -> bool:
        """Whether it compares without case."""
        return self.ignores_case


def ignores_case(comparison: Any) -> bool:
    """Whether a comparison argument (enumeration, comparer or ignoreCase) says so."""
    if isinstance(comparison, EnumValue):
        return comparison.ignores_case
    return comparison is True


def folded(text: str, comparison: Any) -> str:
    """The text to compare. Upper case and back, as .NET's ordinal comparison."""
    if comparison is None:
        return text
    return text.lower() if ignores_case(comparison) else text


def equals_text(a: Any, b: Any, comparison: Any = None) -> bool:
    """``Equals`` with an optional comparison."""
    if not isinstance(a, str) or not isinstance(b, str):
        return a is None and b is None
    if type(a) is not type(b):
        return False
    return folded(a, comparison) == folded(b, comparison)


def compare(a: Any, b: Any, comparison: Any = None) -> int:
    """-1, 0 or 1; null comes first."""
    if a is None or b is None:
        return (a is not None) - (b is not None)
    x, y = folded(a, comparison), folded(b, comparison)
    return (x > y) - (x < y)


def compare_culture(a: Any, b: Any, comparison: Any = None, culture: Any = None) -> int:
    """``string.Compare``: letters first without case, then lower before upper, as cultures do."""
    if isinstance(comparison, EnumValue) and comparison.label.startswith("Ordinal"):
        return compare(a, b, comparison)
    if a is None or b is None:
        return (a is not None) - (b is not None)
    first = compare(a.lower(), b.lower())
    return first if first or ignores_case(comparison) else compare(b, a)


COMPARER: Final = ClrType("StringComparer", "System.StringComparer", Comparer, base=OBJECT)
for _number, _label in enumerate(COMPARISON.values):
    COMPARER.constant(_label, Comparer(_number, "StringComparer", _label), "StringComparer")
COMPARER.method("Equals", lambda c, a, b: equals_text(a, b, c), "bool")
COMPARER.method("Compare", lambda c, a, b: compare(a, b, c), "int")
