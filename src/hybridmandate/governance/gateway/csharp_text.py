"""Where a C# expression ends inside raw policy text.

More than half of real policy files are no well-formed XML: quotes, ``&&``, ``<`` and generics stand
unescaped inside ``@(...)`` and ``@{...}``. The end of an attribute or text is therefore found by
C#'s own rules: brackets, strings (plain, verbatim, interpolated), character literals and comments.
"""

from __future__ import annotations

import re

_OPEN = {"(": ")", "[": "]", "{": "}"}
_INTERESTING = re.compile(r"[()\[\]{}\"'/$@]")


def starts_expression(text: str) -> bool:
    """Whether a value is a policy expression (leading white space does not count)."""
    return text.lstrip()[:2] in ("@(", "@{")


def expression_end(text: str, start: int) -> int | None:
    """The offset behind the expression whose ``@`` stands at ``start``; None if it never ends."""
    return _code_end(text, start + 2, _OPEN[text[start + 1]])


def is_whole_expression(text: str) -> bool:
    """Whether the text is exactly one complete expression, with white space around it."""
    if not starts_expression(text):
        return False
    end = expression_end(text, len(text) - len(text.lstrip()))
    return end is not None and not text[end:].strip()


def _code_end(text: str, at: int, closing: str) -> int | None:
    awaited = [closing]
    size = len(text)
    while at < size:
        found = _INTERESTING.search(text, at)
        if found is None:
            return None
        sign = found[0]
        at = found.start()
        if sign in _OPEN:
            awaited.append(_OPEN[sign])
            at += 1
        elif sign in ")]}":
            if awaited.pop() != sign:
                return None
            at += 1
            if not awaited:
                return at
        else:
            following = _skip(text, at, sign)
            if following is None:
                return None
            at = following
    return None


def _skip(text: str, at: int, sign: str) -> int | None:
    """Past the literal or comment that starts here; one character further if there is none."""
    if sign == "/":
        return _comment_end(text, at)
    if sign == "'":
        return _character_end(text, at)
    if sign == '"':
        return _plain_string_end(text, at + 1)
    prefix = text[at : at + 2]
    if text.startswith(('$@"', '@$"'), at):
        return _interpolated_end(text, at + 3, verbatim=True)
    if prefix == '$"':
        return _interpolated_end(text, at + 2, verbatim=False)
    if prefix == '@"':
        return _verbatim_end(text, at + 2)
    return at + 1


def _comment_end(text: str, at: int) -> int | None:
    if text.startswith("//", at):
        end = text.find("\n", at)
        return None if end < 0 else end + 1
    if text.startswith("/*", at):
        end = text.find("*/", at + 2)
        return None if end < 0 else end + 2
    return at + 1


def _character_end(text: str, at: int) -> int | None:
    """Past ``'x'``; a lone apostrophe (not valid C#, seen in samples) is taken as a string."""
    at += 1
    while at < len(text):
        if text[at] == "\\":
            at += 2
            continue
        if text[at] == "'":
            return at + 1
        at += 1
    return None


def _plain_string_end(text: str, at: int) -> int | None:
    while at < len(text):
        if text[at] == "\\":
            at += 2
            continue
        if text[at] == '"':
            return at + 1
        at += 1
    return None


def _verbatim_end(text: str, at: int) -> int | None:
    while True:
        at = text.find('"', at)
        if at < 0:
            return None
        if text[at + 1 : at + 2] != '"':
            return at + 1
        at += 2


def _interpolated_end(text: str, at: int, *, verbatim: bool) -> int | None:
    size = len(text)
    while at < size:
        sign = text[at]
        if sign == "\\" and not verbatim:
            at += 2
        elif sign == '"':
            if verbatim and text[at + 1 : at + 2] == '"':
                at += 2
                continue
            return at + 1
        elif sign == "{" and text[at + 1 : at + 2] == "{":
            at += 2
        elif sign == "{":
            end = _code_end(text, at + 1, "}")
            if end is None:
                return None
            at = end
        else:
            at += 1
    return None
