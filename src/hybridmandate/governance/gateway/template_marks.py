"""The marks of templates that deployment scripts make policy documents of.

Terraform writes ``${…}`` and ``%{…}``, others ``{name}`` as a whole value, ``$(name)``,
``#{name}#``, or a word in capitals where a number belongs. A document with marks is no policy until
they are filled in. Here each becomes a named value, so that it gets one fit for its place; a mark
among elements becomes an element that may stand there, or nothing.
"""

from __future__ import annotations

import re

_DIRECTIVE = re.compile(r"%\{[^}\n]*\}")
_MARK = re.compile(
    r"\$\{[^}\"\n]{1,80}\}"
    r"|(?:(?<==\")|(?<=>))\{\w[\w-]*\}(?=[\"<])"
    r"|\$\([A-Za-z_]\w*\)"
    r"|#\{\w+\}#"
)
_AMONG_ELEMENTS = re.compile(
    r"(?P<before><(?P<opened>[\w-]+)(?: [^<>]*)?>|/>|</[\w-]+>|-->)\s*"
    r"(?:\$\{[^}\"\n]{1,80}\}|\{\w[\w-]*\})"
    r"(?=\s*<(?P<slash>/?)(?P<following>[\w-]+|!--))"
)
_IN_PLACE_OF = {
    "allowed-origins": "<origin>https://service.example</origin>",
    "choose": '<when condition="true" />',
}
_WORD_FOR_NUMBER = re.compile(r'(?<=\bcount=")[A-Z]+(?:_[A-Z]+)+(?=")')
_INTERPOLATED = re.compile(r'\$"(?:[^"\\\n]|\\.)*"')
_HYPHENATED = re.compile(r"(?<!\{)\{[a-z]+(?:-[a-z]+)+\}(?!\})")
"""In C# that would be a difference of undeclared names; scripts replace it."""


def fill_in(text: str) -> str:
    """The document with its marks filled in; the same text where it has none."""
    text = _AMONG_ELEMENTS.sub(_element, _DIRECTIVE.sub("", text))
    for word in set(_WORD_FOR_NUMBER.findall(text)):
        text = re.sub(rf"\b{word}\b", f"{{{{template-{word.replace('_', '-')}}}}}", text)
    text = _INTERPOLATED.sub(lambda found: _HYPHENATED.sub(_named, found[0]), text)
    return _MARK.sub(_named, text)


def _named(mark: re.Match[str]) -> str:
    return "{{" + re.sub(r"[^A-Za-z0-9]+", "-", f"template{mark[0]}") + "}}"


def _element(mark: re.Match[str]) -> str:
    opened = mark["opened"] or ""
    if opened in _IN_PLACE_OF:
        return mark["before"] + _IN_PLACE_OF[opened]
    if mark["slash"] and mark["following"] == opened:
        return mark[0]
    return mark["before"]
