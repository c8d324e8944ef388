"""Collection functions: arrays, texts as rows of characters, objects as sets of properties."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cmp_to_key
from typing import Any

from hybridmandate.orchestration.expressions.access import access
from hybridmandate.orchestration.expressions.bounds import Frame
from hybridmandate.orchestration.expressions.dotnet.utf16 import joined, units
from hybridmandate.orchestration.expressions.errors import FunctionFault
from hybridmandate.orchestration.expressions.functions.logical import order
from hybridmandate.orchestration.expressions.registry import Family, optional, repeated, required
from hybridmandate.orchestration.expressions.values import (
    ANY,
    ARRAY,
    INTEGER,
    NULL,
    OBJECT,
    TEXT,
    identity,
    same,
    text_of,
)

collection = Family("Collection")
ROW = TEXT | ARRAY


@collection.function(
    "contains",
    required("collection", ROW | OBJECT),
    required("value", ANY),
    example="contains('hello world', 'world')",
    gives=True,
)
def contains(frame: Frame, where: Any, value: Any) -> bool:
    """Whether a text holds a text, an array an item, an object a property of that name."""
    if isinstance(where, str):
        if not isinstance(value, str):
            value = text_of(frame, value)
        return value in where
    if isinstance(where, list):
        return any(same(frame, each, value) for each in where)
    if not isinstance(value, str):
        raise FunctionFault(
            "The name of a property must be a string", argument=2, expected="a string", value=value
        )
    return value in where or any(name.lower() == value.lower() for name in where)


@collection.function(
    "empty", required("collection", ROW | OBJECT | NULL), example="empty('')", gives=True
)
def empty(frame: Frame, what: Any) -> bool:
    """Whether a text, array or object holds nothing; null is empty."""
    return not what


@collection.function("length", required("collection", ROW), example="length('abcd')", gives=4)
def length(frame: Frame, what: str | list[Any]) -> int:
    """How many characters a text or items an array has."""
    return len(units(what) if isinstance(what, str) else what)


@collection.function(
    "first", required("collection", ROW), example="first(createArray(0, 1, 2))", gives=0
)
def first(frame: Frame, what: Any) -> Any:
    """The first item or character; null of an empty array, an empty text of an empty text."""
    if what:
        return _part(what, 0, 1) if isinstance(what, str) else what[0]
    return "" if isinstance(what, str) else None


@collection.function("last", required("collection", ROW), example="last('abcd')", gives="d")
def last(frame: Frame, what: Any) -> Any:
    """The last item or character; null of an empty array, an empty text of an empty text."""
    if what:
        return _part(what, -1, None) if isinstance(what, str) else what[-1]
    return "" if isinstance(what, str) else None


@collection.function(
    "skip",
    required("collection", ROW),
    required("count", INTEGER),
    example="skip(createArray(0, 1, 2, 3), 1)",
    gives=[1, 2, 3],
)
def skip(frame: Frame, what: Any, count: int) -> Any:
    """All but the first items or characters."""
    return _part(what, _not_negative(count, 2), None)


@collection.function(
    "take",
    required("collection", ROW),
    required("count", INTEGER),
    example="take('abcde', 3)",
    gives="abc",
)
def take(frame: Frame, what: Any, count: int) -> Any:
    """The first items or characters."""
    return _part(what, 0, _not_negative(count, 2))


def _part(what: Any, start: int, end: int | None) -> Any:
    """Some items of an array, or units of a text."""
    return joined(units(what)[start:end]) if isinstance(what, str) else what[start:end]


def _not_negative(count: int, argument: int) -> int:
    if count < 0:
        raise FunctionFault("The count must not be negative", argument=argument, value=count)
    return count


@collection.function(
    "join",
    required("array", ARRAY),
    required("delimiter", TEXT),
    example="join(createArray('a', 'b', 'c'), '.')",
    gives="a.b.c",
)
def join(frame: Frame, items: list[Any], delimiter: str) -> str:
    """The text forms of the items with a delimiter between them."""
    texts: list[str] = []
    size = 0
    for each in items:
        text = text_of(frame, each)
        size += len(text) + len(delimiter)
        frame.admit_text(size - len(delimiter))
        texts.append(text)
    frame.spend(len(texts))
    return delimiter.join(texts)


@collection.function(
    "chunk",
    required("collection", ROW),
    required("length", INTEGER),
    example="chunk(createArray(1, 2, 3, 4), 3)",
    gives=[[1, 2, 3], [4]],
)
def chunk(frame: Frame, what: Any, size: int) -> list[Any]:
    """Pieces of equal length, the last one with the rest."""
    if size < 1:
        raise FunctionFault("The length of a chunk must be at least 1", argument=2, value=size)
    frame.spend(len(what))
    row = units(what) if isinstance(what, str) else what
    pieces = [row[at : at + size] for at in range(0, len(row), size)]
    return [joined(each) for each in pieces] if isinstance(what, str) else pieces


@collection.function(
    "reverse", required("array", ARRAY), example="reverse(createArray(0, 1, 2))", gives=[2, 1, 0]
)
def reverse(frame: Frame, items: list[Any]) -> list[Any]:
    """The items in the opposite order."""
    frame.spend(len(items))
    return items[::-1]


@collection.function(
    "sort",
    required("array", ARRAY),
    optional("sortBy", TEXT),
    example="sort(createArray(2, 1, 0, 3))",
    gives=[0, 1, 2, 3],
)
def sort(frame: Frame, items: list[Any], by: str | None = None) -> list[Any]:
    """The items in ascending order, by a property when they are objects."""
    keyed = [(each if by is None else access(each, by, True), each) for each in items]

    def compare(one: tuple[Any, Any], other: tuple[Any, Any]) -> int:
        frame.spend(1)
        return _sorted_order(one[0], other[0])

    return [each for _, each in sorted(keyed, key=cmp_to_key(compare))]


def _sorted_order(one: Any, other: Any) -> int:
    """Nulls first, then values of one kind by their order."""
    if one is None or other is None:
        return (one is not None) - (other is not None)
    if isinstance(one, bool) and isinstance(other, bool):
        return int(one) - int(other)
    try:
        return order(one, other)
    except FunctionFault as fault:
        raise FunctionFault(fault.reason, argument=1, expected="values of one type") from fault


@collection.function(
    "intersection",
    repeated("collections", ARRAY | OBJECT, least=2),
    example="intersection(createArray(1, 2, 3), createArray(101, 2, 1, 10))",
    gives=[1, 2],
)
def intersection(frame: Frame, *collections: Any) -> Any:
    """What is in all collections: items in the order of the first, or equal properties."""
    start, *others = collections
    _same_kind(collections)
    if isinstance(start, dict):
        return {
            name: value
            for name, value in start.items()
            if all(name in each and same(frame, value, each[name]) for each in others)
        }
    sets = [{identity(frame, item) for item in each} for each in others]
    return [
        each for key, each in _distinct(frame, start).items() if all(key in found for found in sets)
    ]


@collection.function(
    "union",
    repeated("collections", ARRAY | OBJECT, least=2),
    example="union(createArray(1, 2, 3), createArray(1, 2, 10))",
    gives=[1, 2, 3, 10],
)
def union(frame: Frame, *collections: Any) -> Any:
    """What is in any collection: items once each, or properties with their last value."""
    _same_kind(collections)
    if isinstance(collections[0], dict):
        merged: dict[str, Any] = {}
        for each in collections:
            frame.spend(len(each))
            merged.update(each)
        return merged
    return list(_distinct(frame, [item for each in collections for item in each]).values())


def _same_kind(collections: Sequence[Any]) -> None:
    kind = type(collections[0])
    for at, each in enumerate(collections):
        if type(each) is not kind:
            raise FunctionFault(
                "The collections must be all arrays or all objects", argument=at + 1, value=each
            )


def _distinct(frame: Frame, items: Sequence[Any]) -> dict[Any, Any]:
    """The items by identity, each value once, in the order of its first occurrence."""
    found: dict[Any, Any] = {}
    for each in items:
        found.setdefault(identity(frame, each), each)
    return found
