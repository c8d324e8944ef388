"""Numeric types, Math, Convert and BitConverter."""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
import uuid
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.conversions import NUMERIC
from hybridmandate.governance.gateway.csharp.dates import DateTime, parse_date_time
from hybridmandate.governance.gateway.csharp.failures import (
    ExpressionFailure,
    argument,
    argument_null,
    bad_format,
    invalid_cast,
    out_of_range,
)
from hybridmandate.governance.gateway.csharp.formats import number_text
from hybridmandate.governance.gateway.csharp.number_parsing import (
    parse_boolean,
    parse_decimal,
    parse_double,
    parse_integer,
    round_to_integer,
)
from hybridmandate.governance.gateway.csharp.numbers import (
    INTEGERS,
    MAX_DECIMAL,
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
    convert,
    make_decimal,
    overflow,
    promote,
    wrap,
)
from hybridmandate.governance.gateway.csharp.operators import BINARY
from hybridmandate.governance.gateway.csharp.text import as_text, guid_text
from hybridmandate.governance.gateway.csharp.types.strings import Culture
from hybridmandate.governance.gateway.csharp.types.table import (
    OBJECT,
    ClrType,
    EnumValue,
    enumeration,
    full_name_of,
)

_FULL: Final = {
    "int": "Int32", "long": "Int64", "uint": "UInt32", "ulong": "UInt64", "short": "Int16",
    "ushort": "UInt16", "byte": "Byte", "sbyte": "SByte", "double": "Double", "float": "Single",
    "decimal": "Decimal",
}  # fmt: skip
_HEX: Final = re.compile(r"[0-9A-Fa-f]{1,16}")


def to_text(value: Any, form: Any = None, culture: Any = None) -> str:
    """``ToString`` of a number."""
    return number_text(value, None if isinstance(form, Culture) else form)


def compare_to(value: Any, other: Any) -> int:
    """``CompareTo``."""
    if other is None:
        return 1
    return int(BINARY[">"](value, other)) - int(BINARY["<"](value, other))


def _parser(kind: type) -> Callable[..., Any]:
    def parse(s: Any, style: Any = None, provider: Any = None) -> Any:
        if isinstance(style, EnumValue) and int(style) & 512:
            text = as_text(s).strip()
            if not _HEX.fullmatch(text):
                raise bad_format()
            low, high = RANGES[kind]
            if int(text, 16) > high - low:
                raise overflow(kind)
            return wrap(int(text, 16), kind)
        if kind in INTEGERS:
            return parse_integer(s, kind)
        if kind is Decimal:
            return parse_decimal(s)
        return Single(parse_double(s)) if kind is Single else parse_double(s)

    return parse


def _try_parser(kind: type) -> Callable[..., tuple[bool, Any]]:
    parse = _parser(kind)

    def try_parse(s: Any, style: Any = None, provider: Any = None) -> tuple[bool, Any]:
        try:
            return True, parse(s, style, provider)
        except ExpressionFailure:
            return False, kind(0)

    return try_parse


def _declare(name: str, kind: type) -> ClrType:
    made = ClrType(name, f"System.{_FULL[name]}", kind, base=OBJECT)
    made.method("ToString", to_text, "string")
    made.method("CompareTo", compare_to, "int")
    made.property("Value", lambda value: value, name)
    made.property("HasValue", lambda value: True, "bool")
    made.method("GetValueOrDefault", lambda value, default=None: value, name)
    made.static("Parse", _parser(kind), name)
    made.static("TryParse", _try_parser(kind), "bool", outs=1)
    if kind in RANGES:
        low, high = RANGES[kind]
        made.constant("MinValue", kind(low), name)
        made.constant("MaxValue", kind(high), name)
    return made


INT: Final = _declare("int", int)
for _name, _kind in NUMERIC.items():
    if _name not in ("int", "char"):
        _declare(_name, _kind)


def _constants() -> None:
    from hybridmandate.governance.gateway.csharp.types.table import TYPES

    double, decimal, single = TYPES["double"], TYPES["decimal"], TYPES["float"]
    for name, value in (
        ("MaxValue", 1.7976931348623157e308), ("MinValue", -1.7976931348623157e308),
        ("Epsilon", 5e-324), ("NaN", math.nan), ("PositiveInfinity", math.inf),
        ("NegativeInfinity", -math.inf),
    ):  # fmt: skip
        double.constant(name, value, "double")
    double.static("IsNaN", lambda value: math.isnan(value), "bool")
    double.static("IsInfinity", lambda value: math.isinf(value), "bool")
    single.constant("MaxValue", Single(3.4028234663852886e38), "float")
    decimal.constant("MaxValue", MAX_DECIMAL, "decimal")
    decimal.constant("MinValue", -MAX_DECIMAL, "decimal")
    decimal.constant("Zero", Decimal(0), "decimal")
    decimal.constant("One", Decimal(1), "decimal")
    decimal.static("Round", lambda *a: rounded(*map(_decimal_or_same, a)), "decimal")


def _decimal_or_same(value: Any) -> Any:
    return value if isinstance(value, EnumValue) or type(value) is int else as_decimal(value)


# Math

ROUNDING: Final = enumeration(
    "MidpointRounding",
    "System.MidpointRounding",
    ["ToEven", "AwayFromZero", "ToZero", "ToNegativeInfinity", "ToPositiveInfinity"],
)
_MODES: Final = {
    "ToEven": ROUND_HALF_EVEN, "AwayFromZero": ROUND_HALF_UP, "ToZero": "ROUND_DOWN",
    "ToNegativeInfinity": ROUND_FLOOR, "ToPositiveInfinity": ROUND_CEILING,
}  # fmt: skip
_WIDE: Final = Context(prec=400)


def rounded(value: Any, digits: Any = 0, mode: Any = None) -> Any:
    """``Math.Round``: halves to even unless told otherwise."""
    if isinstance(digits, EnumValue):
        digits, mode = 0, digits
    if not 0 <= digits <= (28 if isinstance(value, Decimal) else 15):
        raise out_of_range("digits", "Rounding digits must be between 0 and 15, inclusive.")
    rounding = _MODES[mode.label if mode is not None else "ToEven"]
    unit = Decimal(1).scaleb(-digits)
    if isinstance(value, Decimal):
        return (
            value.quantize(unit, rounding=rounding, context=_WIDE)
            if value.as_tuple().exponent < -digits
            else value
        )  # type: ignore[operator]
    number = float(value)
    if not math.isfinite(number):
        return number
    shown = Decimal(repr(number)) if digits else Decimal(number)
    return float(shown.quantize(unit, rounding=rounding, context=_WIDE))


def _whole(rounding: str) -> Callable[[Any], Any]:
    def run(value: Any) -> Any:
        if isinstance(value, Decimal):
            return value.to_integral_value(rounding)
        number = float(value)
        if not math.isfinite(number):
            return number
        return float(Decimal(number).to_integral_value(rounding))

    return run


def absolute(value: Any) -> Any:
    """``Math.Abs``. :raises ExpressionFailure: OverflowException for the smallest integer."""
    kind = type(value)
    if kind in INTEGERS:
        if abs(int(value)) > RANGES[kind][1]:
            raise ExpressionFailure(
                "Negating the minimum value of a twos complement number is invalid.",
                "OverflowException",
            )
        return kind(abs(value))
    return abs(value) if isinstance(value, Decimal) else kind(abs(value))


def _pick(sign: str) -> Callable[[Any, Any], Any]:
    def run(val1: Any, val2: Any) -> Any:
        kind = promote(val1, val2)
        if kind is float and (math.isnan(val1) or math.isnan(val2)):
            return math.nan
        return convert(val1 if BINARY[sign](val1, val2) else val2, kind)

    return run


def power(x: Any, y: Any) -> float:
    """``Math.Pow``; what is no number becomes NaN, what is too large infinity."""
    try:
        result = math.pow(float(x), float(y))
    except OverflowError:
        return math.inf
    except ValueError:
        return math.inf if float(x) == 0 else math.nan
    return result


def _real(function: Callable[[float], float], pole: float = math.nan) -> Callable[[Any], float]:
    def run(value: Any) -> float:
        try:
            return function(float(value))
        except ValueError:
            return pole if float(value) == 0 else math.nan
        except OverflowError:
            return math.inf

    return run


def logarithm(value: Any, base: Any = None) -> float:
    """``Math.Log``."""
    number = _real(math.log, -math.inf)(value)
    return number if base is None else number / _real(math.log, -math.inf)(base)


MATH: Final = ClrType("Math", "System.Math", base=OBJECT)
MATH.constant("PI", math.pi, "double")
MATH.constant("E", math.e, "double")
MATH.static("Round", rounded, "")
MATH.static("Floor", _whole(ROUND_FLOOR), "")
MATH.static("Ceiling", _whole(ROUND_CEILING), "")
MATH.static("Truncate", _whole("ROUND_DOWN"), "")
MATH.static("Abs", absolute, "")
MATH.static("Max", _pick(">="), "")
MATH.static("Min", _pick("<="), "")
MATH.static("Pow", power, "double")
MATH.static("Sqrt", _real(math.sqrt), "double")
MATH.static("Exp", _real(math.exp), "double")
MATH.static("Log", logarithm, "double")
MATH.static("Log10", _real(math.log10, -math.inf), "double")
for _label in ("Sin", "Cos", "Tan", "Asin", "Acos", "Atan"):
    MATH.static(_label, _real(getattr(math, _label.lower())), "double")
MATH.static("Atan2", lambda y, x: math.atan2(y, x), "double")
MATH.static("Sign", lambda value: (value > 0) - (value < 0), "int")
MATH.static("Clamp", lambda value, low, high: _pick(">=")(low, _pick("<=")(value, high)), "")


# Convert


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


# BitConverter: little-endian, as on the gateways

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


def hex_dashes(value: Any, start_index: int = 0, length: int | None = None) -> str:
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


# Guid


_GUID: Final = re.compile(
    r"[{(]?([0-9a-f]{8})(-?)([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{4})\2([0-9a-f]{12})[})]?",
    re.IGNORECASE,
)


def parse_guid(text: Any) -> uuid.UUID:
    """``Guid.Parse``."""
    if text is None:
        raise argument_null("input")
    found = _GUID.fullmatch(text.strip())
    if found is None:
        raise bad_format(
            "Guid should contain 32 digits with 4 dashes (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx)."
        )
    return uuid.UUID("".join(found.group(1, 3, 4, 5, 6)))


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

_constants()
