"""What a person sees of a question that waits: which buttons there are, and what can be filled in.

A mail with options names its buttons; an adaptive card holds them in its actions and its fields in
its body. Source: adaptivecards.io, schema explorer: Action.Submit, Action.Execute, Input.*.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_ANSWERING = ("Action.Submit", "Action.Execute")
_DEPTH = 32


@dataclass(frozen=True, slots=True)
class CardField:
    """A field of a card: its id, what stands beside it, and the values to choose among, if any."""

    id: str
    label: str
    choices: tuple[str, ...] = ()

    def __str__(self) -> str:
        told = [self.label] if self.label and self.label != self.id else []
        told += [f"one of {', '.join(self.choices)}"] if self.choices else []
        return f"{self.id} ({'; '.join(told)})" if told else self.id


def buttons(question: Mapping[str, Any]) -> list[str]:
    """The answers to choose among: options of a mail, titles or ids of a card's buttons."""
    options = [str(each) for each in question["options"]]
    if options:
        return options
    return [
        str(each.get("id") or each.get("title") or "")
        for each in _elements(question["content"], 0)
        if each.get("type") in _ANSWERING
    ]


def fields(question: Mapping[str, Any]) -> list[CardField]:
    """The fields of a card; a mail with options has none."""
    return [
        CardField(str(each["id"]), _label(each), tuple(_choices(each)))
        for each in _elements(question["content"], 0)
        if str(each.get("type")).startswith("Input.") and each.get("id")
    ]


def text(question: Mapping[str, Any]) -> str:
    """The title, and of a card its first text, which says more."""
    first = next(
        (
            str(each["text"])
            for each in _elements(question["content"], 0)
            if each.get("type") == "TextBlock" and each.get("text")
        ),
        "",
    )
    return f"{question['title']}: {first}" if first else str(question["title"])


def _elements(value: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    """Every element of a card, in its order, however it is nested."""
    if depth > _DEPTH:
        return
    if isinstance(value, Mapping):
        if isinstance(value.get("type"), str):
            yield value
        for part in value.values():
            yield from _elements(part, depth + 1)
    elif isinstance(value, list):
        for part in value:
            yield from _elements(part, depth + 1)


def _label(element: Mapping[str, Any]) -> str:
    return str(element.get("label") or element.get("placeholder") or element.get("title") or "")


def _choices(element: Mapping[str, Any]) -> Iterator[str]:
    choices = element.get("choices")
    for each in choices if isinstance(choices, list) else []:
        if isinstance(each, Mapping) and "value" in each:
            yield str(each["value"])
