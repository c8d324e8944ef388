"""Regular expressions of .NET as far as Python's engine can, and never for long.

Python's own matcher runs a pattern only when its worst case is small: when no repeated part has a
repetition or a choice in it, matching n characters with *k* repetitions and *w* combinations of
choices takes at most about w n^(k+1) steps. Every other pattern is run by the matcher of
:mod:`regex_matcher`, which counts its steps and gives up.

Bounds: 4,096 characters of pattern, 1,000,000 characters of input, 2,000,000 estimated steps for
Python's matcher, 200,000 counted steps otherwise (RegexMatchTimeoutException).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from re import _parser as sre  # type: ignore[attr-defined]
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.failures import ExpressionFailure
from hybridmandate.governance.gateway.csharp.regex_matcher import Matcher, MatchTimeout, Span

MAX_PATTERN: Final = 4096
MAX_INPUT: Final = 1_000_000
MAX_ESTIMATE: Final = 2_000_000
IGNORE_CASE: Final = 1
MULTILINE: Final = 2
EXPLICIT_CAPTURE: Final = 4
SINGLELINE: Final = 16
IGNORE_SPACE: Final = 32
_REPEATS: Final = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)
_TRANSLATE: Final = re.compile(
    r"\\(?:k<(?P<ref>\w+)>|k'(?P<ref2>\w+)'|z|Z|G|e|[pP]\{(?P<class>\w+)\}|.)"
    r"|\(\?<(?P<name>[A-Za-z_]\w*)>|\(\?'(?P<name2>[A-Za-z_]\w*)'|\(\?<\d+>|\[\^?\]?|\]|\$",
    re.DOTALL,
)
_CLASSES: Final = {
    "L": r"[^\W\d_]", "Lu": "[A-ZÀ-ÖØ-Þ]", "Ll": "[a-zß-öø-ÿ]", "N": r"\d", "Nd": r"\d",
    "P": r"[!-/:-@\[-`{-~¡-¿]", "IsBasicLatin": r"[\x00-\x7f]",
}  # fmt: skip


def _bad(pattern: str, reason: str) -> ExpressionFailure:
    return ExpressionFailure(f"Invalid pattern '{pattern[:100]}': {reason}.", "RegexParseException")


def timeout() -> ExpressionFailure:
    """The match takes too long."""
    return ExpressionFailure(
        "The Regex engine has timed out while trying to match a pattern to an input string.",
        "RegexMatchTimeoutException",
    )


def _translate(pattern: str) -> str:
    """.NET syntax that Python spells differently."""
    out: list[str] = []
    at = 0
    in_class = False
    for match in _TRANSLATE.finditer(pattern):
        out.append(pattern[at : match.start()])
        at = match.end()
        out.append(_piece(pattern, match, in_class))
        if match[0].startswith("[") and not in_class:
            in_class = not (match[0].endswith("]") and len(match[0]) > 3)
        elif match[0] == "]":
            in_class = False
    out.append(pattern[at:])
    return "".join(out)


def _piece(pattern: str, match: re.Match[str], in_class: bool) -> str:
    text = match[0]
    if match["class"]:
        known = _CLASSES.get(match["class"])
        if known is None or in_class or text[1] == "P":
            raise _bad(pattern, f"the class {text} is not supported")
        return known
    if in_class:
        return r"\[" if text == "[" else "\x1b" if text == r"\e" else text
    reference = match["ref"] or match["ref2"]
    if reference:
        return f"(?P={reference})"
    name = match["name"] or match["name2"]
    if name:
        return f"(?P<{name}>"
    if text.startswith("(?<"):
        raise _bad(pattern, "numbered groups are not supported")
    if text == r"\G":
        raise _bad(pattern, r"\G is not supported")
    return {r"\z": r"\Z", r"\Z": r"(?=\n?\Z)", r"\e": "\x1b"}.get(text, text)


class Regex:
    """A compiled pattern with its .NET options."""

    def __init__(self, pattern: str, options: int = 0) -> None:
        if len(pattern) > MAX_PATTERN:
            raise _bad(pattern, f"a pattern has at most {MAX_PATTERN} characters")
        flags = 0
        for bit, flag in (
            (IGNORE_CASE, re.IGNORECASE), (MULTILINE, re.MULTILINE), (SINGLELINE, re.DOTALL),
            (IGNORE_SPACE, re.VERBOSE),
        ):  # fmt: skip
            flags |= flag if options & bit else 0
        self.pattern = pattern
        try:
            translated = _translate(pattern)
            if options & EXPLICIT_CAPTURE:
                translated = re.sub(r"(?<!\\)\((?!\?)", "(?:", translated)
            self.compiled = re.compile(translated, flags)
            tree = sre.parse(translated, flags)
        except (re.error, OverflowError, RecursionError) as error:
            raise _bad(pattern, str(error)) from None
        self.names: dict[str, int] = dict(self.compiled.groupindex)
        self.repeats, self.ways, self.nested = _complexity(tree, False)
        self.tree = tree

    def matches(self, text: str, step: Callable[[int], None], start: int = 0) -> Iterator[Span]:
        """Matches from the left, without overlap; ``step`` takes the steps that were used.

        :raises ExpressionFailure: RegexMatchTimeoutException.
        """
        if len(text) > MAX_INPUT:
            raise timeout()
        if self._is_cheap(len(text) - start):
            step(1 + len(text) // 1024)
            return self._by_python(text, start)
        return self._counted(text, start, step)

    def is_found(self, text: str, step: Callable[[int], None], start: int = 0) -> bool:
        """Whether there is a match; where it is costs more to tell.

        :raises ExpressionFailure: RegexMatchTimeoutException.
        """
        if len(text) <= MAX_INPUT and self._is_cheap(len(text) - start):
            step(1 + len(text) // 1024)
            return self.compiled.search(text, start) is not None
        return next(self.matches(text, step, start), None) is not None

    def _is_cheap(self, size: int) -> bool:
        work = self.ways * (size + 1) ** (self.repeats + 1)
        return not self.nested and work <= MAX_ESTIMATE

    def _by_python(self, text: str, start: int) -> Iterator[Span]:
        for match in self.compiled.finditer(text, start):
            yield [match.span(group) for group in range(self.compiled.groups + 1)]

    def _counted(self, text: str, start: int, step: Callable[[int], None]) -> Iterator[Span]:
        matcher = Matcher(self.tree, text, self.compiled.flags, self.compiled.groups, step)
        at = start
        while at <= len(text):
            try:
                found = matcher.search(at)
            except (MatchTimeout, RecursionError):
                raise timeout() from None
            if found is None:
                return
            yield found
            first, last = found[0]
            at = last + 1 if last == first else last


def _complexity(tree: Any, inside: bool) -> tuple[int, int, bool]:
    """What bounds the work of Python's matcher.

    :returns: how many parts can match at up to n lengths, how many ways the choices (``?`` and
        ``|``) can be combined, and whether a repeated part has a choice or a repetition in it.
    """
    long, ways, nested = 0, 1, False
    for operation, argument in tree:
        repeats = operation in _REPEATS and int(argument[1]) > 1
        optional = operation in _REPEATS and not repeats
        branch = operation is sre.BRANCH
        long += repeats or operation is sre.GROUPREF
        ways *= 2 if optional else len(argument[1]) if branch else 1
        nested = nested or (inside and (repeats or optional or branch))
        for part in _bodies(operation, argument):
            inner, combined, deep = _complexity(part, inside or repeats)
            long += inner
            ways = min(ways * combined, MAX_ESTIMATE)
            nested = nested or deep
    return long, min(ways, MAX_ESTIMATE), nested


def _bodies(operation: Any, argument: Any) -> list[Any]:
    if operation is sre.SUBPATTERN:
        return [argument[3]]
    if operation in _REPEATS:
        return [argument[2]]
    if operation is sre.BRANCH:
        return list(argument[1])
    if operation in (sre.ASSERT, sre.ASSERT_NOT):
        return [argument[1]]
    if operation is sre.ATOMIC_GROUP:
        return [argument]
    if operation is sre.GROUPREF_EXISTS:
        return [part for part in argument[1:] if part is not None]
    return []


@lru_cache(maxsize=512)
def compiled(pattern: str, options: int) -> Regex:
    """A pattern, kept for the next use. :raises ExpressionFailure: RegexParseException."""
    return Regex(pattern, options)
