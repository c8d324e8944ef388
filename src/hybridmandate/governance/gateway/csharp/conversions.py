"""Casts, ``is``/``as`` tests and the conversions of a declared type."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from hybridmandate.governance.gateway.csharp import numbers
from hybridmandate.governance.gateway.csharp.collections import (
    Array,
    Tuple,
    is_enumerable,
)
from hybridmandate.governance.gateway.csharp.failures import (
    argument_null,
    invalid_cast,
    null_reference,
)
from hybridmandate.governance.gateway.csharp.types.table import (
    ENUM,
    EnumValue,
    find_type,
    full_name_of,
    type_of,
)

NUMERIC: Final[dict[str, type]] = {
    "int": int,
    "long": numbers.Long,
    "uint": numbers.UInt,
    "ulong": numbers.ULong,
    "short": numbers.Short,
    "ushort": numbers.UShort,
    "byte": numbers.Byte,
    "sbyte": numbers.SByte,
    "double": float,
    "float": numbers.Single,
    "decimal": Decimal,
    "char": numbers.Char,
}
VALUE_TYPES: Final = frozenset(NUMERIC) | {
    "bool", "DateTime", "DateTimeOffset", "TimeSpan", "Guid", "KeyValuePair", "ValueTuple",
}  # fmt: skip
_ANYTHING: Final = frozenset({"object", "dynamic", "var", ""})
_INTERFACES: Final[dict[str, Callable[[Any], bool]]] = {
    "IEnumerable": lambda v: is_enumerable(v) or isinstance(v, str),
    "IList": lambda v: isinstance(v, list | bytearray),
    "ICollection": lambda v: isinstance(v, list | bytearray | set | dict),
    "IReadOnlyList": lambda v: isinstance(v, list | bytearray),
    "IReadOnlyCollection": lambda v: isinstance(v, list | bytearray | set),
    "IComparable": lambda v: hasattr(v, "__lt__"),
}
Converter = Callable[[Any], Any]


def head_of(name: str) -> str:
    """A type name without type arguments and nullable mark; arrays keep their brackets."""
    name = name.removesuffix("?")
    return name if name.endswith("]") else name.split("<", 1)[0]


def is_instance(value: Any, target: str) -> bool:
    """``value is T`` for a value that may be null."""
    if value is None:
        return False
    head = head_of(target)
    if head in _ANYTHING:
        return True
    if head in NUMERIC:
        return type(value) is NUMERIC[head]
    interface = _INTERFACES.get(head)
    if interface is not None:
        return interface(value)
    if head.endswith("]"):
        return _is_array(value, head)
    wanted = find_type(head)
    assert wanted is not None
    return type_of(value).derives_from(wanted) or (
        isinstance(value, EnumValue) and wanted.name == value.enum
    )


def _is_array(value: Any, target: str) -> bool:
    if isinstance(value, bytearray):
        return target == "byte[]"
    if not isinstance(value, Array):
        return False
    element = target[:-2]
    return element == value.element or (
        element not in VALUE_TYPES and value.element not in VALUE_TYPES and element == "object"
    )


def cast_to(target: str, source: str) -> Converter:
    """An explicit conversion; ``source`` is the static type of the operand, "" when unknown."""
    head = head_of(target)
    nullable = target.endswith("?")
    if head in _ANYTHING:
        return lambda value: value
    kind = NUMERIC.get(head)
    if kind is not None:
        return _numeric_cast(target, head, kind, source, nullable)
    wanted = find_type(head)
    assert wanted is not None
    value_type = head in VALUE_TYPES and not nullable
    known: set[type] = set()
    by_class = not head.endswith("]") and wanted.base is not ENUM

    def run(value: Any) -> Any:
        if type(value) in known:
            return value
        if value is None:
            if value_type:
                raise _null_of(source)
            return None
        if is_instance(value, target):
            if by_class and not isinstance(value, EnumValue):
                known.add(type(value))
            return value
        converted = _own_conversion(value, target)
        if converted is not _NONE:
            return converted
        if wanted.cast is not None and source != "object":
            return wanted.cast(value)
        if wanted.base is ENUM and isinstance(value, int):
            return EnumValue(int(value), wanted.name, str(int(value)))
        raise invalid_cast(full_name_of(value), _target_name(target))

    return run


def _numeric_cast(target: str, head: str, kind: type, source: str, nullable: bool) -> Converter:
    boxed = source == "object"

    def run(value: Any) -> Any:
        if type(value) is kind:
            return value
        if value is None:
            if nullable:
                return None
            raise _null_of(source)
        if type(value) in numbers.PROMOTED:
            if boxed:
                raise invalid_cast(full_name_of(value), _target_name(head))
            return numbers.convert(value, kind)
        if isinstance(value, EnumValue):
            return numbers.wrap(int(value), kind)
        converted = _own_conversion(value, target)
        if converted is _NONE:
            raise invalid_cast(full_name_of(value), _target_name(head))
        return converted

    return run


_NONE: Final = object()


def _own_conversion(value: Any, target: str) -> Any:
    """What the value's own explicit operator makes of it (JToken, XElement, XAttribute)."""
    own = getattr(value, "clr_cast", None)
    return _NONE if own is None else own(target)


def _null_of(source: str) -> Exception:
    if source.startswith("J") or source in ("XElement", "XAttribute"):
        return argument_null("value" if source.startswith("J") else "element")
    return null_reference()


def _target_name(target: str) -> str:
    found = find_type(head_of(target))
    assert found is not None
    if target.endswith("]"):
        element = find_type(target[:-2])
        return "System.Object[]" if element is None else f"{element.full_name}[]"
    return found.full_name


def declared(target: str) -> Converter | None:
    """The implicit conversion when a value is stored under a declared type; None for no change."""
    head = head_of(target)
    kind = NUMERIC.get(head)
    if kind is not None:

        def to_number(value: Any) -> Any:
            if type(value) is kind or value is None:
                return value
            if type(value) in numbers.PROMOTED:
                return numbers.convert(value, kind)
            raise invalid_cast(full_name_of(value), _target_name(head))

        return to_number
    found = None if head in _ANYTHING else find_type(head)
    cast = None if found is None else found.cast
    if cast is None:
        return _element_conversion(target)
    return lambda value: value if value is None or is_instance(value, head) else cast(value)


def _element_conversion(target: str) -> Converter | None:
    if not target.startswith("("):
        return None
    names = [part.strip().rsplit(" ", 1)[-1] for part in target[1:-1].split(",")]

    def rename(value: Any) -> Any:
        return Tuple(value, names) if isinstance(value, Tuple) else value

    return rename


def default_of(target: str) -> Any:
    """``default(T)``."""
    if target.endswith(("?", "]")):
        return None
    head = head_of(target)
    if head == "bool":
        return False
    if head == "char":
        return numbers.Char("\0")
    if head in NUMERIC:
        return NUMERIC[head](0)
    found = find_type(head)
    if found is None:
        return None
    if found.base is ENUM:
        return next(iter(found.values.values()))
    empty = found.static_properties.get("_default")
    return None if empty is None else empty.call()
