"""Conversion functions between JSON types."""

from __future__ import annotations

import json as json_codec
from decimal import Decimal
from typing import Any

from hybridmandate.orchestration.expressions.bounds import Frame
from hybridmandate.orchestration.expressions.dotnet.number_parse import (
    parse_decimal,
    parse_not_finite,
    parse_whole,
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
    as_decimal,
    bounded,
    checked,
    content_text,
    is_content,
    text_of,
)

conversion = Family("Conversion")


@conversion.function("array", required("value", ANY), example="array('hello')", gives=["hello"])
def array(frame: Frame, value: Any) -> list[Any]:
    """An array with the one value, also when that is an array."""
    return [value]


@conversion.function(
    "createArray",
    repeated("objects", ANY, least=0),
    example="createArray('h', 1, true)",
    gives=["h", 1, True],
)
def create_array(frame: Frame, *values: Any) -> list[Any]:
    """An array of the arguments.

    Without any it is an error of the run, not of the definition: published flows that were saved in
    the cloud hold such a call.
    """
    if not values:
        raise FunctionFault("It needs at least one argument", argument=1, expected="a value")
    return list(values)


@conversion.function(
    "bool", required("value", TEXT | NUMBER | BOOLEAN), example="bool(1)", gives=True
)
def bool_(frame: Frame, value: Any) -> bool:
    """The boolean of true, false, their text in any case, or a number (0 is false)."""
    if not isinstance(value, str):
        return bool(value)
    text = value.strip().lower()
    if text not in ("true", "false"):
        raise _not_converted(value, "a boolean")
    return text == "true"


@conversion.function(
    "int", required("value", TEXT | NUMBER | BOOLEAN), example="int('10')", gives=10
)
def int_(frame: Frame, value: Any) -> int:
    """The integer of a number, or of its text; one with a fraction has none."""
    if isinstance(value, str):
        found = parse_whole(value)
        if found is None:
            raise _not_converted(value, "an integer")
        return found
    if not isinstance(value, int) and value % 1 != 0:
        raise _not_converted(value, "a whole number")
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
    number = parse_not_finite(value, locale) if found is None else float(found)
    if number is None:
        raise _not_converted(value, "a float")
    return number


@conversion.function(
    "decimal",
    required("value", TEXT | NUMBER),
    example="string(decimal('1.2345678912312131'))",
    gives="1.2345678912312131",
)
def decimal(frame: Frame, value: Any) -> Decimal:
    """The decimal of a text, to 28 digits; it leaves an expression as the nearest double."""
    if not isinstance(value, str):
        return as_decimal(value)
    found = None if "e" in value.lower() else parse_decimal(value, "en-US")
    if found is None:
        raise _not_converted(value, "a decimal")
    return bounded(found)


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
            text.removeprefix("\ufeff"),
            parse_constant=_no_constant,
            parse_int=_integer,
            parse_float=_double,
            object_pairs_hook=_members,
        )
    except (ValueError, RecursionError) as wrong:
        raise FunctionFault(
            f"The value cannot be parsed as JSON: {str(wrong)[:200]}",
            argument=1,
            expected="JSON",
            value=text,
        ) from wrong


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The properties of an object; one that is repeated has its last value and its last place."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    found.clear()
    for name, value in pairs:
        found.pop(name, None)
        found[name] = value
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"'{name}' is no JSON value")


def _double(text: str) -> float:
    value = float(text)
    if value - value != 0:
        raise ValueError(f"{text[:40]} is too large for a number")
    return value


def _integer(text: str) -> int | float:
    """Integers that do not fit into 64 bits become doubles."""
    if len(text) > 400:
        raise ValueError("a number has too many digits")
    value = int(text)
    return value if -(2**63) <= value < 2**63 else float(value)
