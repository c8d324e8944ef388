"""Data URIs (RFC 2397) as the platform's functions read them.

Beside the functions' reference, what is refused was seen on the platform's runtime by the authors
of IllogicApps: an odd media type only where a binary is made of it, a charset other than UTF-8 only
where it is the first parameter of a text.
"""

from __future__ import annotations

import base64
import codecs
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from hybridmandate.orchestration.expressions.errors import FunctionFault
from hybridmandate.orchestration.expressions.values import content_text

_START = "data:"
_BASE64 = "base64"


@dataclass(frozen=True, slots=True)
class DataUri:
    """An opened data URI: media type with parameters (empty where there is none) and content."""

    media_type: str
    base64: str
    text: str
    """The whole URI, for errors."""

    def check_media_type(self) -> None:
        """:raises FunctionFault: when the media type or a parameter is not well-formed."""
        if not self.media_type:
            return
        kind, *parameters = self.media_type.split(";")
        if kind.count("/") != 1:
            raise self._fault(f"'{kind}' is not a media type")
        if any(each.count("=") > 1 for each in parameters):
            raise self._fault("a parameter of the media type has two values")
        for each in parameters:
            self._check_charset(each)

    def check_text(self) -> None:
        """:raises FunctionFault: when the content is not said to be a text in UTF-8."""
        if not self.media_type:
            return
        kind, *parameters = self.media_type.split(";")
        if not kind:
            raise self._fault("the media type is empty")
        if parameters and self._check_charset(parameters[0]) not in (None, "utf-8"):
            raise self._fault("the text is not in UTF-8")

    def _check_charset(self, parameter: str) -> str | None:
        name, _, charset = parameter.partition("=")
        if name.strip().lower() != "charset":
            return None
        try:
            return codecs.lookup(charset.strip()).name
        except LookupError:
            raise self._fault(f"'{charset}' is not a charset") from None

    def _fault(self, reason: str) -> FunctionFault:
        return FunctionFault(
            f"The value is not a data URI: {reason}",
            argument=1,
            expected="a data URI",
            value=self.text,
        )


def decoded(uri: DataUri) -> Any:
    """What ``decodeDataUri`` makes of an opened data URI: content as a connector's body is read.

    A text is a text, JSON is parsed (a text when it is none), any other content stays an object
    with its type, whose charset is ``us-ascii`` when it names none (RFC 2397). Seen in the cloud by
    the authors of FlowForger; the reference shows the text.

    :raises FunctionFault: when the content is not in base64 or its charset is unknown.
    """
    kind = uri.media_type or "text/plain"
    shape = kind.partition(";")[0].strip().lower()
    held = {"$content-type": kind, "$content": uri.base64}
    if shape.startswith("text/"):
        return content_text(held)
    if shape == "application/json" or shape.endswith("+json"):
        return _json(content_text(held))
    if not any(each.strip().lower().startswith("charset=") for each in kind.split(";")[1:]):
        held["$content-type"] = f"{kind};charset=us-ascii"
    return held


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def open_data_uri(text: str) -> DataUri:
    """The parts of a data URI. :raises FunctionFault: when the text is none."""
    head, comma, data = text.partition(",")
    if not comma or not head.lower().startswith(_START):
        raise FunctionFault(
            "The value is not a data URI", argument=1, expected="a data URI", value=text
        )
    parts = head[len(_START) :].split(";")
    if parts[-1].lower() == _BASE64:
        return DataUri(";".join(parts[:-1]), data, text)
    plain = unquote_to_bytes(data.replace("+", " "))
    return DataUri(";".join(parts), base64.b64encode(plain).decode("ascii"), text)
