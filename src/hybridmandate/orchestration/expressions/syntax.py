"""Text of a definition → syntax tree.

Grammar (the "Workflow Definition Language schema" page, section Expressions)::

    text       = "@" | "@@" rest | "@" expression | ( literal | "@{" expression "}" | "@@{" )*
    expression = primary accessor*
    primary    = string | number | "true" | "false" | "null" | name "(" [expression ("," …)*] ")"
    accessor   = ["?"] "." name | ["?"] "[" expression "]"
    string     = "'" ( character | "''" )* "'"

``rest`` after a leading ``@@`` is literal to its end, also where ``@{`` stands in it (so the parser
of the Logic Apps designer, and the runtime as the authors of IllogicApps saw it).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from hybridmandate.orchestration.expressions.bounds import Bounds
from hybridmandate.orchestration.expressions.errors import ExpressionSyntaxError
from hybridmandate.orchestration.expressions.values import INT_HIGHEST, INT_LOWEST

_SPACE = re.compile(r"\s*")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(\.[0-9]*)?|(\.[0-9]+))([eE][+-]?[0-9]+)?")
_NAME = re.compile(r"[^\W\d][\w]*|\$[\w$-]+")
_MEMBER = re.compile(r"[\w$#@-]+")
_STRING = re.compile(r"'((?:[^']|'')*)'")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands in the text."""

    value: Any


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments."""

    name: str
    arguments: tuple[Node, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Access:
    """A property or index of a value; ``safe`` when written with ``?``."""

    target: Node
    key: Node
    safe: bool
    position: int


Node = Literal | Call | Access


@dataclass(frozen=True, slots=True)
class Whole:
    """A text that is one expression: its value keeps its type."""

    node: Node


@dataclass(frozen=True, slots=True)
class Interpolated:
    """A text with expressions in it: its value is a text."""

    parts: tuple[str | Node, ...]


def parse(text: str, bounds: Bounds) -> str | Whole | Interpolated:
    """The parts of a text; a ``str`` when there is no expression in it.

    :raises ExpressionSyntaxError: when what stands after ``@`` is no expression.
    """
    if text == "@":
        return text
    if text.startswith("@@"):
        return text[1:]
    if text.startswith("@") and not text.startswith("@{"):
        parser = _Parser(text, 1, bounds)
        node = parser.expression(0)
        parser.finish(1)
        return Whole(node)
    return _interpolation(text, bounds)


def _interpolation(text: str, bounds: Bounds) -> str | Interpolated:
    parts: list[str | Node] = []
    literal: list[str] = []
    at = 0
    while True:
        start = text.find("@{", at)
        if start < 0:
            break
        if start > at and text[start - 1] == "@":
            literal.append(text[at : start - 1] + "@{")
            at = start + 2
            continue
        literal.append(text[at:start])
        parser = _Parser(text, start + 2, bounds)
        node = parser.expression(0)
        at = parser.close(start + 2)
        if any(literal):
            parts.append("".join(literal))
        literal = []
        parts.append(node)
    literal.append(text[at:])
    rest = "".join(literal)
    if not parts:
        return rest
    return Interpolated((*parts, rest) if rest else tuple(parts))


class _Parser:
    def __init__(self, text: str, at: int, bounds: Bounds) -> None:
        self._text = text
        self._at = at
        self._bounds = bounds

    def expression(self, depth: int) -> Node:
        if depth > self._bounds.depth:
            raise self._error(f"it is nested deeper than {self._bounds.depth} levels")
        node = self._primary(depth)
        accessors = 0
        while True:
            start = self._skip()
            safe = self._take("?")
            if safe:
                self._skip()
            if self._take("["):
                key = self.expression(depth + 1)
                self._expect("]")
                node = Access(node, key, safe, start)
            elif self._take("."):
                self._skip()
                node = Access(node, Literal(self._member()), safe, start)
            elif safe:
                raise self._error("'[' or '.' is expected after '?'")
            else:
                return node
            accessors += 1
            if accessors > self._bounds.depth * 2:
                raise self._error("it has too many accessors in a row")

    def finish(self, start: int) -> None:
        """Nothing may follow an expression that is the whole text."""
        self._skip()
        if self._at < len(self._text):
            raise self._error(f"unexpected '{self._text[self._at]}' after the expression")
        self._check_length(start, self._at)

    def close(self, start: int) -> int:
        """The position after the brace that ends an interpolated expression."""
        self._expect("}")
        self._check_length(start, self._at - 1)
        return self._at

    def _check_length(self, start: int, end: int) -> None:
        if end - start > self._bounds.source:
            raise self._error(
                f"the expression has {end - start} characters, the limit is {self._bounds.source}"
            )

    def _primary(self, depth: int) -> Node:
        start = self._skip()
        head = self._text[start : start + 1]
        if not head:
            raise self._error("the expression ends where a value is expected")
        if head == "'":
            return self._string()
        if number := _NUMBER.match(self._text, start):
            return self._number(number)
        name = _NAME.match(self._text, start)
        if name is None:
            raise self._error(f"unexpected '{head}'")
        self._at = name.end()
        word = name.group()
        self._skip()
        if self._take("("):
            return Call(word, self._arguments(depth), start)
        if word.lower() in _WORDS:
            return Literal(_WORDS[word.lower()])
        self._at = start
        raise self._error(f"'{word}' is neither a value nor a function call")

    def _string(self) -> Node:
        found = _STRING.match(self._text, self._at)
        if found is None:
            raise self._error('the string is not closed with "\'"')
        self._at = found.end()
        return Literal(found.group(1).replace("''", "'"))

    def _number(self, found: re.Match[str]) -> Node:
        text = found.group()
        self._at = found.end()
        if any(found.groups()):
            value = float(text)
            if value in (float("inf"), float("-inf")):
                raise self._error(f"the number '{text}' is too large")
            return Literal(value)
        if len(text) > 20 or not INT_LOWEST <= int(text) <= INT_HIGHEST:
            raise self._error(f"the number '{text[:24]}' does not fit into a 64-bit integer")
        return Literal(int(text))

    def _arguments(self, depth: int) -> tuple[Node, ...]:
        self._skip()
        if self._take(")"):
            return ()
        found = [self.expression(depth + 1)]
        while self._take(","):
            found.append(self.expression(depth + 1))
        self._expect(")")
        return tuple(found)

    def _member(self) -> str:
        found = _MEMBER.match(self._text, self._at)
        if found is None:
            raise self._error("a property name is expected after '.'")
        self._at = found.end()
        return found.group()

    def _skip(self) -> int:
        found = _SPACE.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return self._at

    def _take(self, sign: str) -> bool:
        if self._text.startswith(sign, self._at):
            self._at += 1
            return True
        return False

    def _expect(self, sign: str) -> None:
        self._skip()
        if not self._take(sign):
            found = self._text[self._at : self._at + 1]
            got = f"'{found}' stands there" if found else "the text ends"
            raise self._error(f"'{sign}' is expected, {got}")

    def _error(self, reason: str) -> ExpressionSyntaxError:
        return ExpressionSyntaxError(reason, self._text, self._at)
