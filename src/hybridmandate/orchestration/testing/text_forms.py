"""Texts of the form that an expression takes apart: split, searched, cut, read as a date."""

from __future__ import annotations

from collections.abc import Iterator

from hybridmandate.orchestration.expressions.syntax import Call, Literal, Node

PLAIN = "20260131"
"""The sample text: it may also be read as a number and as a date."""
SPLIT_PARTS = 8
"""Parts of a text that an expression splits."""
_DATES = {"yyyyMMdd": "20260131", "yyyy-MM-dd": "2026-01-31", "MM/dd/yyyy": "01/31/2026"}
_LONGEST = 512


def form_of(name: str, arguments: tuple[Node, ...], known: object) -> str:
    """A text that a function can take apart, '' when it asks for no form.

    ``known`` is the text that is expected at the place so far: one that a flow compares with stays,
    one that was made here is made longer.
    """
    if known is not None and not str(known).startswith(PLAIN):
        return ""
    second = arguments[1] if len(arguments) > 1 else None
    text = second.value if isinstance(second, Literal) else None
    if name == "split" and isinstance(text, str):
        return text.join(["1"] * SPLIT_PARTS) if known is None else ""
    if name in ("indexof", "lastindexof") and isinstance(text, str) and text:
        before = known if isinstance(known, str) else PLAIN
        return "" if text in before else f"{before}{text}{PLAIN}{PLAIN}"
    if name == "substring":
        return _long_enough(arguments[1:], known)
    if name == "parsedatetime" and isinstance(arguments[-1], Literal) and known is None:
        return _DATES.get(str(arguments[-1].value), "")
    return ""


def _long_enough(cuts: tuple[Node, ...], known: object) -> str:
    """A text from which a substring can be taken: as long as the numbers in its cuts say."""
    direct = sum(_numbers(each) for each in cuts if isinstance(each, Literal))
    inside = max((number for each in cuts for number in _inner_numbers(each)), default=0)
    needed = max(direct, inside)
    before = known if isinstance(known, str) else PLAIN
    if not len(before) < needed <= _LONGEST:
        return ""
    return before + (PLAIN * (needed // len(PLAIN) + 1))[: needed - len(before)]


def _inner_numbers(node: Node) -> Iterator[int]:
    if isinstance(node, Literal):
        yield _numbers(node)
    elif isinstance(node, Call):
        for each in node.arguments:
            yield from _inner_numbers(each)


def _numbers(node: Literal) -> int:
    value = node.value
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
