"""JSONPath of ``SelectToken`` and ``SelectTokens``, and the ways up and sideways in a tree.

Source: Newtonsoft.Json, JPath: names, indices, slices, wildcards, ``..`` and filters with
``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, ``=~``, ``&&`` and ``||``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.failures import ExpressionFailure
from hybridmandate.governance.gateway.csharp.json_tokens import JArray, JObject, JToken, JValue
from hybridmandate.governance.gateway.csharp.operators import BINARY

Step = Callable[[Iterable[JToken]], Iterator[JToken]]
Filter = Callable[[JToken], bool]
Count = Callable[[], None]
MAX_PATH: Final = 2048
_NAME: Final = re.compile(r"[^.\[\]()\s'\"@=<>!&|]+")
_QUOTED: Final = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
_OPERATOR: Final = re.compile(r"\s*(===|!==|==|!=|<=|>=|<|>)\s*")
_LITERAL: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")


def _wrong(message: str) -> ExpressionFailure:
    return ExpressionFailure(message, "JsonException")


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.scans = 0

    def peek(self, sign: str) -> bool:
        return self.text.startswith(sign, self.at)

    def take(self, sign: str) -> bool:
        if self.peek(sign):
            self.at += len(sign)
            return True
        return False

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def blank(self) -> None:
        while self.peek(" "):
            self.at += 1

    def need(self, sign: str) -> None:
        self.blank()
        if not self.take(sign):
            near = self.text[self.at : self.at + 1] or "end"
            raise _wrong(f"Unexpected character while parsing path: {near}")

    # Path

    def steps(self, depth: int) -> list[Step]:
        if depth > 8:
            raise _wrong("The path is nested too deep.")
        made: list[Step] = []
        first = not (self.take("$") or self.take("@"))
        while self.at < len(self.text):
            if self.peek("["):
                made.append(self.bracket(depth))
            elif self.take(".."):
                self.scans += depth > 0
                if self.scans > 1:
                    raise _wrong("Filters of a path may use '..' only once.")
                made.append(_scan)
                if not self.peek("["):
                    made.append(self.name())
            elif self.take(".") or (first and not made):
                made.append(self.name())
            else:
                break
        return made

    def name(self) -> Step:
        if self.take("*"):
            return _children
        found = self.match(_NAME)
        if found is None:
            raise _wrong("Unexpected character while parsing path.")
        return _property([found[0]])

    def bracket(self, depth: int) -> Step:
        self.need("[")
        self.blank()
        if self.take("?("):
            condition = self.either(depth)
            self.need(")")
            self.need("]")
            return _filter(condition)
        if self.take("*"):
            self.need("]")
            return _children
        quoted = self.match(_QUOTED)
        if quoted is not None:
            names = [_text(quoted)]
            while self.take(","):
                self.blank()
                following = self.match(_QUOTED)
                if following is None:
                    raise _wrong("A name in quotes is expected.")
                names.append(_text(following))
            self.need("]")
            return _property(names)
        return self.indices()

    def indices(self) -> Step:
        end = self.text.find("]", self.at)
        content = self.text[self.at : end].strip() if end >= 0 else ""
        if not re.fullmatch(r"-?\d*(:-?\d*){0,2}|-?\d+(\s*,\s*-?\d+)*", content) or not content:
            raise _wrong(f"Unexpected character while parsing path indexer: {content[:1]}")
        self.at = end + 1
        if ":" in content:
            parts = [int(part) if part else None for part in content.split(":")]
            if len(parts) == 3 and parts[2] == 0:
                raise _wrong("Step cannot be zero.")
            return _slice(slice(*parts))
        return _indices([int(part) for part in content.split(",")])

    # Filters

    def either(self, depth: int) -> Filter:
        options = [self.both(depth)]
        self.blank()
        while self.take("||"):
            options.append(self.both(depth))
            self.blank()
        return lambda token: any(option(token) for option in options)

    def both(self, depth: int) -> Filter:
        parts = [self.test(depth)]
        self.blank()
        while self.take("&&"):
            parts.append(self.test(depth))
            self.blank()
        return lambda token: all(part(token) for part in parts)

    def test(self, depth: int) -> Filter:
        self.blank()
        if self.take("("):
            inner = self.either(depth + 1)
            self.need(")")
            return inner
        left = self.operand(depth)
        sign = self.match(_OPERATOR)
        if sign is None:
            return lambda token: next(iter(left(token)), None) is not None
        right = self.operand(depth)
        compare = BINARY[sign[1].replace("===", "==").replace("!==", "!=")]
        return lambda token: any(
            _compare(sign[1], compare, a, b) for a in left(token) for b in right(token)
        )

    def operand(self, depth: int) -> Callable[[JToken], Iterable[Any]]:
        self.blank()
        if self.peek("@") or self.peek("$"):
            steps = self.steps(depth + 1)
            return lambda token: _apply(steps, token)
        quoted = self.match(_QUOTED)
        if quoted is not None:
            value: Any = _text(quoted)
            return lambda token: (value,)
        literal = self.match(_LITERAL)
        if literal is None:
            raise _wrong("Unexpected character while parsing path query.")
        words: dict[str, Any] = {"true": True, "false": False, "null": None}
        text = literal[0]
        number = (
            words[text] if text in words else float(text) if re.search("[.eE]", text) else int(text)
        )
        return lambda token: (number,)


def _text(match: re.Match[str]) -> str:
    return re.sub(r"\\(.)", r"\1", match[1] if match[1] is not None else match[2])


def _compare(sign: str, compare: Callable[[Any, Any], Any], a: Any, b: Any) -> bool:
    left = a.value if isinstance(a, JValue) else a
    right = b.value if isinstance(b, JValue) else b
    if isinstance(left, JToken) or isinstance(right, JToken):
        return False
    if sign in ("==", "===", "!=", "!=="):
        return bool(compare(left, right))
    if isinstance(left, str) and isinstance(right, str):
        return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[
            sign
        ]
    if isinstance(left, str) or isinstance(right, str):
        return False
    return bool(compare(left, right))


def _property(names: list[str]) -> Step:
    def run(tokens: Iterable[JToken]) -> Iterator[JToken]:
        for token in tokens:
            if isinstance(token, JObject):
                for name in names:
                    found = token.get(name)
                    if found is not None:
                        yield found

    return run


def _indices(places: list[int]) -> Step:
    def run(tokens: Iterable[JToken]) -> Iterator[JToken]:
        for token in tokens:
            if isinstance(token, JArray):
                for at in places:
                    if 0 <= at < len(token.items):
                        yield token.items[at]

    return run


def _slice(part: slice) -> Step:
    def run(tokens: Iterable[JToken]) -> Iterator[JToken]:
        for token in tokens:
            if isinstance(token, JArray):
                yield from token.items[part]

    return run


def _values(token: JToken) -> Iterator[JToken]:
    if isinstance(token, JObject):
        return iter([item.content for item in token.members.values()])
    return iter(token.items) if isinstance(token, JArray) else iter(())


def _children(tokens: Iterable[JToken]) -> Iterator[JToken]:
    for token in tokens:
        yield from _values(token)


def _scan(tokens: Iterable[JToken]) -> Iterator[JToken]:
    for token in tokens:
        pending = [token]
        while pending:
            current = pending.pop()
            yield current
            pending.extend(list(_values(current))[::-1])


def _filter(condition: Filter) -> Step:
    def run(tokens: Iterable[JToken]) -> Iterator[JToken]:
        for token in tokens:
            for item in _values(token):
                if condition(item):
                    yield item

    return run


def _apply(steps: Iterable[Step], token: JToken, count: Count | None = None) -> Iterator[JToken]:
    current: Iterator[JToken] = iter((token,))
    for step in steps:
        current = step(current)
        if count is not None:
            current = _counted(current, count)
    return current


def _counted(tokens: Iterator[JToken], count: Count) -> Iterator[JToken]:
    for token in tokens:
        count()
        yield token


@lru_cache(maxsize=256)
def compile_path(path: str) -> tuple[Step, ...]:
    """The steps of a path. :raises ExpressionFailure: JsonException for a bad path."""
    if len(path) > MAX_PATH:
        raise _wrong(f"A path has at most {MAX_PATH} characters.")
    reader = _Reader(path.strip())
    steps = reader.steps(0)
    if reader.at != len(reader.text):
        sign = reader.text[reader.at]
        raise _wrong(f"Unexpected character while parsing path: {sign}")
    return tuple(steps)


def select(token: JToken, path: str, count: Count) -> Iterator[JToken]:
    """All tokens that a path denotes; ``count`` is called for each token on the way."""
    return _apply(compile_path(path), token, count)


def root_of(token: JToken) -> JToken:
    """The outermost token."""
    while token.parent is not None:
        token = token.parent
    return token


def ancestors(token: JToken) -> list[JToken]:
    """What it stands in, from the inside."""
    found: list[JToken] = []
    while token.parent is not None:
        token = token.parent
        found.append(token)
    return found


def neighbour(token: JToken, by: int) -> JToken | None:
    """The token before or behind it."""
    if token.parent is None:
        return None
    siblings = list(token.parent.clr_items())
    at = next(i for i, each in enumerate(siblings) if each is token) + by
    return siblings[at] if 0 <= at < len(siblings) else None
