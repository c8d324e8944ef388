"""Convert.ChangeType, TypeCode, DBNull and Nullable.

Source: learn.microsoft.com, .NET API browser, System.Convert, System.TypeCode, System.Nullable.
"""

from __future__ import annotations

from typing import Any, Final

from hybridmandate.governance.gateway.csharp.failures import argument_null, invalid_cast
from hybridmandate.governance.gateway.csharp.types import linq_results
from hybridmandate.governance.gateway.csharp.types.basics import TYPE, TypeObject
from hybridmandate.governance.gateway.csharp.types.converting import CONVERT, decode_base64
from hybridmandate.governance.gateway.csharp.types.table import (
    OBJECT,
    TYPES,
    ClrType,
    EnumValue,
    enumeration,
    find_type,
    full_name_of,
    type_of,
)

CODES: Final = enumeration(
    "TypeCode", "System.TypeCode",
    {"Empty": 0, "Object": 1, "DBNull": 2, "Boolean": 3, "Char": 4, "SByte": 5, "Byte": 6,
     "Int16": 7, "UInt16": 8, "Int32": 9, "UInt32": 10, "Int64": 11, "UInt64": 12, "Single": 13,
     "Double": 14, "Decimal": 15, "DateTime": 16, "String": 18},
)  # fmt: skip


class NothingStored:
    """System.DBNull, which has one value."""

    __slots__ = ()

    def clr_text(self) -> str:
        """Empty."""
        return ""


_NULL: Final = NothingStored()
DB_NULL: Final = ClrType("DBNull", "System.DBNull", NothingStored, base=OBJECT)
DB_NULL.constant("Value", _NULL, "DBNull")


def _code_named(name: str) -> EnumValue:
    found: EnumValue = CODES.values.get(name, CODES.values["Object"])
    return found


def code_of(value: Any) -> EnumValue:
    """``Convert.GetTypeCode``."""
    if value is None:
        return _code_named("Empty")
    return _code_named(full_name_of(value).rpartition(".")[2])


def change_type(value: Any, conversion_type: Any, provider: Any = None) -> Any:
    """``Convert.ChangeType`` to a type or a type code.

    :raises ExpressionFailure: InvalidCastException for a type that Convert has no method for.
    """
    if conversion_type is None:
        raise argument_null("conversionType")
    name = (
        f"System.{conversion_type.label}"
        if isinstance(conversion_type, EnumValue)
        else _type_name(conversion_type)
    )
    if value is not None and full_name_of(value) == name:
        return value
    convert = CONVERT.static_methods.get(f"To{name.rpartition('.')[2]}")
    if convert is not None and name.startswith("System."):
        return convert.call(value)
    wanted = find_type(name)
    if value is None or (wanted is not None and type_of(value).derives_from(wanted)):
        return value
    raise invalid_cast(full_name_of(value), name)


def _type_name(given: Any) -> str:
    return given.full_name if isinstance(given, TypeObject) else str(given)


CONVERT.static("ChangeType", change_type, "object")
CONVERT.static("GetTypeCode", code_of, "TypeCode")
CONVERT.static("IsDBNull", lambda value: value is _NULL, "bool")
CONVERT.constant("DBNull", _NULL, "object")
CONVERT.static(
    "FromBase64CharArray",
    lambda signs, offset, length: decode_base64("".join(signs[offset : offset + length])),
    "byte[]",
)
for _name in (
    "bool", "char", "sbyte", "byte", "short", "ushort", "int", "uint", "long", "ulong", "float",
    "double", "decimal", "string", "DateTime",
):  # fmt: skip
    TYPES[_name].method("GetTypeCode", code_of, "TypeCode")

NULLABLE: Final = ClrType("Nullable", "System.Nullable", base=OBJECT)
NULLABLE.static("Compare", linq_results.order, "int")
NULLABLE.static("Equals", linq_results.same_value, "bool")
TYPE.property("Namespace", lambda t: t.full_name.rpartition(".")[0], "string")
