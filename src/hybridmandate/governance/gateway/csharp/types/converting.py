"""Convert, BitConverter and Guid."""

from __future__ import annotations

import base64
import binascii
import re
import struct
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.conversions import NUMERIC
from hybridmandate.governance.gateway.csharp.dates import DateTime, parse_date_time
from hybridmandate.governance.gateway.csharp.failures import (
    ExpressionFailure,
    argument,
    argument_null,
    bad_format,
    invalid_cast,
)
from hybridmandate.governance.gateway.csharp.number_parsing import (
    parse_boolean,
    parse_decimal,
    parse_double,
    parse_integer,
    round_to_integer,
)
from hybridmandate.governance.gateway.csharp.numbers import (
    INTEGERS,
    RANGES,
    Char,
    Long,
    Short,
    Single,
    UInt,
    ULong,
    UShort,
    as_decimal,
    checked,
    make_decimal,
    overflow,
    wrap,
)
from hybridmandate.governance.gateway.csharp.text import as_text, guid_text
from hybridmandate.governance.gateway.csharp.types.table import (
    OBJECT,
    ClrType,
    full_name_of,
)


def to_integer(value: Any, kind: type, base: Any = None) -> Any:
    """``Convert.ToInt32`` and its like: null is 0, reals round to even, all checked."""
    if value is None:
        return kind(0)
    if isinstance(value, Char):
        return checked(ord(value), kind)
    if isinstance(value, str):
        if type(base) is int:
            return _from_base(value, kind, base)
        return parse_integer(value, kind)
    if isinstance(value, float | Decimal):
        return round_to_integer(value, kind)
    if isinstance(value, int):
        return checked(int(value), kind)
    return _converted(value, next(n for n, k in NUMERIC.items() if k is kind))


def _from_base(text: str, kind: type, base: int) -> Any:
    if base not in (2, 8, 10, 16):
        raise argument("Invalid Base.")
    try:
        number = int(text.strip().replace("_", "!"), base)
    except ValueError:
        raise bad_format("Could not find any recognizable digits.") from None
    low, high = RANGES[kind]
    if base == 10:
        return checked(number, kind)
    if not 0 <= number <= high - low:
        raise overflow(kind)
    return wrap(number, kind)


def _converted(value: Any, target: str) -> Any:
    own = getattr(value, "clr_cast", None)
    if own is None:
        raise invalid_cast(full_name_of(value), "System.IConvertible")
    return own(target)


def to_double(value: Any, provider: Any = None) -> float:
    """``Convert.ToDouble``."""
    if value is None:
        return 0.0
    if isinstance(value, str):
        return parse_double(value)
    return (
        float(value)
        if isinstance(value, int | float | Decimal)
        else float(_converted(value, "double"))
    )


def to_decimal(value: Any, provider: Any = None) -> Decimal:
    """``Convert.ToDecimal``."""
    if value is None:
        return Decimal(0)
    if isinstance(value, str):
        return parse_decimal(value)
    if isinstance(value, int | float | Decimal):
        return as_decimal(value)
    return make_decimal(_converted(value, "decimal"))


def to_boolean(value: Any, provider: Any = None) -> bool:
    """``Convert.ToBoolean``."""
    if value is None:
        return False
    if isinstance(value, str):
        return parse_boolean(value)
    if isinstance(value, int | float | Decimal):
        return bool(value)
    return bool(_converted(value, "bool"))


def to_string(value: Any, base: Any = None) -> str:
    """``Convert.ToString``, also of an integer in base 2, 8 or 16."""
    if type(base) is int and type(value) in INTEGERS:
        if base not in (2, 8, 10, 16):
            raise argument("Invalid Base.")
        number = int(value)
        if number < 0 and base != 10:
            low, high = RANGES[type(value)]
            number += high - low + 1
        return format(number, {2: "b", 8: "o", 10: "d", 16: "x"}[base])
    return as_text(value)


def to_char(value: Any) -> Char:
    """``Convert.ToChar``."""
    if isinstance(value, str):
        if len(value) != 1:
            raise bad_format("String must be exactly one character long.")
        return Char(value)
    return Char(chr(checked(int(value), UShort)))


def to_date(value: Any, provider: Any = None) -> DateTime:
    """``Convert.ToDateTime``."""
    if value is None:
        return DateTime(0)
    if isinstance(value, DateTime):
        return value
    return parse_date_time(value) if isinstance(value, str) else _converted(value, "DateTime")


def decode_base64(text: Any) -> bytearray:
    """``Convert.FromBase64String``; white space between the signs does not count."""
    if text is None:
        raise argument_null("s")
    try:
        return bytearray(base64.b64decode(re.sub(r"[ \t\r\n]", "", text), validate=True))
    except (ValueError, binascii.Error):
        raise bad_format(
            "The input is not a valid Base-64 string as it contains a non-base 64 character, more "
            "than two padding characters, or an illegal character among the padding characters."
        ) from None


def encode_base64(data: Any, *options: Any) -> str:
    """``Convert.ToBase64String``."""
    if data is None:
        raise argument_null("inArray")
    numbers = [o for o in options if type(o) is int]
    part = data[numbers[0] : numbers[0] + numbers[1]] if len(numbers) == 2 else data
    return base64.b64encode(bytes(part)).decode()


def from_hex(text: str) -> bytearray:
    """``Convert.FromHexString``."""
    try:
        return bytearray(binascii.unhexlify(text))
    except (ValueError, binascii.Error):
        raise bad_format("The input is not a valid hex string.") from None


CONVERT: Final = ClrType("Convert", "System.Convert", base=OBJECT)
for _label, _name in (
    ("ToInt32", "int"), ("ToInt64", "long"), ("ToInt16", "short"), ("ToUInt32", "uint"),
    ("ToUInt64", "ulong"), ("ToUInt16", "ushort"), ("ToByte", "byte"), ("ToSByte", "sbyte"),
):  # fmt: skip
    CONVERT.static(
        _label, lambda value, base=None, k=NUMERIC[_name]: to_integer(value, k, base), _name
    )
CONVERT.static("ToDouble", to_double, "double")
CONVERT.static("ToSingle", lambda value, provider=None: Single(to_double(value)), "float")
CONVERT.static("ToDecimal", to_decimal, "decimal")
CONVERT.static("ToBoolean", to_boolean, "bool")
CONVERT.static("ToString", to_string, "string")
CONVERT.static("ToChar", to_char, "char")
CONVERT.static("ToDateTime", to_date, "DateTime")
CONVERT.static("FromBase64String", decode_base64, "byte[]")
CONVERT.static("ToBase64String", encode_base64, "string")
CONVERT.static("FromHexString", from_hex, "byte[]")
CONVERT.static("ToHexString", lambda data: data.hex().upper(), "string")
_LAYOUTS: Final[dict[type, str]] = {
    int: "<i", Long: "<q", UInt: "<I", ULong: "<Q", Short: "<h", UShort: "<H", float: "<d",
    Single: "<f", bool: "<?",
}  # fmt: skip


def get_bytes(value: Any) -> bytearray:
    """``BitConverter.GetBytes``."""
    if isinstance(value, Char):
        return bytearray(struct.pack("<H", ord(value)))
    layout = _LAYOUTS.get(type(value))
    if layout is None:
        raise argument(f"Bytes of {full_name_of(value)} are not defined.")
    return bytearray(struct.pack(layout, value))


def _reader(kind: type) -> Callable[[Any, int], Any]:
    layout = _LAYOUTS[kind]

    def read(value: Any, start_index: int = 0) -> Any:
        if start_index < 0 or start_index + struct.calcsize(layout) > len(value):
            raise argument("Destination array is not long enough to copy all the items.")
        return kind(struct.unpack_from(layout, value, start_index)[0])

    return read


def hex_dashes(value: bytearray, start_index: int = 0, length: int | None = None) -> str:
    """``BitConverter.ToString``: ``AB-CD``."""
    part = value[start_index:] if length is None else value[start_index : start_index + length]
    return part.hex("-").upper()


BITS: Final = ClrType("BitConverter", "System.BitConverter", base=OBJECT)
BITS.constant("IsLittleEndian", True, "bool")
BITS.static("GetBytes", get_bytes, "byte[]")
BITS.static("ToString", hex_dashes, "string")
for _label, _kind, _name in (
    ("ToInt32", int, "int"), ("ToInt64", Long, "long"), ("ToInt16", Short, "short"),
    ("ToUInt32", UInt, "uint"), ("ToUInt64", ULong, "ulong"), ("ToUInt16", UShort, "ushort"),
    ("ToDouble", float, "double"), ("ToSingle", Single, "float"), ("ToBoolean", bool, "bool"),
):  # fmt: skip
    BITS.static(_label, _reader(_kind), _name)
_USUAL_GUID: Final = re.compile(
    "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
)
_GUID: Final = re.compile(
    r"[{(]?([0-9a-f]{8})(-?)([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{12})[})]?",
    re.IGNORECASE,
)


def parse_guid(text: Any) -> uuid.UUID:
    """``Guid.Parse``."""
    if text is None:
        raise argument_null("input")
    if _USUAL_GUID.fullmatch(text):
        return uuid.UUID(int=int(text.replace("-", ""), 16))
    found = _GUID.fullmatch(text.strip())
    if found is None:
        raise bad_format(
            "Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx)."
        )
    return uuid.UUID(int=int("".join(found.group(1, 3, 4, 5, 6)), 16))


def try_parse_guid(text: Any) -> tuple[bool, uuid.UUID]:
    """``Guid.TryParse``."""
    try:
        return True, parse_guid(text)
    except ExpressionFailure:
        return False, uuid.UUID(int=0)


def new_guid(value: Any = None) -> uuid.UUID:
    """``new Guid()``, of a text or of 16 bytes."""
    if value is None:
        return uuid.UUID(int=0)
    return uuid.UUID(bytes_le=bytes(value)) if isinstance(value, bytearray) else parse_guid(value)


GUID: Final = ClrType("Guid", "System.Guid", uuid.UUID, base=OBJECT)
GUID.constructed_by(new_guid)
GUID.constant("Empty", uuid.UUID(int=0), "Guid")
GUID.constant("_default", uuid.UUID(int=0), "Guid")
GUID.static("NewGuid", lambda run: run.context.new_guid(), "Guid")
GUID.static("Parse", parse_guid, "Guid")
GUID.static("TryParse", try_parse_guid, "bool", outs=1)
GUID.method("ToString", lambda value, form=None: guid_text(value, form), "string")
GUID.method("ToByteArray", lambda value: bytearray(value.bytes_le), "byte[]")
GUID.method("CompareTo", lambda value, other: (value > other) - (value < other), "int")
