"""Members of string, Guid, Encoding, StringBuilder and Exception that are asked for less often.

Source: learn.microsoft.com, .NET API browser.
"""

from __future__ import annotations

import re
import unicodedata
import uuid
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.collections import Array
from hybridmandate.governance.gateway.csharp.failures import (
    ExpressionFailure,
    bad_format,
    out_of_range,
)
from hybridmandate.governance.gateway.csharp.numbers import Char
from hybridmandate.governance.gateway.csharp.types.basics import EXCEPTION
from hybridmandate.governance.gateway.csharp.types.comparison import COMPARER
from hybridmandate.governance.gateway.csharp.types.containers import copy
from hybridmandate.governance.gateway.csharp.types.converting import GUID, parse_guid
from hybridmandate.governance.gateway.csharp.types.crypto import ENCODING, Encoding, get_bytes
from hybridmandate.governance.gateway.csharp.types.string_builder import BUILDER, Builder
from hybridmandate.governance.gateway.csharp.types.strings import STRING, chars_of, element
from hybridmandate.governance.gateway.csharp.types.table import Run
from hybridmandate.governance.gateway.csharp.types.text_streams import WRITER

_FORMS: Final = {
    "D": re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "N": re.compile(r"[0-9a-fA-F]{32}"),
    "B": re.compile(r"\{[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}"),
    "P": re.compile(r"\([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\)"),
}


def last_of_any(text: str, signs: Any, start: int | None = None) -> int:
    """``LastIndexOfAny``; the search goes back from ``start``."""
    end = len(text) if start is None else start + 1
    return max((text.rfind(sign, 0, end) for sign in chars_of(signs)), default=-1)


STRING.method("Clone", lambda text: text, "string")
STRING.method("LastIndexOfAny", last_of_any, "int")
STRING.method(
    "CopyTo",
    lambda text, start, target, at, count: copy(
        Array(map(Char, text), "char"), start, target, at, count
    ),
)
STRING.method("IsNormalized", lambda text: unicodedata.is_normalized("NFC", text), "bool")
STRING.static("Intern", lambda text: text, "string")
STRING.static("IsInterned", lambda text: text, "string")
COMPARER.static(
    "Create",
    lambda culture, ignore_case: COMPARER.static_properties[
        "InvariantCultureIgnoreCase" if ignore_case else "InvariantCulture"
    ].call(),
    "StringComparer",
)


# Guid


def parse_guid_exact(text: Any, form: Any) -> uuid.UUID:
    """``ParseExact`` in format D, N, B or P."""
    pattern = _FORMS.get(str(form).upper())
    if pattern is None:
        raise bad_format("Format string can be only D, N, B or P in policy expressions.")
    if not pattern.fullmatch(str(text).strip()):
        raise bad_format("Unrecognized Guid format.")
    return parse_guid(text)


def try_parse_guid_exact(text: Any, form: Any) -> tuple[bool, uuid.UUID]:
    """``TryParseExact``."""
    try:
        return True, parse_guid_exact(text, form)
    except ExpressionFailure:
        return False, uuid.UUID(int=0)


GUID.static("ParseExact", parse_guid_exact, "Guid")
GUID.static("TryParseExact", try_parse_guid_exact, "bool", outs=1)


# Encoding

_PAGES: Final = {
    "utf-8": 65001, "us-ascii": 20127, "utf-16": 1200, "utf-16BE": 1201, "utf-32": 12000,
    "iso-8859-1": 28591,
}  # fmt: skip
_MARKS: Final = {
    "utf-8": b"\xef\xbb\xbf", "utf-16": b"\xff\xfe", "utf-16BE": b"\xfe\xff",
    "utf-32": b"\xff\xfe\x00\x00",
}  # fmt: skip


def characters(encoding: Encoding, data: Any, index: int = 0, count: int | None = None) -> Array:
    """``GetChars``."""
    part = bytes(data[index:] if count is None else data[index : index + count])
    return Array(map(Char, part.decode(encoding.codec, "replace")), "char")


def recoded(run: Run, source: Encoding, target: Encoding, data: Any) -> bytearray:
    """``Encoding.Convert``."""
    return get_bytes(run, target, bytes(data).decode(source.codec, "replace"))


ENCODING.property("CodePage", lambda e: _PAGES[e.name], "int")
for _name in ("BodyName", "HeaderName"):
    ENCODING.property(_name, lambda e: e.name, "string")
ENCODING.property("IsSingleByte", lambda e: e.name in ("us-ascii", "iso-8859-1"), "bool")
ENCODING.method("GetChars", characters, "char[]")
ENCODING.method("GetCharCount", lambda e, data: len(characters(e, data)), "int")
ENCODING.method("GetPreamble", lambda e: bytearray(_MARKS.get(e.name, b"")), "byte[]")
ENCODING.static("Convert", recoded, "byte[]")


# StringBuilder and StringWriter

BUILDER.property("Capacity", lambda b: max(16, len(b.clr_text())), "int")
BUILDER.property("MaxCapacity", lambda b: 2**31 - 1, "int")
BUILDER.method("EnsureCapacity", lambda b, capacity: max(capacity, len(b.clr_text())), "int")
BUILDER.method(
    "CopyTo",
    lambda b, start, target, at, count: copy(
        Array(map(Char, b.clr_text()), "char"), start, target, at, count
    ),
)


def set_length(run: Run, builder: Builder, length: int) -> None:
    """``builder.Length = …``: cut off, or filled up with the null character."""
    if length < 0:
        raise out_of_range("value")
    run.budget.allocate(length)
    builder.become(builder.clr_text()[:length].ljust(length, "\0"))


def set_sign(builder: Builder, index: int, sign: str) -> None:
    """``builder[i] = …``."""
    text = builder.clr_text()
    if not 0 <= index < len(text):
        raise out_of_range("index", "Index was out of range.")
    builder.become(text[:index] + sign + text[index + 1 :])


BUILDER.setter("Length", set_length)
BUILDER.indexed_by(lambda b, at: element(b.clr_text(), at), "char", set_sign)
WRITER.method("Flush", lambda writer: None)
WRITER.method("GetStringBuilder", lambda writer: Builder(writer.clr_text()), "StringBuilder")
WRITER.property("NewLine", lambda writer: "\n", "string")


# Exception

EXCEPTION.property("HelpLink", lambda e: None, "string")
EXCEPTION.method("GetBaseException", lambda e: base_of(e), "Exception")


def base_of(error: ExpressionFailure) -> ExpressionFailure:
    """``GetBaseException``: the innermost one."""
    while error.inner is not None:
        error = error.inner
    return error
