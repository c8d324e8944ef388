"""object, bool, exceptions, delegates, anonymous types, tuples, Random, Environment."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.collections import (
    Anonymous,
    Delegate,
    Pair,
    Tuple,
)
from hybridmandate.governance.gateway.csharp.failures import (
    ExpressionFailure,
    argument,
    out_of_range,
)
from hybridmandate.governance.gateway.csharp.number_parsing import parse_boolean
from hybridmandate.governance.gateway.csharp.text import as_text
from hybridmandate.governance.gateway.csharp.types.table import (
    ENUM,
    OBJECT,
    ClrType,
    EnumValue,
    Run,
    find_type,
    full_name_of,
)


def equals(value: Any, other: Any) -> bool:
    """``Equals``: the same type and value."""
    if value is None or other is None:
        return value is other
    if type(value) is not type(other):
        return False
    if isinstance(value, list | dict | bytearray):
        return value is other
    same = getattr(value, "same_as", None)
    if same is not None and not list(value.clr_items()):
        return bool(same(other))
    return bool(value == other)


def hash_code(value: Any) -> int:
    """A number that is the same for equal values, in this process and every other."""
    digest = hashlib.blake2s(f"{full_name_of(value)}:{as_text(value)}".encode(), digest_size=4)
    return int.from_bytes(digest.digest(), "big", signed=True)


OBJECT.method("ToString", as_text, "string")
OBJECT.method("Equals", equals, "bool")
OBJECT.method("GetHashCode", hash_code, "int")
OBJECT.method("GetType", lambda value: TypeObject(value), "Type")
OBJECT.static("Equals", equals, "bool")
OBJECT.static("ReferenceEquals", lambda a, b: a is b, "bool")
OBJECT.constructed_by(lambda: Anonymous({}))


class TypeObject:
    """System.Type of a value."""

    __slots__ = ("full_name",)

    def __init__(self, value: Any) -> None:
        self.full_name = full_name_of(value)

    def clr_text(self) -> str:
        """The full name."""
        return self.full_name

    def __eq__(self, other: object) -> bool:
        return as_text(other) == self.full_name

    def __hash__(self) -> int:
        return hash(self.full_name)


TYPE: Final = ClrType("Type", "System.Type", TypeObject, base=OBJECT)
TYPE.property("FullName", lambda t: t.full_name, "string")
TYPE.property("Name", lambda t: t.full_name.split("[", 1)[0].rsplit(".", 1)[-1], "string")

BOOL: Final = ClrType("bool", "System.Boolean", bool, base=OBJECT)
BOOL.static("Parse", parse_boolean, "bool")
BOOL.method("CompareTo", lambda a, other: int(a) - int(other), "int")
BOOL.property("Value", bool, "bool")
BOOL.property("HasValue", lambda value: True, "bool")
BOOL.method("GetValueOrDefault", lambda value, default=None: value, "bool")
BOOL.constant("TrueString", "True", "string")
BOOL.constant("FalseString", "False", "string")


def try_parse_boolean(text: Any) -> tuple[bool, bool]:
    """``bool.TryParse``."""
    try:
        return True, parse_boolean(text)
    except ExpressionFailure:
        return False, False


BOOL.static("TryParse", try_parse_boolean, "bool", outs=1)

EXCEPTION: Final = ClrType("Exception", "System.Exception", ExpressionFailure, base=OBJECT)
EXCEPTION.property("Message", lambda e: e.message, "string")
EXCEPTION.property("InnerException", lambda e: e.inner, "Exception")
EXCEPTION.property("StackTrace", lambda e: "", "string")
EXCEPTION.property("Source", lambda e: "", "string")
EXCEPTION.method("ToString", lambda e: f"System.{e.dotnet_type}: {e.message}", "string")


def parse_enum(
    kind: Any = None, value: Any = None, ignore_case: Any = False, *, types: tuple[str, ...] = ()
) -> EnumValue:
    """``Enum.Parse(type, text)`` and ``Enum.Parse<T>(text)``; numbers are taken too.

    :raises ExpressionFailure: ArgumentException for no member of the enumeration.
    """
    if types:
        kind, value, ignore_case = types[0], kind, bool(value)
    declared = find_type(as_text(kind))
    if declared is None or not declared.values:
        raise argument("Type provided must be an Enum. (Parameter 'enumType')")
    text = as_text(value).strip()
    for label, member in declared.values.items():
        same = label.lower() == text.lower() if ignore_case else label == text
        if same or text == str(int(member)):
            found: EnumValue = member
            return found
    raise argument(f"Requested value '{text}' was not found.")


def try_parse_enum(*arguments: Any, types: tuple[str, ...] = ()) -> tuple[bool, Any]:
    """``Enum.TryParse<T>(text, out value)``."""
    try:
        return True, parse_enum(*arguments, types=types)
    except ExpressionFailure:
        return False, None


ENUM.static("Parse", parse_enum)
ENUM.static("TryParse", try_parse_enum, "bool", outs=1)

DELEGATE: Final = ClrType("Func", "System.Func", Delegate, base=OBJECT)
DELEGATE.method("Invoke", lambda f, *arguments: f(*arguments))
ACTION: Final = ClrType("Action", "System.Action", base=DELEGATE)
PREDICATE: Final = ClrType("Predicate", "System.Predicate", base=DELEGATE)

ANONYMOUS: Final = ClrType("anonymous", "<>f__AnonymousType", Anonymous, base=OBJECT)
TUPLE: Final = ClrType("ValueTuple", "System.ValueTuple", Tuple, base=OBJECT)
TUPLE.static("Create", lambda *items: Tuple(items), "")
TUPLE2: Final = ClrType("Tuple", "System.Tuple", base=TUPLE)
TUPLE.constructed_by(lambda *items, types=(): Tuple(items))
TUPLE2.constructed_by(lambda *items, types=(): Tuple(items))
TUPLE2.static("Create", lambda *items: Tuple(items), "ValueTuple")
for _number in range(1, 8):
    TUPLE.property(f"Item{_number}", lambda t, n=_number: t[n - 1])

PAIR: Final = ClrType("KeyValuePair", "System.Collections.Generic.KeyValuePair", Pair, base=OBJECT)
PAIR.property("Key", lambda pair: pair.key)
PAIR.property("Value", lambda pair: pair.value)
PAIR.constructed_by(lambda key, value, *, types=(): Pair(key, value))


class Random:
    """System.Random over the gateway's source of randomness; a seed has no effect on it."""

    __slots__ = ("source",)

    def __init__(self, run: Run) -> None:
        self.source = run.context.random


def next_number(random: Random, low: int | None = None, high: int | None = None) -> int:
    """``Next()``, ``Next(max)``, ``Next(min, max)``; the upper bound is exclusive."""
    if low is None:
        low, high = 0, 2**31 - 1
    elif high is None:
        low, high = 0, low
    assert high is not None
    if low > high:
        raise out_of_range("minValue", "'minValue' cannot be greater than maxValue.")
    return low if low == high else low + int(random.source() * (high - low))


def next_bytes(random: Random, buffer: bytearray) -> None:
    """``NextBytes``: fill a buffer."""
    for index in range(len(buffer)):
        buffer[index] = int(random.source() * 256)


RANDOM: Final = ClrType("Random", "System.Random", Random, base=OBJECT)
RANDOM.constructed_by(lambda run, seed=None: Random(run))
RANDOM.method("Next", next_number, "int")
RANDOM.method("NextDouble", lambda random: float(random.source()), "double")
RANDOM.method("NextBytes", next_bytes)

ENVIRONMENT: Final = ClrType("Environment", "System.Environment", base=OBJECT)
ENVIRONMENT.constant("NewLine", "\n", "string")
