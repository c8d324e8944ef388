"""Conversion functions between texts, base64, data URIs, URI components and content objects."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from hybridmandate.orchestration.expressions.bounds import Frame
from hybridmandate.orchestration.expressions.data_uris import decoded, open_data_uri
from hybridmandate.orchestration.expressions.registry import Family, repeated, required
from hybridmandate.orchestration.expressions.values import (
    ANY,
    NULL,
    TEXT,
    base64_bytes,
    content,
    content_bytes,
    is_content,
    text_of,
)

conversion = Family("Conversion")
GIVEN = ANY - NULL
_OCTETS = "application/octet-stream"
_PLAIN = "text/plain"


def bytes_of(frame: Frame, value: Any) -> bytes:
    """The bytes of a content object, or of the UTF-8 text of any other value."""
    return (
        content_bytes(value)
        if is_content(value)
        else text_of(frame, value).encode("utf-8", "surrogatepass")
    )


def encoded(frame: Frame, data: bytes) -> str:
    """Base64, within the result bound."""
    frame.admit_text((len(data) + 2) // 3 * 4)
    return base64.b64encode(data).decode("ascii")


@conversion.function(
    "base64", required("value", GIVEN), example="base64('hello')", gives="aGVsbG8="
)
def base64_(frame: Frame, value: Any) -> str:
    """The base64 form of a text (UTF-8) or of the bytes of a content object."""
    return encoded(frame, bytes_of(frame, value))


@conversion.function(
    "base64ToBinary",
    required("value", TEXT),
    example="base64ToBinary('aGVsbG8=')",
    gives={"$content-type": _OCTETS, "$content": "aGVsbG8="},
)
def base64_to_binary(frame: Frame, value: str) -> dict[str, Any]:
    """The content object of bytes in base64, which stays as it is written."""
    base64_bytes(value)
    return {"$content-type": _OCTETS, "$content": value}


@conversion.function(
    "base64ToString", required("value", TEXT), example="base64ToString('aGVsbG8=')", gives="hello"
)
def base64_to_string(frame: Frame, value: str) -> str:
    """The text whose UTF-8 form in base64 is given."""
    return base64_bytes(value).decode("utf-8", errors="replace")


@conversion.function(
    "decodeBase64", required("value", TEXT), example="decodeBase64('aGVsbG8=')", gives="hello"
)
def decode_base64(frame: Frame, value: str) -> str:
    """The same as base64ToString, under its older name."""
    return base64_to_string(frame, value)


@conversion.function(
    "binary",
    required("value", GIVEN),
    example="binary('hello')",
    gives={"$content-type": _OCTETS, "$content": "aGVsbG8="},
)
def binary(frame: Frame, value: Any) -> dict[str, Any]:
    """The content object of a value's text."""
    return content(_OCTETS, bytes_of(frame, value))


@conversion.function(
    "dataUri",
    required("value", GIVEN),
    example="dataUri('hello')",
    gives="data:text/plain;charset=utf-8;base64,aGVsbG8=",
)
def data_uri(frame: Frame, value: Any) -> str:
    """The data URI of a text, of a content object with its media type, or of any other as JSON."""
    if is_content(value):
        kind = str(value["$content-type"])
    else:
        kind = f"{'text/plain' if isinstance(value, str) else 'application/json'};charset=utf-8"
    return f"data:{kind};base64,{encoded(frame, bytes_of(frame, value))}"


@conversion.function(
    "dataUriToBinary",
    required("value", TEXT),
    example="dataUriToBinary('data:text/plain;charset=utf-8;base64,aGVsbG8=')",
    gives={"$content-type": "text/plain;charset=utf-8", "$content": "aGVsbG8="},
)
def data_uri_to_binary(frame: Frame, value: str) -> dict[str, Any]:
    """The content object of a data URI; base64 stays as it is written."""
    opened = open_data_uri(value)
    opened.check_media_type()
    return {"$content-type": opened.media_type or _PLAIN, "$content": opened.base64}


@conversion.function(
    "decodeDataUri",
    required("value", TEXT),
    example="decodeDataUri('data:text/plain;charset=utf-8;base64,aGVsbG8=')",
    gives="hello",
)
def decode_data_uri(frame: Frame, value: str) -> Any:
    """The content of a data URI: a text as it is, JSON parsed, any other as a content object."""
    return decoded(open_data_uri(value))


@conversion.function(
    "dataUriToString",
    required("value", TEXT),
    example="dataUriToString('data:text/plain;charset=utf-8;base64,aGVsbG8=')",
    gives="hello",
)
def data_uri_to_string(frame: Frame, value: str) -> str:
    """The text of a data URI in UTF-8."""
    opened = open_data_uri(value)
    opened.check_text()
    return base64_bytes(opened.base64).decode("utf-8", errors="replace")


@conversion.function(
    "uriComponent",
    repeated("value", ANY),
    example="uriComponent('https://contoso.com')",
    gives="https%3A%2F%2Fcontoso.com",
)
def uri_component(frame: Frame, *values: Any) -> str:
    """The text with all that is unsafe in a URI escaped; the texts of several values are joined."""
    parts = [quote(bytes_of(frame, each), safe="") for each in values]
    frame.admit_text(sum(map(len, parts)))
    return "".join(parts)


@conversion.function(
    "encodeUriComponent",
    repeated("value", ANY),
    example="encodeUriComponent('a b/c')",
    gives="a%20b%2Fc",
)
def encode_uri_component(frame: Frame, *values: Any) -> str:
    """The same as uriComponent, under its older name."""
    return uri_component(frame, *values)


@conversion.function(
    "decodeUriComponent",
    required("value", TEXT),
    example="decodeUriComponent('https%3A%2F%2Fcontoso.com')",
    gives="https://contoso.com",
)
def decode_uri_component(frame: Frame, value: str) -> str:
    """The text with escapes replaced by what they stand for, and each ``+`` by a space."""
    return unquote_to_bytes(value.replace("+", " ")).decode("utf-8", errors="replace")


@conversion.function(
    "uriComponentToString",
    required("value", TEXT),
    example="uriComponentToString('a%20b%26c')",
    gives="a b&c",
)
def uri_component_to_string(frame: Frame, value: str) -> str:
    """The text of a URI component."""
    return decode_uri_component(frame, value)


@conversion.function(
    "uriComponentToBinary",
    required("value", TEXT),
    example="uriComponentToBinary('a%20b')",
    gives={"$content-type": _OCTETS, "$content": "YSBi"},
)
def uri_component_to_binary(frame: Frame, value: str) -> dict[str, Any]:
    """The content object of a URI component."""
    return content(_OCTETS, unquote_to_bytes(value))
