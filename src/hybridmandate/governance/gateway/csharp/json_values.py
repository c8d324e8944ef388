"""Conversions of the values inside JSON: texts and the explicit operators of JToken."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.dates import (
    DateTime,
    DateTimeOffset,
    TimeSpan,
    parse_date_time,
    parse_offset,
    parse_time_span,
)
from hybridmandate.governance.gateway.csharp.failures import argument, bad_format
from hybridmandate.governance.gateway.csharp.number_parsing import (
    parse_boolean,
    parse_decimal,
    parse_double,
    parse_integer,
    round_to_integer,
)
from hybridmandate.governance.gateway.csharp.numbers import (
    INTEGERS,
    Byte,
    Char,
    Long,
    SByte,
    Short,
    Single,
    UInt,
    ULong,
    UShort,
    as_decimal,
    checked,
)
from hybridmandate.governance.gateway.csharp.text import as_text

_TO_INTEGER: Final[dict[str, type]] = {
    "int": int, "long": Long, "uint": UInt, "ulong": ULong, "short": Short, "ushort": UShort,
    "byte": Byte, "sbyte": SByte,
}  # fmt: skip


def value_text(value: Any) -> str:
    """The invariant text of a value; bytes as Base64."""
    if isinstance(value, bytearray):
        return base64.b64encode(value).decode()
    return as_text(value)


def cast_value(value: Any, kind: str, target: str) -> Any:
    """``(T)token`` for the value of a JValue.

    :raises ExpressionFailure: ArgumentException when there is no conversion, FormatException or
        OverflowException when the content does not fit.
    """
    nullable = target.endswith("?")
    head = target.removesuffix("?")
    if value is None:
        if nullable or head in ("string", "byte[]", "Uri"):
            return None
        raise argument(f"Can not convert Null to {title(head)}.")
    if head == "string":
        return value_text(value)
    if head == "bool":
        return _boolean(value, kind)
    if head in _TO_INTEGER:
        return _integer(value, kind, head)
    convert = _CONVERSIONS.get(head)
    if convert is None:
        raise argument(f"Can not convert {kind} to {title(head)}.")
    return convert(value, kind)


def title(name: str) -> str:
    """A C# type name as messages of Newtonsoft.Json spell it."""
    titles = {"int": "Int32", "long": "Int64", "bool": "Boolean"}
    return titles.get(name, name[:1].upper() + name[1:])


def _boolean(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return parse_boolean(value)
    if type(value) in INTEGERS or isinstance(value, float | Decimal):
        return bool(value)
    raise argument(f"Can not convert {kind} to Boolean.")


def _integer(value: Any, kind: str, head: str) -> Any:
    target = _TO_INTEGER[head]
    if isinstance(value, str):
        return parse_integer(value, target)
    if isinstance(value, float | Decimal):
        return round_to_integer(value, target)
    if isinstance(value, int):
        return checked(int(value), target)
    raise argument(f"Can not convert {kind} to {title(head)}.")


def _number(value: Any, kind: str) -> float:
    if isinstance(value, str):
        return parse_double(value)
    if isinstance(value, int | float | Decimal):
        return float(value)
    raise argument(f"Can not convert {kind} to Double.")


def _decimal(value: Any, kind: str) -> Decimal:
    if isinstance(value, str):
        return parse_decimal(value)
    if isinstance(value, int | float | Decimal):
        return as_decimal(value)
    raise argument(f"Can not convert {kind} to Decimal.")


def _date(value: Any, kind: str) -> DateTime:
    if isinstance(value, DateTime):
        return value
    if isinstance(value, DateTimeOffset):
        return DateTime(value.ticks)
    if isinstance(value, str):
        return parse_date_time(value)
    raise argument(f"Can not convert {kind} to DateTime.")


def _offset(value: Any, kind: str) -> DateTimeOffset:
    if isinstance(value, DateTimeOffset):
        return value
    if isinstance(value, DateTime):
        return DateTimeOffset(value.ticks)
    if isinstance(value, str):
        return parse_offset(value)
    raise argument(f"Can not convert {kind} to DateTimeOffset.")


def _span(value: Any, kind: str) -> TimeSpan:
    if isinstance(value, TimeSpan):
        return value
    if isinstance(value, str):
        return parse_time_span(value)
    raise argument(f"Can not convert {kind} to TimeSpan.")


def _guid(value: Any, kind: str) -> uuid.UUID:
    if isinstance(value, uuid.UUID):
        return value
    if isinstance(value, str):
        try:
            return uuid.UUID(value)
        except ValueError:
            raise bad_format("Unrecognized Guid format.") from None
    raise argument(f"Can not convert {kind} to Guid.")


def _bytes(value: Any, kind: str) -> bytearray:
    if isinstance(value, bytearray):
        return value
    if isinstance(value, str):
        try:
            return bytearray(base64.b64decode(value, validate=True))
        except ValueError:
            raise bad_format("The input is not a valid Base-64 string.") from None
    raise argument(f"Can not convert {kind} to byte array.")


def _char(value: Any, kind: str) -> Char:
    text = value_text(value)
    if len(text) != 1:
        raise bad_format("String must be exactly one character long.")
    return Char(text)


_CONVERSIONS: Final[dict[str, Callable[[Any, str], Any]]] = {
    "double": _number,
    "float": lambda value, kind: Single(_number(value, kind)),
    "decimal": _decimal,
    "DateTime": _date,
    "DateTimeOffset": _offset,
    "TimeSpan": _span,
    "Guid": _guid,
    "byte[]": _bytes,
    "char": _char,
}
