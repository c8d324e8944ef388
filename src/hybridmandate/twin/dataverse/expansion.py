"""`$expand` as values: navigation properties with options of their own, nested.

Source: learn.microsoft.com/power-apps/developer/data-platform/webapi/query/join-tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hybridmandate.twin.dataverse.errors import DataverseError, bad_request, unsupported

MAX_EXPANSIONS = 15
"""How many navigation properties one query may expand (Dataverse's limit on joins)."""
MAX_DEPTH = 8
MAX_LENGTH = 32_768
_NAME = re.compile(r"[A-Za-z_]\w*")
_OPTIONS = ("$select", "$filter", "$orderby", "$top", "$expand")


@dataclass(frozen=True, slots=True)
class Expansion:
    """A navigation property and the options in its brackets."""

    name: str
    options: dict[str, str]
    nested: tuple[Expansion, ...]


def parse_expand(text: str | None) -> tuple[Expansion, ...]:
    """The expansions of a query. :raises DataverseError: 400 where it is not understood."""
    if not text:
        return ()
    if len(text) > MAX_LENGTH:
        raise bad_request("The $expand is too long.")
    found = tuple(_parse(text, 1))
    if sum(_count(each) for each in found) > MAX_EXPANSIONS:
        raise DataverseError(
            400,
            "0x8004430d",
            f"Number of link entities in query exceeded maximum limit of {MAX_EXPANSIONS}.",
        )
    return found


def _parse(text: str, depth: int) -> Iterator[Expansion]:
    if depth > MAX_DEPTH:
        raise bad_request(f"The $expand is nested deeper than {MAX_DEPTH} levels.")
    for part in _split(text, ","):
        name, bracket, rest = part.strip().partition("(")
        if _NAME.fullmatch(name.strip()) is None or (bracket and not rest.endswith(")")):
            raise bad_request(f"'{part.strip()}' in $expand cannot be read.")
        options = _options(rest[:-1]) if bracket else {}
        nested = options.pop("$expand", None)
        inner = tuple(_parse(nested, depth + 1)) if nested else ()
        yield Expansion(name.strip(), options, inner)


def _options(text: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for part in _split(text, ";"):
        name, equals, value = part.strip().partition("=")
        if not equals:
            raise bad_request(f"'{part.strip()}' in $expand is no option.")
        if name not in _OPTIONS:
            raise unsupported(f"the option {name} within $expand")
        options[name] = value
    return options


def _split(text: str, mark: str) -> list[str]:
    """The parts between marks that stand outside of brackets and quotes."""
    parts, start, depth, quoted = [], 0, 0, False
    for at, letter in enumerate(text):
        if letter == "'":
            quoted = not quoted
        elif quoted:
            continue
        elif letter in "()":
            depth += 1 if letter == "(" else -1
        elif letter == mark and depth == 0:
            parts.append(text[start:at])
            start = at + 1
        if depth < 0:
            break
    if depth or quoted:
        raise bad_request("The brackets or quotes of $expand do not match.")
    return [*parts, text[start:]]


def _count(expansion: Expansion) -> int:
    return 1 + sum(_count(each) for each in expansion.nested)
