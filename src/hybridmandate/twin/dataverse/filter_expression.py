"""`$filter` as SQL: a small parser of the part of OData's grammar that Dataverse documents.

Written here because the parsers on the package index are unmaintained or bring a server of their
own; strings compare without case, as in Dataverse.
Source: learn.microsoft.com/power-apps/developer/data-platform/webapi/query/filter-rows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Float,
    Integer,
    Table,
    and_,
    false,
    literal,
    not_,
    or_,
)

from hybridmandate.twin.dataverse.errors import DataverseError, unsupported

MAX_LENGTH = 32_768
MAX_DEPTH = 100
MAX_CONDITIONS = 500
"""A query's conditions; more would also pass the depth that SQLite gives an expression."""
MAX_INTEGER = 2**63 - 1

_TOKEN = re.compile(
    r"\s*(?:"
    r"(?P<string>'(?:[^']|'')*')"
    r"|(?P<guid>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"
    r"|(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]+(?:Z|[+-][0-9]{2}:[0-9]{2})?)?)"
    r"|(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<word>[A-Za-z_][\w.]*(?:/[A-Za-z_]\w*)?)"
    r"|(?P<mark>[(),=\[\]])"
    r")"
)
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_COMPARE: Mapping[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: (a != b) | a.is_(None),
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
}
_MATCH: Mapping[str, Callable[[Any, str], ColumnElement[bool]]] = {
    "contains": lambda a, b: a.ilike(f"%{_escaped(b)}%", escape="\\"),
    "startswith": lambda a, b: a.ilike(f"{_escaped(b)}%", escape="\\"),
    "endswith": lambda a, b: a.ilike(f"%{_escaped(b)}", escape="\\"),
}


Navigate = Callable[[str, str], ColumnElement[Any]]
"""The column of the row behind a single-valued navigation property, by both names."""


def _no_navigation(navigation: str, column: str) -> ColumnElement[Any]:
    raise unsupported(f"'{navigation}/{column}' in this filter")


def parse_filter(
    text: str, table: Table, navigate: Navigate = _no_navigation
) -> ColumnElement[bool]:
    """The condition of a `$filter`. :raises DataverseError: 400 where it is not understood."""
    if len(text) > MAX_LENGTH:
        raise _syntax("the filter is too long", 0)
    parser = _Parser(_tokens(text), table, navigate)
    condition = parser.disjunction(0)
    parser.end()
    return condition


Token = tuple[str, str, int]


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise _syntax(f"Syntax error at position {position} in '{text}'", position)
        kind = str(match.lastgroup)
        tokens.append((kind, match[kind], position))
        position = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[Token], table: Table, navigate: Navigate) -> None:
        self._tokens = tokens
        self._table = table
        self._navigate = navigate
        self._at = 0
        self._conditions = 0

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise self._unexpected()

    def disjunction(self, depth: int) -> ColumnElement[bool]:
        parts = [self._conjunction(depth)]
        while self._take("word", "or"):
            parts.append(self._conjunction(depth))
        return or_(*parts) if len(parts) > 1 else parts[0]

    def _conjunction(self, depth: int) -> ColumnElement[bool]:
        parts = [self._negation(depth)]
        while self._take("word", "and"):
            parts.append(self._negation(depth))
        return and_(*parts) if len(parts) > 1 else parts[0]

    def _negation(self, depth: int) -> ColumnElement[bool]:
        if depth > MAX_DEPTH:
            raise _syntax("the filter is nested too deeply", 0)
        if self._take("word", "not"):
            return not_(self._negation(depth + 1))
        if self._take("mark", "("):
            inside = self.disjunction(depth + 1)
            self._expect("mark", ")")
            return inside
        return self._comparison()

    def _comparison(self) -> ColumnElement[bool]:
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            raise DataverseError(
                400, "0x8004430c", "Number of conditions in query exceeded maximum limit."
            )
        kind, text, position = self._next()
        if kind != "word":
            raise self._unexpected(-1)
        if text in _MATCH and self._take("mark", "("):
            return self._match(text)
        if text == "Microsoft.Dynamics.CRM.In" and self._take("mark", "("):
            return self._one_of()
        if text.startswith("Microsoft.Dynamics.CRM."):
            raise unsupported(f"the filter function {text}")
        column = self._column(text, position)
        operator_kind, operator, at = self._next()
        if operator_kind != "word" or operator not in _COMPARE:
            raise _syntax(f"'{operator}' is not a comparison", at)
        return self._compare(column, operator)

    def _compare(self, column: Any, operator: str) -> ColumnElement[bool]:
        kind, text, position = self._next()
        if kind == "word" and text == "null":
            if operator not in ("eq", "ne"):
                return false()
            empty: ColumnElement[bool] = column.is_(None)
            return empty if operator == "eq" else not_(empty)
        value = self._value(kind, text, position)
        if kind != "word" or text in ("true", "false"):
            value = literal(_fitting(column, kind, value, position))
        return _COMPARE[operator](column, value)

    def _value(self, kind: str, text: str, position: int) -> Any:
        if kind == "string":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return _number(text, position)
        if kind == "guid":
            return text.lower()
        if kind == "date":
            return text
        if kind == "word" and text in ("true", "false"):
            return text == "true"
        if kind == "word":
            return self._column(text, position)
        raise self._unexpected(-1)

    def _one_of(self) -> ColumnElement[bool]:
        """`In(PropertyName='column',PropertyValues=['a','b'])`, after its bracket."""
        self._expect("word", "PropertyName")
        self._expect("mark", "=")
        _, name, position = self._next()
        column = self._column(name.strip("'"), position)
        self._expect("mark", ",")
        self._expect("word", "PropertyValues")
        self._expect("mark", "=")
        self._expect("mark", "[")
        values = [self._listed(column)]
        while self._take("mark", ","):
            values.append(self._listed(column))
        self._expect("mark", "]")
        self._expect("mark", ")")
        found: ColumnElement[bool] = column.in_(values)
        return found

    def _listed(self, column: Any) -> Any:
        """A value of the list; numbers stand in quotes there too."""
        kind, text, position = self._next()
        plain = text[1:-1] if kind == "string" else text
        if isinstance(column.type, Integer | Float) and _NUMBER.fullmatch(plain):
            return _number(plain, position)
        return _fitting(column, kind, self._value(kind, text, position), position)

    def _match(self, function: str) -> ColumnElement[bool]:
        kind, text, position = self._next()
        column = self._column(text, position)
        self._expect("mark", ",")
        kind, text, position = self._next()
        if kind != "string":
            raise _syntax(f"'{function}' needs a text", position)
        self._expect("mark", ")")
        return _MATCH[function](column, text[1:-1].replace("''", "'"))

    def _column(self, name: str, position: int) -> Any:
        navigation, slash, column = name.partition("/")
        if slash:
            return self._navigate(navigation, column)
        if name not in self._table.c:
            raise DataverseError(
                400,
                "0x80060888",
                f"Could not find a property named '{name}' on type "
                f"'Microsoft.Dynamics.CRM.{self._table.name}'.",
            )
        return self._table.c[name]

    def _next(self) -> Token:
        if self._at >= len(self._tokens):
            raise _syntax("the filter ends too early", 0)
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, kind: str, text: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at][:2] == (kind, text):
            self._at += 1
            return True
        return False

    def _expect(self, kind: str, text: str) -> None:
        if not self._take(kind, text):
            raise self._unexpected()

    def _unexpected(self, offset: int = 0) -> DataverseError:
        at = self._at + offset
        if at >= len(self._tokens):
            return _syntax("the filter ends too early", 0)
        _, text, position = self._tokens[at]
        return _syntax(f"'{text}' is not expected at position {position}", position)


def _number(text: str, position: int) -> int | float:
    value = float(text)
    if not math.isfinite(value) or abs(value) > MAX_INTEGER:
        raise _syntax(f"the number at position {position} is too large", position)
    return int(text) if text.lstrip("-").isdigit() else value


def _fitting(column: Any, kind: str, value: Any, position: int) -> Any:
    """The literal as the column keeps its values. :raises DataverseError: 400 when it cannot be."""
    if isinstance(column.type, Boolean):
        fits = kind == "word"
    elif isinstance(column.type, Integer | Float):
        fits = kind == "number"
    else:
        fits = kind in ("string", "date", "guid")
    if not fits:
        raise _syntax(
            "A binary operator with incompatible types was detected: the value at position "
            f"{position} does not fit '{column.name}'.",
            position,
        )
    if kind == "date" and "T" in value:
        return _moment(value, position)
    return value


def _moment(text: str, position: int) -> str:
    try:
        moment = datetime.fromisoformat(text)
        return (
            moment.replace(tzinfo=moment.tzinfo or UTC)
            .astimezone(UTC)
            .strftime("%Y-%m-%dT%H:%M:%SZ")
        )
    except (ValueError, OverflowError):
        raise _syntax(f"'{text}' is not a date and time", position) from None


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _syntax(message: str, _: int) -> DataverseError:
    return DataverseError(400, "0x0", message)
