"""JSON text: reading as Newtonsoft does (lenient, dates recognised) and writing."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.dates import DateTime, DateTimeOffset, parse_date_time
from hybridmandate.governance.gateway.csharp.failures import ExpressionFailure
from hybridmandate.governance.gateway.csharp.formats import double_text
from hybridmandate.governance.gateway.csharp.json_values import value_text

_DATE: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,7})?(?P<zone>Z|[+-]\d{2}:\d{2})?"
)
_TOKEN: Final = re.compile(
    r"""\s*+(?://[^\n]*+\s*+|/\*.*?\*/\s*+)*+(?:
    (?P<sign>[\[\]{}:,])|
    (?P<text>"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+')|
    (?P<word>[^\s\[\]{}:,"']+)|(?P<end>\Z))""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_NAMED: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS: Final = {
    "true": True, "false": False, "null": None, "undefined": None,
    "NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf"),
}  # fmt: skip
_NUMBER: Final = re.compile(r"-?(?:0[xX][0-9A-Fa-f]+|\d+)(\.\d+)?([eE][+-]?\d+)?")


def failure(message: str) -> ExpressionFailure:
    """A text that is no JSON."""
    return ExpressionFailure(message, "JsonReaderException")


def read_json(text: str) -> Any:
    """Python values of a JSON text; date texts become dates.

    :raises ExpressionFailure: JsonReaderException.
    """
    if not text.strip():
        raise failure("Error reading JToken from JsonReader. Path '', line 0, position 0.")
    try:
        value = json.loads(text.removeprefix("\ufeff"))
    except ValueError:
        value = _Lenient(text.removeprefix("\ufeff")).document()
    except RecursionError:
        raise failure("The reader's MaxDepth of 64 has been exceeded.") from None
    return _with_dates(value, 0)


def _with_dates(value: Any, depth: int) -> Any:
    if depth > 70:
        raise failure("The reader's MaxDepth of 64 has been exceeded.")
    if isinstance(value, str):
        return _date_or_text(value)
    if isinstance(value, list):
        return [_with_dates(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {name: _with_dates(item, depth + 1) for name, item in value.items()}
    return value


def _date_or_text(text: str) -> Any:
    if len(text) < 19 or text[4:5] != "-" or not _DATE.fullmatch(text):
        return text
    try:
        moment = parse_date_time(text)
    except ExpressionFailure:
        return text
    return DateTime(moment.ticks, "Utc") if text.endswith("Z") else moment


class _Lenient:
    """JSON with comments, single quotes, bare names and trailing commas, as Newtonsoft reads it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.kind, self.piece = "", ""
        self.next()

    def next(self) -> None:
        match = _TOKEN.match(self.text, self.at)
        if match is None or match.lastgroup is None:
            raise self.wrong()
        self.kind, self.piece = match.lastgroup, match[match.lastgroup]
        self.at = match.end()

    def wrong(self) -> ExpressionFailure:
        line = self.text.count("\n", 0, self.at) + 1
        column = self.at - (self.text.rfind("\n", 0, self.at) + 1)
        sign = self.piece[:1] or self.text[self.at : self.at + 1]
        return failure(
            f"Unexpected character encountered while parsing value: {sign}. "
            f"Path '', line {line}, position {column}."
        )

    def document(self) -> Any:
        value = self.value(0)
        if self.kind != "end":
            raise failure("Additional text encountered after finished reading JSON content.")
        return value

    def value(self, depth: int) -> Any:
        if depth > 64:
            raise failure("The reader's MaxDepth of 64 has been exceeded.")
        if self.piece == "{" and self.kind == "sign":
            return self.object(depth)
        if self.piece == "[" and self.kind == "sign":
            return self.array(depth)
        if self.kind == "text":
            text = _unquote(self.piece)
            self.next()
            return text
        if self.kind == "word":
            word = self.piece
            result = _word(word, self)
            self.next()
            return result
        raise self.wrong()

    def object(self, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        self.next()
        while self.piece != "}" or self.kind != "sign":
            if self.kind not in ("text", "word"):
                raise self.wrong()
            name = _unquote(self.piece) if self.kind == "text" else self.piece
            self.next()
            self.expect(":")
            made[name] = self.value(depth + 1)
            if self.piece != "}":
                self.expect(",")
        self.next()
        return made

    def array(self, depth: int) -> list[Any]:
        made: list[Any] = []
        self.next()
        while self.piece != "]" or self.kind != "sign":
            made.append(self.value(depth + 1))
            if self.piece != "]":
                self.expect(",")
        self.next()
        return made

    def expect(self, sign: str) -> None:
        if self.kind != "sign" or self.piece != sign:
            raise self.wrong()
        self.next()


def _word(word: str, reader: _Lenient) -> Any:
    if word in _WORDS:
        return _WORDS[word]
    match = _NUMBER.fullmatch(word)
    if match is None:
        raise reader.wrong()
    return float(word) if match[1] or match[2] else int(word, 0 if "x" in word.lower() else 10)


def _unquote(token: str) -> str:
    return _ESCAPES.sub(
        lambda m: chr(int(m[1], 16)) if m[1] else _NAMED.get(m[2], m[2]), token[1:-1]
    )


def write_json(token: Any, *, indent: bool = False) -> str:
    """The JSON text of a token, on one line or indented by two spaces."""
    out: list[str] = []
    _write(token, out, "\n" if indent else "", indent)
    return "".join(out)


def _write(token: Any, out: list[str], line: str, indent: bool) -> None:
    kind = token.kind
    if kind == "Object":
        properties = list(token.members.values())
        _write_list(properties, "{}", out, line, indent)
    elif kind == "Array":
        _write_list(token.items, "[]", out, line, indent)
    elif kind == "Property":
        out.append(f"{_quoted(token.name)}:{' ' if indent else ''}")
        _write(token.content, out, line, indent)
    elif kind == "Constructor":
        out.append(f"new {token.name}")
        _write_list(token.items, "()", out, line, indent)
    elif kind in _AS_IT_STANDS:
        out.append(_AS_IT_STANDS[kind].format(value_text(token.value)))
    else:
        out.append(literal(token.value))


_AS_IT_STANDS: Final = {"Raw": "{}", "Comment": "/*{}*/", "Undefined": "undefined"}
"""Values that are not written as JSON values, by their JTokenType."""


def _write_list(items: list[Any], brackets: str, out: list[str], line: str, indent: bool) -> None:
    out.append(brackets[0])
    inner = f"{line}  " if indent else ""
    for index, item in enumerate(items):
        out.append(f",{inner}" if index else inner)
        _write(item, out, inner, indent)
    if items:
        out.append(line)
    out.append(brackets[1])


def literal(value: Any) -> str:
    """A value as JSON."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        text = double_text(value)
        if text in ("NaN", "Infinity", "-Infinity"):
            return f'"{text}"'
        return text if "." in text or "E" in text else f"{text}.0"
    if isinstance(value, DateTime):
        return f'"{value.clr_format("yyyy-MM-ddTHH:mm:ss.FFFFFFFK")}"'
    if isinstance(value, DateTimeOffset):
        return f'"{value.clr_format("yyyy-MM-ddTHH:mm:ss.FFFFFFFzzz")}"'
    text = value_text(value)
    if type(value).__name__ == "Decimal":
        return text if "." in text else f"{text}.0"
    return _quoted(text)


_UNSAFE: Final = re.compile('["\\\\\\x00-\\x1f\\x85\u2028\u2029]')
_SHORT: Final = {
    '"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f",
}  # fmt: skip


def _quoted(text: str) -> str:
    escaped = _UNSAFE.sub(lambda m: _SHORT.get(m[0]) or f"\\u{ord(m[0]):04x}", text)
    return f'"{escaped}"'
