"""A backtracking matcher that counts its steps, for patterns that could take forever.

It walks the parse tree of Python's ``re``; the result is the same, only slower, and bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from re import _parser as sre  # type: ignore[attr-defined]
from typing import Any, Final

Span = list[tuple[int, int]]
MAX_STEPS: Final = 200_000
_STEPS_TOLD: Final = 1000
_SINGLE: Final = (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN)


class MatchTimeout(Exception):
    """More steps than a match may take."""


class Matcher:
    """One text, one pattern, one allowance of steps for all searches."""

    def __init__(
        self, tree: Any, text: str, flags: int, groups: int, step: Callable[[int], None]
    ) -> None:
        self.tree = tree
        self.text = text
        self.flags = flags
        self.groups = groups
        self.step = step
        self.steps = 0
        self.spans: Span = []
        self.singles: dict[int, Callable[[str], bool]] = {}

    def search(self, start: int) -> Span | None:
        """The first match at or after ``start``. :raises MatchTimeout: when it takes too long."""
        items = list(self.tree)
        for at in range(start, len(self.text) + 1):
            self.spans = [(-1, -1)] * (self.groups + 1)
            for end in self._items(items, 0, at):
                self.spans[0] = (at, end)
                return self.spans
        return None

    def _count(self) -> None:
        self.steps += 1
        if self.steps % _STEPS_TOLD == 0:
            self.step(_STEPS_TOLD)
        if self.steps > MAX_STEPS:
            raise MatchTimeout

    def _items(self, items: list[Any], index: int, at: int) -> Iterator[int]:
        """Ends of matches of the items from ``index`` on, in the order of preference."""
        self._count()
        while index < len(items) and items[index][0] in _SINGLE:
            if not self._one(items[index], at):
                return
            at += 1
            index += 1
        if index == len(items):
            yield at
            return
        operation, argument = items[index]
        for end in self._match(operation, argument, at):
            yield from self._items(items, index + 1, end)

    def _match(self, operation: Any, argument: Any, at: int) -> Iterator[int]:
        if operation is sre.MAX_REPEAT or operation is sre.MIN_REPEAT:
            return self._repeat(argument, at, operation is sre.MAX_REPEAT)
        if operation is sre.POSSESSIVE_REPEAT:
            return self._first(self._repeat(argument, at, True))
        if operation is sre.SUBPATTERN:
            return self._group(argument, at)
        if operation is sre.BRANCH:
            return self._branch(argument[1], at)
        if operation is sre.AT:
            return iter((at,)) if self._position(argument, at) else iter(())
        if operation in (sre.ASSERT, sre.ASSERT_NOT):
            return self._look(argument, at, operation is sre.ASSERT)
        if operation is sre.GROUPREF:
            return self._reference(argument, at)
        if operation is sre.ATOMIC_GROUP:
            return self._first(self._items(list(argument), 0, at))
        if operation is sre.GROUPREF_EXISTS:
            group, yes, no = argument
            body = yes if self.spans[group][0] >= 0 else no
            return self._items([] if body is None else list(body), 0, at)
        raise MatchTimeout

    def _one(self, item: Any, at: int) -> bool:
        if at >= len(self.text):
            return False
        test = self.singles.get(id(item))
        if test is None:
            test = self.singles[id(item)] = _single(item, self.flags)
        return test(self.text[at])

    def _repeat(self, argument: Any, at: int, greedy: bool) -> Iterator[int]:
        low, high, body = argument
        items = list(body)
        limit = len(self.text) + 1 if high is sre.MAXREPEAT else int(high)
        if len(items) == 1 and items[0][0] in _SINGLE:
            yield from self._repeat_single(body[0], at, low, limit, greedy)
            return
        yield from self._repeat_group(items, at, low, limit, greedy, 0)

    def _repeat_single(
        self, item: Any, at: int, low: int, limit: int, greedy: bool
    ) -> Iterator[int]:
        count = 0
        if greedy:
            while count < limit and self._one(item, at + count):
                count += 1
                self._count()
            for taken in range(count, low - 1, -1):
                self._count()
                yield at + taken
            return
        while count <= limit:
            if count >= low:
                yield at + count
            self._count()
            if not self._one(item, at + count):
                return
            count += 1

    def _repeat_group(
        self, items: list[Any], at: int, low: int, limit: int, greedy: bool, done: int
    ) -> Iterator[int]:
        self._count()
        if not greedy and done >= low:
            yield at
        if done < limit:
            saved = list(self.spans)
            for end in self._items(items, 0, at):
                if end == at and done >= low:
                    continue
                yield from self._repeat_group(items, end, low, limit, greedy, done + 1)
            self.spans = saved
        if greedy and done >= low:
            yield at

    def _group(self, argument: Any, at: int) -> Iterator[int]:
        group, add, remove, body = argument
        if add or remove:
            raise MatchTimeout
        before = self.spans[group] if group else None
        for end in self._items(list(body), 0, at):
            if group:
                self.spans[group] = (at, end)
            yield end
        if group and before is not None:
            self.spans[group] = before

    def _branch(self, options: list[Any], at: int) -> Iterator[int]:
        for option in options:
            yield from self._items(list(option), 0, at)

    def _first(self, ends: Iterator[int]) -> Iterator[int]:
        for end in ends:
            yield end
            return

    def _look(self, argument: Any, at: int, wanted: bool) -> Iterator[int]:
        direction, body = argument
        if direction >= 0:
            found = next(self._items(list(body), 0, at), None) is not None
        else:
            width = body.getwidth()[0]
            start = at - width
            found = start >= 0 and any(end == at for end in self._items(list(body), 0, start))
        if found == wanted:
            yield at

    def _reference(self, group: int, at: int) -> Iterator[int]:
        start, end = self.spans[group]
        if start < 0:
            return
        wanted = self.text[start:end]
        given = self.text[at : at + len(wanted)]
        same = wanted.lower() == given.lower() if self.flags & re.IGNORECASE else wanted == given
        if same:
            yield at + len(wanted)

    def _position(self, where: Any, at: int) -> bool:
        text = self.text
        if where in (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING):
            multi = self.flags & re.MULTILINE and where is sre.AT_BEGINNING
            return at == 0 or bool(multi and text[at - 1] == "\n")
        if where is sre.AT_END:
            if at == len(text) or (at == len(text) - 1 and text[at] == "\n"):
                return True
            return bool(self.flags & re.MULTILINE and text[at] == "\n")
        if where is sre.AT_END_STRING:
            return at == len(text)
        left = at > 0 and _is_word(text[at - 1])
        right = at < len(text) and _is_word(text[at])
        return (left != right) == (where is sre.AT_BOUNDARY)


def _is_word(sign: str) -> bool:
    return sign.isalnum() or sign == "_"


def _single(item: Any, flags: int) -> Callable[[str], bool]:
    operation, argument = item
    if operation is sre.ANY:
        return (lambda sign: True) if flags & re.DOTALL else (lambda sign: sign != "\n")
    if operation in (sre.LITERAL, sre.NOT_LITERAL):
        wanted = chr(argument)
        positive = operation is sre.LITERAL
        if flags & re.IGNORECASE:
            wanted = wanted.lower()
            return lambda sign: (sign.lower() == wanted) == positive
        return lambda sign: (sign == wanted) == positive
    return _set(list(argument), bool(flags & re.IGNORECASE))


def _set(members: list[Any], ignore_case: bool) -> Callable[[str], bool]:
    negated = bool(members) and members[0][0] is sre.NEGATE
    tests = members[1:] if negated else members

    def holds(sign: str) -> bool:
        return any(_member(test, sign) for test in tests)

    def run(sign: str) -> bool:
        found = holds(sign) or (ignore_case and (holds(sign.lower()) or holds(sign.upper())))
        return found != negated

    return run


def _member(test: Any, sign: str) -> bool:
    operation, argument = test
    if operation is sre.LITERAL:
        return bool(ord(sign) == argument)
    if operation is sre.RANGE:
        return bool(argument[0] <= ord(sign[:1]) <= argument[1])
    found = {
        sre.CATEGORY_DIGIT: sign.isdecimal(),
        sre.CATEGORY_NOT_DIGIT: not sign.isdecimal(),
        sre.CATEGORY_SPACE: sign.isspace(),
        sre.CATEGORY_NOT_SPACE: not sign.isspace(),
        sre.CATEGORY_WORD: _is_word(sign),
        sre.CATEGORY_NOT_WORD: not _is_word(sign),
    }
    return found[argument]
