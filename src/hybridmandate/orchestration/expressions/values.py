"""Values of the language: their types' names, equality, text form and size.

A value is JSON: None, bool, int, float, Decimal, str, list, dict. Binary and XML values are content
objects, ``{"$content-type": …, "$content": base64}``, as the platform shows them.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from hybridmandate.orchestration.expressions.bounds import Frame
from hybridmandate.orchestration.expressions.errors import ExpressionEvaluationError, FunctionFault

INT_LOWEST, INT_HIGHEST = -(2**63), 2**63 - 1
DECIMAL_HIGHEST = Decimal(2**96 - 1)

TYPE_NAMES: dict[type, str] = {
    type(None): "Null",
    bool: "Boolean",
    int: "Integer",
    float: "Float",
    Decimal: "Float",
    str: "String",
    list: "Array",
    dict: "Object",
}

_NO_CHARSETS = frozenset(
    {"base64", "bz2", "hex", "idna", "punycode", "quopri", "raw-unicode-escape", "rot-13"}
    | {"undefined", "unicode-escape", "uu", "zlib"}
)
"""Codecs of Python that are no charset: names and texts, escapes, compression."""
_LINE_ENDS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}

NUMBER = frozenset((int, float, Decimal))
INTEGER = frozenset((int,))
TEXT = frozenset((str,))
BOOLEAN = frozenset((bool,))
ARRAY = frozenset((list,))
OBJECT = frozenset((dict,))
NULL = frozenset((type(None),))
ANY = frozenset(TYPE_NAMES)


def type_name(value: Any) -> str:
    """The platform's name of a value's type."""
    return TYPE_NAMES.get(type(value), type(value).__name__)


def is_number(value: Any) -> bool:
    return type(value) in NUMBER


def checked(value: int) -> int:
    """A 64-bit integer. :raises FunctionFault: when the result does not fit."""
    if INT_LOWEST <= value <= INT_HIGHEST:
        return value
    raise FunctionFault("The arithmetic operation resulted in an overflow of a 64-bit integer")


def bounded(value: Decimal) -> Decimal:
    """A decimal of .NET: 96 bits, at most 28 places behind the point.

    :raises FunctionFault: when it is larger than the largest one.
    """
    if not -DECIMAL_HIGHEST <= value <= DECIMAL_HIGHEST:
        raise FunctionFault("Value was either too large or too small for a Decimal")
    places = value.as_tuple().exponent
    return round(value, 28) if isinstance(places, int) and places < -28 else value


def as_decimal(value: int | float | Decimal) -> Decimal:
    """The decimal of a number; a double with a whole value has no places.

    :raises FunctionFault: when it is too large for one, or not finite.
    """
    if not isinstance(value, float):
        return bounded(Decimal(value))
    if value - value != 0:
        raise FunctionFault("A decimal is a finite number", value=number_text(value))
    return bounded(Decimal(repr(value).removesuffix(".0")))


def same(frame: Frame, left: Any, right: Any) -> bool:
    """Equality of the language: numbers by value whatever their type, all else type and value."""
    if left is right:
        return True
    left_type, right_type = type(left), type(right)
    if left_type in NUMBER and right_type in NUMBER:
        return bool(left == right)
    if left_type is not right_type:
        return False
    if left_type is list:
        frame.spend(len(left) + 1)
        return len(left) == len(right) and all(
            same(frame, one, other) for one, other in zip(left, right, strict=True)
        )
    if left_type is dict:
        frame.spend(len(left) + 1)
        return left.keys() == right.keys() and all(
            same(frame, value, right[key]) for key, value in left.items()
        )
    return bool(left == right)


def identity(frame: Frame, value: Any) -> Any:
    """A hashable key, equal for values that are the ``same``: long arrays compare by lookup."""
    frame.spend(1)
    kind = type(value)
    if kind in NUMBER:
        return ("Number", value)
    if kind is list:
        return (kind, tuple(identity(frame, each) for each in value))
    if kind is dict:
        return (kind, frozenset((key, identity(frame, each)) for key, each in value.items()))
    return (kind, value)


def number_text(value: float | Decimal | int) -> str:
    """The text form of a number (.NET: shortest form that reads back, ``E+16`` from 1E+15 on)."""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0" if str(value)[0] == "-" else "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    point = len(text) + int(exponent)
    minus = "-" if sign else ""
    if -4 < point <= 15:
        if point <= 0:
            return f"{minus}0.{'0' * -point}{text}"
        if point >= len(text):
            return f"{minus}{text}{'0' * (point - len(text))}"
        return f"{minus}{text[:point]}.{text[point:]}"
    fraction = f".{text[1:]}" if len(text) > 1 else ""
    power = point - 1
    return f"{minus}{text[0]}{fraction}E{'-' if power < 0 else '+'}{abs(power):02d}"


def text_of(frame: Frame, value: Any) -> str:
    """The text form of a value, as in ``@{…}``, ``string()`` and ``concat()``."""
    kind = type(value)
    if kind is str:
        text: str = value
        return text
    if value is None:
        return ""
    if kind is bool:
        return "True" if value else "False"
    if kind in NUMBER:
        return number_text(value)
    if is_content(value):
        return content_text(value)
    return json_text(frame, value)


def json_text(frame: Frame, value: Any) -> str:
    """Compact JSON. :raises ExpressionEvaluationError: when it grows over the result bound."""
    parts: list[str] = []
    length = 0
    for part in _json_parts(value, 0, frame.bounds.depth * 2):
        length += len(part)
        if length > frame.bounds.result:
            frame.admit_text(length)
        parts.append(part)
    frame.spend(len(parts))
    return "".join(parts)


def _quoted(text: str) -> str:
    """A JSON string as Newtonsoft.Json writes it: it escapes the line ends of Unicode too."""
    quoted = json.dumps(text, ensure_ascii=False)
    return quoted if text.isascii() else quoted.translate(_LINE_ENDS)


def _json_parts(value: Any, depth: int, deepest: int) -> Iterator[str]:
    kind = type(value)
    if kind is str:
        yield _quoted(value)
    elif value is None:
        yield "null"
    elif kind is bool:
        yield "true" if value else "false"
    elif kind is float or kind is Decimal:
        text = number_text(value)
        if not text[-1].isdigit():
            text = f'"{text}"'
        yield text if "." in text or "E" in text or text[0] == '"' else f"{text}.0"
    elif kind in NUMBER:
        yield number_text(value)
    elif depth > deepest:
        raise ExpressionEvaluationError(f"The value is nested deeper than {deepest} levels.")
    elif kind is list:
        yield "["
        for index, item in enumerate(value):
            if index:
                yield ","
            yield from _json_parts(item, depth + 1, deepest)
        yield "]"
    else:
        yield "{"
        for index, (key, item) in enumerate(value.items()):
            yield f"{',' if index else ''}{_quoted(key)}:"
            yield from _json_parts(item, depth + 1, deepest)
        yield "}"


def weigh(frame: Frame, value: Any) -> None:
    """Refuse an array or object that holds more values than the bound (shared parts count each)."""
    waiting = [value]
    count = 0
    while waiting:
        each = waiting.pop()
        count += 1
        if count > frame.bounds.items:
            raise ExpressionEvaluationError(
                f"The template language expression evaluation exceeds the limit: the result has "
                f"more than {frame.bounds.items} values."
            )
        if type(each) is list:
            waiting.extend(each)
        elif type(each) is dict:
            waiting.extend(each.values())


def as_json(value: Any) -> Any:
    """The value in JSON's numbers: decimals as the nearest double, what is not finite as text."""
    if type(value) is Decimal:
        return float(value)
    if type(value) is float and value - value != 0:
        return number_text(value)
    if type(value) is list:
        return [as_json(each) for each in value]
    if type(value) is dict:
        return {key: as_json(each) for key, each in value.items()}
    return value


# Content objects


def content(kind: str, data: bytes) -> dict[str, Any]:
    """A content object of a media type."""
    return {"$content-type": kind, "$content": base64.b64encode(data).decode("ascii")}


def is_content(value: Any) -> bool:
    """Whether a value is a content object."""
    return type(value) is dict and "$content-type" in value and "$content" in value


def content_bytes(value: dict[str, Any]) -> bytes:
    """The bytes of a content object. :raises FunctionFault: when they are not base64."""
    data = value["$content"]
    if not isinstance(data, str):
        raise FunctionFault("The '$content' of the value is not a string", value=data)
    return base64_bytes(data)


def content_text(value: dict[str, Any]) -> str:
    """The text of a content object in the charset of its type, UTF-8 when it names none.

    Bytes that are no text in the charset are replaced.

    :raises FunctionFault: when a parameter of the type has no value, or the charset is unknown.
    """
    return content_bytes(value).decode(_charset(str(value["$content-type"])), errors="replace")


def _charset(content_type: str) -> str:
    name = "utf-8"
    for parameter in content_type.split(";")[1:]:
        key, equals, text = parameter.partition("=")
        if key.strip() and not equals:
            raise FunctionFault("A parameter of the content type has no value", value=content_type)
        if key.strip().lower() == "charset":
            name = text.strip().strip('"')
    try:
        found = codecs.lookup(name).name
    except LookupError:
        found = ""
    if not found or found in _NO_CHARSETS:
        raise FunctionFault("The charset of the content is unknown", value=name)
    return "utf-8-sig" if found == "utf-8" else found


def base64_bytes(text: str) -> bytes:
    """Decode base64 strictly. :raises FunctionFault: when the text is not base64."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as wrong:
        raise FunctionFault(
            "The value cannot be decoded from base64 representation", argument=1, value=text
        ) from wrong
