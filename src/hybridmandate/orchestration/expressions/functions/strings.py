"""String functions. Positions and lengths count units of UTF-16, as in .NET."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hybridmandate.orchestration.expressions.bounds import Frame
from hybridmandate.orchestration.expressions.dotnet.number_format import format_number
from hybridmandate.orchestration.expressions.dotnet.utf16 import joined, units
from hybridmandate.orchestration.expressions.errors import FunctionFault
from hybridmandate.orchestration.expressions.registry import Family, optional, repeated, required
from hybridmandate.orchestration.expressions.values import (
    ANY,
    INTEGER,
    NUMBER,
    TEXT,
    text_of,
)

string = Family("String")
# What .NET's Char.IsWhiteSpace says; Python's strip() takes the separators U+001C to U+001F too.
_WHITE_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


@string.function(
    "concat", repeated("texts", ANY), example="concat('Hello', 'World')", gives="HelloWorld"
)
def concat(frame: Frame, *texts: Any) -> str:
    """Join the text forms of the arguments."""
    parts = [each if type(each) is str else text_of(frame, each) for each in texts]
    frame.admit_text(sum(map(len, parts)))
    return "".join(parts)


@string.function(
    "startsWith",
    required("text", TEXT),
    required("searchText", TEXT),
    example="startsWith('hello world', 'HELLO')",
    gives=True,
)
def starts_with(frame: Frame, text: str, search: str) -> bool:
    """Whether a text begins with another, in any case."""
    return folded(text).startswith(folded(search))


@string.function(
    "endsWith",
    required("text", TEXT),
    required("searchText", TEXT),
    example="endsWith('hello world', 'World')",
    gives=True,
)
def ends_with(frame: Frame, text: str, search: str) -> bool:
    """Whether a text ends with another, in any case."""
    return folded(text).endswith(folded(search))


@string.function(
    "indexOf",
    required("text", TEXT),
    required("searchText", TEXT),
    example="indexOf('hello world', 'World')",
    gives=6,
)
def index_of(frame: Frame, text: str, search: str) -> int:
    """Where a text first stands in another, in any case, from 0; -1 when nowhere."""
    return folded(units(text)).find(folded(units(search)))


@string.function(
    "lastIndexOf",
    required("text", TEXT),
    required("searchText", TEXT),
    example="lastIndexOf('hello world hello', 'Hello')",
    gives=12,
)
def last_index_of(frame: Frame, text: str, search: str) -> int:
    """Where a text last stands in another, in any case; -1 when nowhere.

    An empty search text is at the last character; in an empty text at 0.
    """
    text, search = units(text), units(search)
    if not search:
        return max(len(text) - 1, 0)
    return folded(text).rfind(folded(search))


@string.function(
    "nthIndexOf",
    required("text", TEXT),
    required("searchText", TEXT),
    required("occurrence", INTEGER),
    example="nthIndexOf('123456789123465789', '1', 2)",
    gives=9,
)
def nth_index_of(frame: Frame, text: str, search: str, occurrence: int) -> int:
    """Where the n-th occurrence stands, in any case, from 0; counted from the end when negative."""
    if occurrence == 0 or not search:
        return -1
    if abs(occurrence) > len(text):
        return -1
    frame.spend(len(text))
    text, search = folded(units(text)), folded(units(search))
    at = -1 if occurrence > 0 else len(text)
    for _ in range(abs(occurrence)):
        if occurrence > 0:
            at = text.find(search, at + 1)
        else:
            at = text.rfind(search, 0, max(at + len(search) - 1, 0))
        if at < 0:
            return -1
    return at


@string.function(
    "replace",
    required("text", TEXT),
    required("oldText", TEXT),
    required("newText", TEXT),
    example="replace('the old string', 'old', 'new')",
    gives="the new string",
)
def replace(frame: Frame, text: str, old: str, new: str) -> str:
    """Put one text for each occurrence of another; the case must fit, nothing is a pattern."""
    if not old:
        raise FunctionFault("The text to replace must not be empty", argument=2, value=old)
    if len(new) > len(old):
        frame.admit_text(len(text) + text.count(old) * (len(new) - len(old)))
    return text.replace(old, new)


@string.function(
    "split",
    required("text", TEXT),
    required("delimiter", TEXT),
    example="split('a_b_c', '_')",
    gives=["a", "b", "c"],
)
def split(frame: Frame, text: str, delimiter: str) -> list[str]:
    """The parts between delimiters; the whole text when the delimiter is empty."""
    parts = text.split(delimiter) if delimiter else [text]
    frame.spend(len(parts))
    return parts


@string.function(
    "substring",
    required("text", TEXT),
    required("startIndex", INTEGER),
    optional("length", INTEGER),
    example="substring('hello world', 6, 5)",
    gives="world",
)
def substring(frame: Frame, text: str, start: int, length: int | None = None) -> str:
    """The characters from a position on; start and length must lie inside the text."""
    text = units(text)
    if not 0 <= start <= len(text):
        raise FunctionFault(
            f"The start index must be from 0 to the length of the text, {len(text)}",
            argument=2,
            value=start,
        )
    if length is None:
        return joined(text[start:])
    if length < 0 or start + length > len(text):
        raise FunctionFault(
            f"Start index and length must lie within the length of the text, {len(text)}",
            argument=3,
            value=length,
        )
    return joined(text[start : start + length])


@string.function(
    "slice",
    required("text", TEXT),
    required("startIndex", INTEGER),
    optional("endIndex", INTEGER),
    example="slice('Hello World', 2, 5)",
    gives="llo",
)
def slice_(frame: Frame, text: str, start: int, end: int | None = None) -> str:
    """The characters from a position up to another; negative positions count from the end."""
    return joined(units(text)[start:end])


@string.function(
    "toLower",
    required("text", TEXT),
    example="toLower('Hello World')",
    gives="hello world",
)
def to_lower(frame: Frame, text: str) -> str:
    """The text in lower case, character by character (invariant culture)."""
    return _each(text, str.lower)


@string.function(
    "toUpper",
    required("text", TEXT),
    example="toUpper('Hello World')",
    gives="HELLO WORLD",
)
def to_upper(frame: Frame, text: str) -> str:
    """The text in upper case, character by character (invariant culture)."""
    return _each(text, _upper)


def _upper(character: str) -> str:
    """The invariant culture leaves the dotless i, which is I in Turkish only."""
    return character if character == "\u0131" else character.upper()


@string.function(
    "trim", required("text", TEXT), example="trim(' Hello World  ')", gives="Hello World"
)
def trim(frame: Frame, text: str) -> str:
    """The text without white space at its ends."""
    return text.strip(_WHITE_SPACE)


@string.function(
    "guid",
    optional("format", TEXT),
    example="guid('N')",
    gives="c2ecc88d88c84096912cd6f2e2b138ce",
)
def guid(frame: Frame, form: str = "D") -> str:
    """A new GUID as 32 digits (N), with hyphens (D), braces (B), brackets (P) or as C (X)."""
    text = frame.scope.new_guid().lower()
    digits = text.replace("-", "")
    forms = {
        "D": text,
        "N": digits,
        "B": f"{{{text}}}",
        "P": f"({text})",
        "X": _guid_in_c(digits),
    }
    found = forms.get((form or "D").upper())
    if found is None:
        raise FunctionFault(
            "The format of a GUID must be one of D, N, B, P, X", argument=1, value=form
        )
    return found


def _guid_in_c(digits: str) -> str:
    tail = ",".join(f"0x{digits[at : at + 2]}" for at in range(16, 32, 2))
    return f"{{0x{digits[:8]},0x{digits[8:12]},0x{digits[12:16]},{{{tail}}}}}"


@string.function(
    "formatNumber",
    required("number", NUMBER),
    required("format", TEXT),
    optional("locale", TEXT),
    example="formatNumber(1234567890, '0,0.00', 'en-US')",
    gives="1,234,567,890.00",
)
def format_number_(
    frame: Frame, number: int | float | Decimal, pattern: str, locale: str = "en-US"
) -> str:
    """The number in a .NET numeric format of a culture, en-US when none is given."""
    return format_number(number, pattern, locale)


def folded(text: str) -> str:
    """A form in which texts that differ only in case are equal; as long as the text."""
    return text.lower() if text.isascii() else _each(text, str.lower)


def _each(text: str, change: Any) -> str:
    """Change characters one to one: those whose other case is longer stay, as in .NET."""
    changed: str = change(text)
    if text.isascii():
        return changed
    return "".join(
        new if len(new) == 1 else old for old, new in ((each, change(each)) for each in text)
    )
