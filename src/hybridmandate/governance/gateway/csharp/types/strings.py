"""string, char and the enumerations that go with them.

Source: learn.microsoft.com, .NET API browser, System.String.
"""

from __future__ import annotations

import unicodedata
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.collections import Array, List, items_of
from hybridmandate.governance.gateway.csharp.failures import (
    ExpressionFailure,
    argument,
    argument_null,
    bad_format,
    out_of_range,
)
from hybridmandate.governance.gateway.csharp.numbers import Char
from hybridmandate.governance.gateway.csharp.text import as_text, composite
from hybridmandate.governance.gateway.csharp.types.comparison import (
    compare,
    compare_culture,
    equals_text,
    folded,
    ignores_case,
)
from hybridmandate.governance.gateway.csharp.types.table import (
    OBJECT,
    ClrType,
    EnumValue,
    Run,
    enumeration,
)

SPLIT_OPTIONS: Final = enumeration(
    "StringSplitOptions",
    "System.StringSplitOptions",
    {"None": 0, "RemoveEmptyEntries": 1, "TrimEntries": 2},
)


class Culture:
    """System.Globalization.CultureInfo: only the invariant one."""


CULTURE: Final = ClrType("CultureInfo", "System.Globalization.CultureInfo", Culture, base=OBJECT)
for _label in ("InvariantCulture", "CurrentCulture"):
    CULTURE.constant(_label, Culture(), "CultureInfo")
NUMBER_STYLES: Final = enumeration(
    "NumberStyles",
    "System.Globalization.NumberStyles",
    {"None": 0, "Integer": 7, "Number": 111, "Float": 167, "Any": 511, "HexNumber": 515,
     "AllowHexSpecifier": 512, "AllowDecimalPoint": 32, "AllowThousands": 64},
)  # fmt: skip


def _text(value: Any, name: str = "value") -> str:
    if value is None:
        raise argument_null(name)
    return value if type(value) is str else as_text(value)


def contains(text: str, part: Any, comparison: Any = None) -> bool:
    """``Contains``."""
    return folded(_text(part), comparison) in folded(text, comparison)


def starts_with(text: str, part: Any, comparison: Any = None, culture: Any = None) -> bool:
    """``StartsWith``."""
    return folded(text, comparison).startswith(folded(_text(part), comparison))


def ends_with(text: str, part: Any, comparison: Any = None, culture: Any = None) -> bool:
    """``EndsWith``."""
    return folded(text, comparison).endswith(folded(_text(part), comparison))


def _bounds(text: str, options: tuple[Any, ...]) -> tuple[int, int, Any]:
    numbers = [o for o in options if type(o) is int]
    comparison = next((o for o in options if isinstance(o, EnumValue)), None)
    start = numbers[0] if numbers else 0
    if not 0 <= start <= len(text):
        raise out_of_range("startIndex", "Index was out of range.")
    end = start + numbers[1] if len(numbers) > 1 else len(text)
    if not start <= end <= len(text):
        raise out_of_range("count", "Count must be positive and refer to a location in the string.")
    return start, end, comparison


def index_of(text: str, part: Any, *options: Any) -> int:
    """``IndexOf`` with start, count and comparison."""
    if not options or (len(options) == 1 and isinstance(options[0], EnumValue)):
        comparison = options[0] if options else None
        return folded(text, comparison).find(folded(_text(part), comparison))
    start, end, comparison = _bounds(text, options)
    return folded(text, comparison).find(folded(_text(part), comparison), start, end)


def last_index_of(text: str, part: Any, *options: Any) -> int:
    """``LastIndexOf``; a start index is where the search begins backwards."""
    numbers = [o for o in options if type(o) is int]
    comparison = next((o for o in options if isinstance(o, EnumValue)), None)
    wanted = folded(_text(part), comparison)
    end = min(len(text), numbers[0] + 1) if numbers else len(text)
    return folded(text, comparison).rfind(wanted, 0, end)


def chars_of(value: Any) -> list[str]:
    """The characters of a string, a char or an array of chars."""
    return list(value) if isinstance(value, str) else [str(item) for item in items_of(value)]


def index_of_any(text: str, signs: Any, start: int = 0) -> int:
    """``IndexOfAny``."""
    found = [at for at in (text.find(sign, start) for sign in chars_of(signs)) if at >= 0]
    return min(found, default=-1)


def replace(run: Run, text: str, old: Any, new: Any, comparison: Any = None) -> str:
    """``Replace``; the result is paid for before it is made."""
    wanted = _text(old, "oldValue")
    if not wanted:
        raise argument("String cannot be of zero length. (Parameter 'oldValue')")
    put = "" if new is None else as_text(new)
    if ignores_case(comparison):
        return _replace_ignoring_case(run, text, wanted, put)
    if len(put) > len(wanted):
        run.budget.allocate(text.count(wanted) * (len(put) - len(wanted)))
    return text.replace(wanted, put)


def _replace_ignoring_case(run: Run, text: str, old: str, new: str) -> str:
    low, wanted = text.lower(), old.lower()
    out: list[str] = []
    at = 0
    while (found := low.find(wanted, at)) >= 0:
        run.budget.step()
        run.budget.allocate(len(new))
        out += [text[at:found], new]
        at = found + len(wanted)
    return "".join([*out, text[at:]])


def substring(text: str, start: int, length: int | None = None) -> str:
    """``Substring``."""
    if start < 0:
        raise out_of_range("startIndex", "StartIndex cannot be less than zero.")
    if start > len(text):
        raise out_of_range("startIndex", "startIndex cannot be larger than length of string.")
    if length is None:
        return text[start:]
    if length < 0:
        raise out_of_range("length", "Length cannot be less than zero.")
    if start + length > len(text):
        raise out_of_range("length", "Index and length must refer to a location within the string.")
    return text[start : start + length]


def split(run: Run, text: str, *arguments: Any) -> Array:
    """``Split`` by characters or texts, with a count and options."""
    if len(arguments) == 1 and isinstance(arguments[0], str) and arguments[0]:
        cut = text.split(arguments[0])
        run.budget.allocate(64 * len(cut))
        return Array(cut, "string")
    options = next((a for a in arguments if isinstance(a, EnumValue)), None)
    count = next((a for a in arguments if type(a) is int), None)
    separators: list[str] = []
    for each in arguments:
        if isinstance(each, str):
            separators.append(str(each))
        elif isinstance(each, list):
            separators += [str(item) for item in each if item]
    parts = _split(text, separators, count, options)
    run.budget.allocate(64 * len(parts))
    return Array(parts, "string")


def _split(text: str, separators: list[str], count: int | None, options: Any) -> list[str]:
    remove = options is not None and int(options) & 1
    trim = options is not None and int(options) & 2
    if count is not None and count < 0:
        raise out_of_range("count")
    if count == 0:
        return []
    if len(separators) == 1 and count is None:
        parts = text.split(separators[0]) if separators[0] else [text]
    else:
        parts = _split_by_many(text, separators, count, bool(remove))
    if trim:
        parts = [part.strip() for part in parts]
    return [part for part in parts if part] if remove else parts


def _split_by_many(text: str, separators: list[str], count: int | None, remove: bool) -> list[str]:
    parts: list[str] = []
    start = at = 0
    spaces = not separators
    firsts = {separator[0] for separator in separators if separator}
    while at < len(text) and (count is None or len(parts) < count - 1):
        size = 0
        if spaces:
            size = int(text[at].isspace())
        elif text[at] in firsts:
            size = next((len(s) for s in separators if s and text.startswith(s, at)), 0)
        if not size:
            at += 1
            continue
        if not (remove and start == at):
            parts.append(text[start:at])
        at += size
        start = at
    if remove and count is not None:
        while any(s and text.startswith(s, start) for s in separators):
            start += next(len(s) for s in separators if s and text.startswith(s, start))
    return [*parts, text[start:]]


def _trim_set(signs: tuple[Any, ...]) -> str | None:
    if not signs:
        return None
    wanted = "".join("".join(chars_of(sign)) for sign in signs if sign is not None)
    return wanted or None


def pad(run: Run, text: str, width: int, sign: str, left: bool) -> str:
    """``PadLeft`` and ``PadRight``."""
    if width < 0:
        raise out_of_range("totalWidth", "Non-negative number required.")
    run.budget.allocate(max(0, width - len(text)))
    return text.rjust(width, sign) if left else text.ljust(width, sign)


def element(text: str, at: int) -> Char:
    """``text[i]``."""
    if not 0 <= at < len(text):
        raise ExpressionFailure(
            "Index was outside the bounds of the array.", "IndexOutOfRangeException"
        )
    return Char(text[at])


def insert(text: str, at: int, part: str) -> str:
    """``Insert``."""
    if not 0 <= at <= len(text):
        raise out_of_range("startIndex")
    return text[:at] + _text(part) + text[at:]


def remove(text: str, start: int, count: int | None = None) -> str:
    """``Remove``."""
    end = len(text) if count is None else start + count
    if not 0 <= start <= end <= len(text):
        raise out_of_range("startIndex" if count is None else "count")
    return text[:start] + text[end:]


def join(run: Run, separator: Any, *values: Any) -> str:
    """``string.Join``."""
    sole = values[0] if len(values) == 1 else None
    many = sole is not None and not isinstance(sole, str)
    between = "" if separator is None else as_text(separator)
    if type(sole) is List and set(map(type, sole)) <= {str}:
        run.budget.step(len(sole))
        run.budget.allocate(sum(map(len, sole)) + len(sole) * len(between))
        return between.join(sole)
    items = items_of(sole) if many else iter(values)
    parts: list[str] = []
    for item in items:
        part = as_text(item)
        run.budget.step()
        run.budget.allocate(len(part) + len(between))
        parts.append(part)
    return between.join(parts)


def concat(run: Run, *values: Any) -> str:
    """``string.Concat``."""
    if len(values) == 1 and values[0] is None:
        return ""
    return join(run, "", *values)


def format_text(run: Run, form: Any, *values: Any) -> str:
    """``string.Format``, also with a culture in front."""
    if isinstance(form, Culture):
        form, values = values[0], values[1:]
    if len(values) == 1 and isinstance(values[0], Array):
        values = tuple(values[0])
    return composite(run, _text(form, "format"), list(values))


def raised(text: str) -> str:
    """Upper case sign by sign, as .NET maps it: what would become two signs stays."""
    return text.upper() if text.isascii() else "".join(map(_one_sign, text, map(str.upper, text)))


def lowered(text: str) -> str:
    """Lower case sign by sign."""
    return text.lower() if text.isascii() else "".join(map(_one_sign, text, map(str.lower, text)))


def _one_sign(sign: str, mapped: str) -> str:
    return mapped if len(mapped) == 1 else sign


def new_string(run: Run, first: Any, count: int | None = None, length: int | None = None) -> str:
    """``new string('a', 3)`` and ``new string(chars)``."""
    if isinstance(first, Char):
        if count is None or count < 0:
            raise out_of_range("count")
        run.budget.allocate(count)
        return first * count
    signs = "".join(chars_of(first))
    return signs if count is None or length is None else signs[count : count + length]


STRING: Final = ClrType("string", "System.String", str, base=OBJECT)
STRING.constructed_by(new_string)
STRING.constant("Empty", "", "string")
STRING.property("Length", len, "int")
STRING.indexed_by(element, "char")
STRING.method("Contains", contains, "bool")
STRING.method("StartsWith", starts_with, "bool")
STRING.method("EndsWith", ends_with, "bool")
STRING.method("Equals", equals_text, "bool")
STRING.method("IndexOf", index_of, "int")
STRING.method("LastIndexOf", last_index_of, "int")
STRING.method("IndexOfAny", index_of_any, "int")
STRING.method("Replace", replace, "string")
STRING.method("Substring", substring, "string")
STRING.method("Split", split, "string[]")
STRING.method("Trim", lambda text, *signs: text.strip(_trim_set(signs)), "string")
STRING.method("TrimStart", lambda text, *signs: text.lstrip(_trim_set(signs)), "string")
STRING.method("TrimEnd", lambda text, *signs: text.rstrip(_trim_set(signs)), "string")
STRING.method("ToLower", lambda text, culture=None: lowered(text), "string")
STRING.method("ToUpper", lambda text, culture=None: raised(text), "string")
STRING.method("ToLowerInvariant", lambda text: lowered(text), "string")
STRING.method("ToUpperInvariant", lambda text: raised(text), "string")
STRING.method("ToString", lambda text, culture=None: str(text), "string")
STRING.method(
    "PadLeft",
    lambda run, t, total_width, padding_char=" ": pad(run, t, total_width, padding_char, True),
    "string",
)
STRING.method(
    "PadRight",
    lambda run, t, total_width, padding_char=" ": pad(run, t, total_width, padding_char, False),
    "string",
)
STRING.method("Insert", insert, "string")
STRING.method("Remove", remove, "string")
STRING.method("CompareTo", lambda text, other: compare_culture(text, other), "int")
STRING.method("ToCharArray", lambda text: Array(map(Char, text), "char"), "char[]")
STRING.method("Normalize", lambda text: unicodedata.normalize("NFC", text), "string")
STRING.static("IsNullOrEmpty", lambda value: not _nullable(value), "bool")
STRING.static("IsNullOrWhiteSpace", lambda value: not (_nullable(value) or "").strip(), "bool")
STRING.static("Join", join, "string")
STRING.static("Concat", concat, "string")
STRING.static("Format", format_text, "string")
STRING.static("Equals", equals_text, "bool")
STRING.static("Compare", compare_culture, "int")
STRING.static("CompareOrdinal", compare, "int")
STRING.static("Copy", lambda text: _text(text, "str"), "string")


def _nullable(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ExpressionFailure("Cannot convert the value to 'string'.", "RuntimeBinderException")


CHAR: Final = ClrType("char", "System.Char", Char, base=OBJECT)
CHAR.static("IsDigit", lambda c: c.isdecimal(), "bool")
CHAR.static("IsNumber", lambda c: c.isnumeric(), "bool")
CHAR.static("IsLetter", lambda c: c.isalpha(), "bool")
CHAR.static("IsLetterOrDigit", lambda c: c.isalpha() or c.isdecimal(), "bool")
CHAR.static("IsUpper", lambda c: c.isupper(), "bool")
CHAR.static("IsLower", lambda c: c.islower(), "bool")
CHAR.static("IsWhiteSpace", lambda c: c.isspace(), "bool")
CHAR.static("IsPunctuation", lambda c: unicodedata.category(c).startswith("P"), "bool")
CHAR.static("IsControl", lambda c: unicodedata.category(c) == "Cc", "bool")
CHAR.static("ToUpper", lambda c, culture=None: Char(c.upper()[:1]), "char")
CHAR.static("ToLower", lambda c, culture=None: Char(c.lower()[:1]), "char")
CHAR.static("ToUpperInvariant", lambda c: Char(c.upper()[:1]), "char")
CHAR.static("ToLowerInvariant", lambda c: Char(c.lower()[:1]), "char")
CHAR.static("ToString", str, "string")
CHAR.static("GetNumericValue", lambda c: float(unicodedata.numeric(c, -1)), "double")
CHAR.method("CompareTo", lambda c, other: ord(c) - ord(other), "int")
CHAR.constant("MinValue", Char("\0"), "char")
CHAR.constant("MaxValue", Char("\uffff"), "char")


def parse_char(text: Any) -> Char:
    """``char.Parse``."""
    if len(_text(text, "s")) != 1:
        raise bad_format("String must be exactly one character long.")
    return Char(text)


CHAR.static("Parse", parse_char, "char")
