"""``$filter`` and ``$orderby`` over list items: comparisons, and, or, not, startswith, contains.

Pure: an expression becomes a function of an item. What is not understood is refused, never
ignored. Source: learn.microsoft.com/graph/filter-query-parameter.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

Item = Mapping[str, Any]
Test = Callable[[Item], bool]
Value = Callable[[Item], Any]

_TOKEN = re.compile(
    r"\s*('(?:[^']|'')*'|-?\d+(?:\.\d+)?(?![\w-])|[A-Za-z_][A-Za-z0-9_/]*|[(),]|\d[0-9T:.Z+-]*)"
)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
_FUNCTIONS = ("startswith", "contains")
_LITERALS = {"null": None, "true": True, "false": False}
MAX_DEPTH = 50
MAX_LENGTH = 8_192
"""Characters of a filter or an order."""
MAX_ORDERS = 20


class QueryInvalid(ValueError):
    """An expression that cannot be read; the message says where."""


def parse_filter(text: str) -> Test:
    """The test of a ``$filter``. :raises QueryInvalid: when it cannot be read."""
    reader = _Reader(text)
    test = reader.either(0)
    reader.end()
    return test


def order(text: str) -> list[tuple[str, bool]]:
    """The properties of an ``$orderby`` and whether each is descending.

    :raises QueryInvalid: when it cannot be read.
    """
    parts = []
    if len(text) > MAX_LENGTH or text.count(",") >= MAX_ORDERS:
        raise QueryInvalid(f"an order names at most {MAX_ORDERS} properties")
    for each in text.split(","):
        words = each.split()
        if not 1 <= len(words) <= 2 or (len(words) == 2 and words[1] not in ("asc", "desc")):
            raise QueryInvalid(f"'{each.strip()}' is no order")
        parts.append((words[0], words[-1] == "desc"))
    return parts


def property_of(item: Item, path: str) -> Any:
    """A property by its path (``fields/Title``), None where it is missing."""
    value: Any = item
    for part in path.split("/"):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


class _Reader:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise QueryInvalid(f"the filter has more than {MAX_LENGTH} characters")
        self._tokens: list[str] = []
        position, end = 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                raise QueryInvalid(f"'{text[position:].strip()[:20]}' is not understood")
            self._tokens.append(match[1])
            position = match.end()
        self._next = 0

    def end(self) -> None:
        """:raises QueryInvalid: when something is left."""
        if self._next < len(self._tokens):
            raise QueryInvalid(f"'{self._tokens[self._next]}' is not expected here")

    def either(self, depth: int) -> Test:
        """Tests joined by ``or``."""
        if depth > MAX_DEPTH:
            raise QueryInvalid(f"the filter is nested deeper than {MAX_DEPTH}")
        tests = [self._both(depth)]
        while self._taken("or"):
            tests.append(self._both(depth))
        return tests[0] if len(tests) == 1 else lambda item: any(t(item) for t in tests)

    def _both(self, depth: int) -> Test:
        tests = [self._one(depth)]
        while self._taken("and"):
            tests.append(self._one(depth))
        return tests[0] if len(tests) == 1 else lambda item: all(t(item) for t in tests)

    def _one(self, depth: int) -> Test:
        if depth > MAX_DEPTH:
            raise QueryInvalid(f"the filter is nested deeper than {MAX_DEPTH}")
        if self._taken("not"):
            test = self._one(depth + 1)
            return lambda item: not test(item)
        if self._taken("("):
            inner = self.either(depth + 1)
            self._expect(")")
            return inner
        for name in _FUNCTIONS:
            if self._taken(name):
                return self._function(name)
        return self._comparison()

    def _function(self, name: str) -> Test:
        self._expect("(")
        left = self._value()
        self._expect(",")
        right = self._value()
        self._expect(")")

        def test(item: Item) -> bool:
            whole, part = str(left(item) or "").lower(), str(right(item) or "").lower()
            return whole.startswith(part) if name == "startswith" else part in whole

        return test

    def _comparison(self) -> Test:
        left = self._value()
        word = self._take()
        compare = _COMPARE.get(word)
        if compare is None:
            raise QueryInvalid(f"'{word}' is no comparison")
        right = self._value()
        equality = word in ("eq", "ne")

        def test(item: Item) -> bool:
            a, b = left(item), right(item)
            if isinstance(a, str) and isinstance(b, str):
                a, b = a.lower(), b.lower()
            try:
                return compare(a, b) if equality or (a is not None and b is not None) else False
            except TypeError:
                return False

        return test

    def _value(self) -> Value:
        token = self._take()
        if token.startswith("'"):
            text = token[1:-1].replace("''", "'")
            return lambda item: text
        if token in _LITERALS:
            constant = _LITERALS[token]
            return lambda item: constant
        if re.fullmatch(r"-?\d+(\.\d+)?", token):
            number = float(token)
            return lambda item: number
        if token[0].isdigit():
            return lambda item: token
        if token in ("(", ")", ","):
            raise QueryInvalid(f"'{token}' is not expected here")
        return lambda item: property_of(item, token)

    def _take(self) -> str:
        if self._next >= len(self._tokens):
            raise QueryInvalid("the expression ends too early")
        self._next += 1
        return self._tokens[self._next - 1]

    def _taken(self, token: str) -> bool:
        if self._next < len(self._tokens) and self._tokens[self._next].lower() == token:
            self._next += 1
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._taken(token):
            raise QueryInvalid(f"'{token}' is missing")
