"""Conversion functions between JSON types."""

from __future__ import annotations

import json as json_codec
from decimal import Decimal
from typing import Any

from hybridmandate.orchestration.expressions.bounds import Frame
from hybridmandate.orchestration.expressions.dotnet.number_parse import (
    parse_decimal,
    parse_integer,
)
from hybridmandate.orchestration.expressions.errors import FunctionFault
from hybridmandate.orchestration.expressions.functions.xml_documents import (
    is_xml,
    json_of_xml,
)
from hybridmandate.orchestration.expressions.registry import Family, optional, repeated, required
from hybridmandate.orchestration.expressions.values import (
    ANY,
    BOOLEAN,
    NUMBER,
    TEXT,
    checked,
    content_text,
    is_content,
    text_of,
)

conversion = Family("Conversion")


@conversion.function("array", required("value", ANY), example="array('hello')", gives=["hello"])
def array(frame: Frame, value: Any) -> list[Any]:
    """An array with the one value; an array stays as it is."""
    return value if isinstance(value, list) else [value]


@conversion.function(
    "createArray",
    repeated("objects", ANY, least=0),
    example="createArray('h', 1, true)",
    gives=["h", 1, True],
)
def create_array(frame: Frame, *values: Any) -> list[Any]:
    """An array of the arguments."""
    return list(values)


@conversion.function(
    "bool", required("value", TEXT | NUMBER | BOOLEAN), example="bool(1)", gives=True
)
def bool_(frame: Frame, value: Any) -> bool:
    """The boolean of true, false, a number (0 is false) or the text of either."""
    if not isinstance(value, str):
        return bool(value)
    text = value.strip().lower()
    if text in ("true", "false"):
        return text == "true"
    number = parse_integer(text)
    if number is None:
        raise _not_converted(value, "a boolean")
    return number != 0


@conversion.function(
    "int", required("value", TEXT | NUMBER | BOOLEAN), example="int('10')", gives=10
)
def int_(frame: Frame, value: Any) -> int:
    """The integer of a text; of a number its whole part."""
    if isinstance(value, str):
        found = parse_integer(value)
        if found is None:
            raise _not_converted(value, "an integer")
        return found
    return checked(int(value))


@conversion.function(
    "float",
    required("value", TEXT | NUMBER),
    optional("locale", TEXT),
    example="float('10.000,333', 'de-DE')",
    gives=10000.333,
)
def float_(frame: Frame, value: Any, locale: str = "en-US") -> float:
    """The double of a text in a culture, en-US when none is given."""
    if not isinstance(value, str):
        return float(value)
    found = parse_decimal(value, locale)
    if found is None:
        raise _not_converted(value, "a float")
    return float(found)


@conversion.function(
    "decimal",
    required("value", TEXT | NUMBER),
    example="string(decimal('1.2345678912312131'))",
    gives="1.2345678912312131",
)
def decimal(frame: Frame, value: Any) -> Decimal:
    """The decimal of a text, to 28 digits; it leaves an expression as the nearest double."""
    if isinstance(value, float):
        return Decimal(repr(value))
    if not isinstance(value, str):
        return Decimal(value)
    found = parse_decimal(value, "en-US")
    if found is None or found.adjusted() > 28:
        raise _not_converted(value, "a decimal")
    places = found.as_tuple().exponent
    if isinstance(places, int) and places < -28:
        return round(found, 28)
    return found


def _not_converted(value: Any, kind: str) -> FunctionFault:
    return FunctionFault(
        "The value cannot be converted to the target type", argument=1, expected=kind, value=value
    )


@conversion.function("string", required("value", ANY), example="string(10)", gives="10")
def string(frame: Frame, value: Any) -> str:
    """The text form of a value: JSON of arrays and objects, nothing of null."""
    return text_of(frame, value)


@conversion.function(
    "json", required("value", ANY), example='json(\'{"name": "Ada"}\')', gives={"name": "Ada"}
)
def json(frame: Frame, value: Any) -> Any:
    """The JSON value that a text holds, or the JSON form of XML."""
    if is_content(value):
        if is_xml(value):
            return json_of_xml(frame, content_text(value))
        value = content_text(value)
    if value is None or not isinstance(value, str):
        if isinstance(value, list | dict | int | float | bool | Decimal):
            return value
        raise FunctionFault(
            "The value must be a string or XML",
            argument=1,
            expected="a string or XML",
            value=value,
        )
    return _parsed(frame, value)


def _parsed(frame: Frame, text: str) -> Any:
    frame.spend(len(text) // 16)
    try:
        return json_codec.loads(
            text.removeprefix("\ufeff"), parse_constant=_no_constant, parse_int=_integer
        )
    except (ValueError, RecursionError) as wrong:
        raise FunctionFault(
            f"The value cannot be parsed as JSON: {str(wrong)[:200]}",
            argument=1,
            expected="JSON",
            value=text,
        ) from wrong


def _no_constant(name: str) -> Any:
    raise ValueError(f"'{name}' is no JSON value")


def _integer(text: str) -> int | float:
    """Integers that do not fit into 64 bits become doubles."""
    if len(text) > 400:
        raise ValueError("a number has too many digits")
    value = int(text)
    return value if -(2**63) <= value < 2**63 else float(value)
