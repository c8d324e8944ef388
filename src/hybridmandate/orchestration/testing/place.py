"""One place in an answer, and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Place:
    """What is known of one place in an answer.

    ``kind`` is ``list``, ``number``, ``digits``, ``moment``, ``bool``, ``object``, ``uri`` or
    ``xml``, ``zone``; None while nothing asks for a type. ``literal`` is a value that the flow
    compares it with, or a text of the form that it takes apart, ``size`` how many items are looked
    at, ``item`` is what a list holds, ``parsed`` what the JSON text at
    this place holds, ``decoded`` what its base64 text holds, ``schema`` a JSON schema that is
    demanded of it.
    """

    kind: str | None = None
    literal: Any = None
    size: int = 1
    parts: dict[str, Place] = field(default_factory=dict)
    item: Place | None = None
    parsed: Place | None = None
    decoded: Place | None = None
    schema: Any = None

    def part(self, key: str) -> Place:
        """A property; ``a/b`` goes two steps, as slash paths do."""
        head, slash, rest = key.partition("/")
        known = next((each for each in self.parts if each.lower() == head.lower()), head)
        found = self.parts.setdefault(known, Place())
        return found.part(rest) if slash and rest else found

    def element(self) -> Place:
        """What a list holds."""
        self.kind = "list"
        if self.item is None:
            self.item = Place()
        return self.item

    def content(self) -> Place:
        """What the JSON text at this place holds."""
        if self.parsed is None:
            self.parsed = Place()
        return self.parsed

    def plain(self) -> Place:
        """What the base64 text at this place holds."""
        if self.decoded is None:
            self.decoded = Place()
        return self.decoded


def ask(place: Place, kind: str) -> None:
    """Note that a type is needed at a place; the first one stays, except for lists and digits."""
    if kind == "list":
        place.element()
    elif kind == "base64":
        place.plain()
    elif place.kind is None or kind == "digits":
        place.kind = kind
