"""Regex, Match, Group and RegexOptions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from hybridmandate.governance.gateway.csharp import regexes
from hybridmandate.governance.gateway.csharp.collections import Array, Delegate, List
from hybridmandate.governance.gateway.csharp.failures import argument_null
from hybridmandate.governance.gateway.csharp.regexes import Regex
from hybridmandate.governance.gateway.csharp.types import linq
from hybridmandate.governance.gateway.csharp.types.table import (
    OBJECT,
    ClrType,
    EnumValue,
    Run,
    enumeration,
)

OPTIONS: Final = enumeration(
    "RegexOptions",
    "System.Text.RegularExpressions.RegexOptions",
    {"None": 0, "IgnoreCase": 1, "Multiline": 2, "ExplicitCapture": 4, "Compiled": 8,
     "Singleline": 16, "IgnorePatternWhitespace": 32, "ECMAScript": 256, "CultureInvariant": 512},
)  # fmt: skip
_REFERENCE: Final = re.compile(r"\$(?:(\$)|(\d{1,2})|\{(\w+)\}|(&))")


class Capture:
    """A group of a match."""

    __slots__ = ("index", "name", "success", "text")

    def __init__(self, name: str, text: str, span: tuple[int, int]) -> None:
        self.name = name
        self.success = span[0] >= 0
        self.index = max(0, span[0])
        self.text = text[span[0] : span[1]] if self.success else ""

    def clr_text(self) -> str:
        """What was matched."""
        return self.text


class Found(Capture):
    """A match, or the failed one."""

    __slots__ = ("following", "groups", "input", "names", "regex")

    def __init__(
        self, regex: Regex, text: str, spans: list[tuple[int, int]] | None,
        following: Iterator[Any] | None = None,
    ) -> None:  # fmt: skip
        names = {number: name for name, number in regex.names.items()}
        given = spans or [(-1, -1)]
        super().__init__("0", text, given[0])
        self.groups = [Capture(names.get(i, str(i)), text, s) for i, s in enumerate(given)]
        self.regex = regex
        self.input = text
        self.names = regex.names
        self.following = following

    def group(self, key: Any) -> Capture:
        """By number or name; an unknown one has not matched."""
        number = self.names.get(key) if isinstance(key, str) else key
        if isinstance(key, str) and number is None and key.isdigit():
            number = int(key)
        if number is None or not 0 <= number < len(self.groups):
            return Capture(str(key), "", (-1, -1))
        return self.groups[number]


class Captures(list[Any]):
    """What a group captured: here the last, which is the group itself."""

    __slots__ = ()
    __hash__ = object.__hash__  # type: ignore[assignment]


class Groups(list[Any]):
    """Groups of a match, by number or name."""

    __slots__ = ("found",)
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(self, found: Found) -> None:
        super().__init__(found.groups)
        self.found = found


def _input(text: Any, name: str = "input") -> str:
    if text is None:
        raise argument_null(name)
    return str(text)


def _regex(pattern: Any, options: Any = None) -> Regex:
    bits = int(options) if isinstance(options, EnumValue) else 0
    return regexes.compiled(_input(pattern, "pattern"), bits)


def match(run: Run, regex: Regex, text: Any, start: int = 0) -> Found:
    """The first match, or the failed one."""
    given = _input(text)
    spans = regex.matches(given, run.budget.step, start)
    return Found(regex, given, next(spans, None), spans)


def is_match(run: Run, regex: Regex, text: Any, start: int = 0) -> bool:
    """``IsMatch``."""
    return regex.is_found(_input(text), run.budget.step, start)


def next_match(found: Found) -> Found:
    """``NextMatch``: the failed match behind the last one."""
    spans = None if found.following is None else next(found.following, None)
    return Found(found.regex, found.input, spans, found.following)


def matches(run: Run, regex: Regex, text: Any) -> List:
    """All matches."""
    given = _input(text)
    found = List()
    for spans in regex.matches(given, run.budget.step):
        run.budget.step()
        run.budget.allocate(256)
        found.append(Found(regex, given, spans))
    return found


def replace(run: Run, regex: Regex, text: Any, by: Any, count: int = -1) -> str:
    """``Replace`` by a text with references or by what a delegate gives."""
    given = _input(text)
    out: list[str] = []
    at = 0
    for done, spans in enumerate(regex.matches(given, run.budget.step)):
        if 0 <= count <= done:
            break
        found = Found(regex, given, spans)
        put = (
            str(by(found))
            if isinstance(by, Delegate)
            else _expand(found, _input(by, "replacement"))
        )
        run.budget.step()
        run.budget.allocate(len(put))
        out += [given[at : spans[0][0]], put]
        at = spans[0][1]
    return "".join([*out, given[at:]])


def _expand(found: Found, template: str) -> str:
    def one(reference: re.Match[str]) -> str:
        if reference[1]:
            return "$"
        if reference[4]:
            return found.text
        key: Any = int(reference[2]) if reference[2] else reference[3]
        number = (
            found.names.get(key, int(key) if key.isdigit() else -1) if isinstance(key, str) else key
        )
        if not 0 <= number < len(found.groups):
            return reference[0]
        return found.groups[number].text

    return _REFERENCE.sub(one, template)


_ESCAPED: Final = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
_SIGNS: Final = {"a": "\a", "e": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def unescape(text: Any) -> str:
    """``Regex.Unescape``."""
    return _ESCAPED.sub(
        lambda found: (
            chr(int(found[1] or found[2], 16))
            if found[3] is None
            else _SIGNS.get(found[3], found[3])
        ),
        _input(text, "str"),
    )


def split(run: Run, regex: Regex, text: Any) -> Array:
    """``Split``; captured groups come between the parts."""
    given = _input(text)
    parts: list[str] = []
    at = 0
    for spans in regex.matches(given, run.budget.step):
        run.budget.allocate(64)
        parts.append(given[at : spans[0][0]])
        parts += [given[start:end] for start, end in spans[1:] if start >= 0]
        at = spans[0][1]
    return Array([*parts, given[at:]], "string")


REGEX: Final = ClrType("Regex", "System.Text.RegularExpressions.Regex", Regex, base=OBJECT)
REGEX.constructed_by(lambda pattern, options=None, match_timeout=None: _regex(pattern, options))
REGEX.method("IsMatch", is_match, "bool")
REGEX.method("Match", match, "Match")
REGEX.method("Matches", matches, "List<Match>")
REGEX.method("Replace", replace, "string")
REGEX.method("Split", split, "string[]")
REGEX.method("ToString", lambda r: r.pattern, "string")
REGEX.static(
    "IsMatch",
    lambda run, text, pattern, options=None, match_timeout=None: is_match(
        run, _regex(pattern, options), text
    ),
    "bool",
)
REGEX.static(
    "Match",
    lambda run, text, pattern, options=None, match_timeout=None: match(
        run, _regex(pattern, options), text
    ),
    "Match",
)
REGEX.static(
    "Matches",
    lambda run, text, pattern, options=None, match_timeout=None: matches(
        run, _regex(pattern, options), text
    ),
    "List<Match>",
)
REGEX.static(
    "Replace",
    lambda run, text, pattern, by, options=None, match_timeout=None: replace(
        run, _regex(pattern, options), text, by
    ),
    "string",
)
REGEX.static(
    "Split",
    lambda run, text, pattern, options=None: split(run, _regex(pattern, options), text),
    "string[]",
)
REGEX.static(
    "Escape",
    lambda text: re.sub(r"[\\*+?|{\[()^$.# ]", lambda m: "\\" + m[0], _input(text, "str")),
    "string",
)

REGEX.static("Unescape", unescape, "string")

CAPTURE: Final = ClrType("Capture", "System.Text.RegularExpressions.Capture", base=OBJECT)
CAPTURE.property("Value", lambda c: c.text, "string")
CAPTURE.property("Index", lambda c: c.index, "int")
CAPTURE.property("Length", lambda c: len(c.text), "int")
GROUP: Final = ClrType("Group", "System.Text.RegularExpressions.Group", Capture, base=CAPTURE)
GROUP.property("Success", lambda g: g.success, "bool")
GROUP.property("Captures", lambda g: Captures([g] if g.success else []), "CaptureCollection")
GROUP.property("Name", lambda g: g.name, "string")
MATCH: Final = ClrType("Match", "System.Text.RegularExpressions.Match", Found, base=GROUP)
MATCH.property("Groups", Groups, "GroupCollection")
MATCH.method("NextMatch", next_match, "Match")
MATCH.method("Result", lambda m, replacement: _expand(m, _input(replacement)), "string")
MATCH.constant("Empty", Found(regexes.compiled("", 0), "", None), "Match")
GROUPS: Final = ClrType(
    "GroupCollection", "System.Text.RegularExpressions.GroupCollection", Groups, base=OBJECT
)
GROUPS.indexed_by(lambda groups, key: groups.found.group(key), "Group")
GROUPS.property("Count", len, "int")
CAPTURES: Final = ClrType(
    "CaptureCollection", "System.Text.RegularExpressions.CaptureCollection", Captures, base=OBJECT
)
CAPTURES.indexed_by(lambda captures, index: captures[index], "Capture")
CAPTURES.property("Count", len, "int")
linq.extend(GROUPS)
