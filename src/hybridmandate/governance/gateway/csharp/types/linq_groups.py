"""LINQ methods that group or pick by key: ToLookup, GroupJoin, DistinctBy, TakeLast…

Source: learn.microsoft.com, System.Linq.Enumerable and System.Linq.ILookup.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from hybridmandate.governance.gateway.csharp.collections import (
    Array,
    Delegate,
    Grouping,
    Sequence,
    Tuple,
)
from hybridmandate.governance.gateway.csharp.numbers import Char
from hybridmandate.governance.gateway.csharp.types.linq_results import (
    Test,
    number_in,
    walked,
)
from hybridmandate.governance.gateway.csharp.types.table import Run


def key_of(item: Any, comparer: Any = None) -> Any:
    """What tells an element from others in a table: equal elements have equal keys."""
    if comparer is not None and comparer.ignore_case and isinstance(item, str):
        return item.lower()
    value = number_in(item) if hasattr(item, "value_token") and item.value_token() else item
    return (type(value).__name__, value) if isinstance(value, bool | Char) else value


def unique(
    run: Run, items: Iterable[Any], seen: set[Any], comparer: Any, by: Test | None = None
) -> Iterator[Any]:
    """The elements whose key was not seen before."""
    for item in items:
        key = key_of(item if by is None else by(item), comparer)
        if key not in seen:
            run.budget.allocate(64)
            seen.add(key)
            yield item


class Lookup(Sequence):
    """System.Linq.ILookup: groups by key; a key that is not there has an empty group."""

    __slots__ = ("comparer", "groups")

    def __init__(self, groups: dict[Any, Grouping], comparer: Any) -> None:
        super().__init__(lambda: iter(list(groups.values())))
        self.groups = groups
        self.comparer = comparer

    def group(self, key: Any) -> Any:
        """The group of a key."""
        found = self.groups.get(key_of(key, self.comparer))
        return Array(()) if found is None else found

    def __len__(self) -> int:
        return len(self.groups)


def grouped(
    run: Run, source: Any, key: Test, element: Test | None, comparer: Any
) -> dict[Any, Grouping]:
    """Groups by key, in the order of their first element."""
    groups: dict[Any, Grouping] = {}
    for item in walked(run, source):
        run.budget.allocate(64)
        own = key(item)
        group = groups.setdefault(key_of(own, comparer), Grouping(own, []))
        group.items.append(item if element is None else element(item))
    return groups


def split_options(options: tuple[Any, ...]) -> tuple[list[Delegate], Any]:
    """The functions of a call with overloads, and its comparer."""
    functions = [each for each in options if isinstance(each, Delegate)]
    return functions, next((each for each in options if not isinstance(each, Delegate)), None)


def group_by(
    run: Run, source: Any, key: Test, *options: Any, types: tuple[str, ...] = ()
) -> Sequence:
    """``GroupBy``, with an element selector, a result selector and a comparer."""
    functions, comparer = split_options(options)
    result = next((each for each in functions if each.arity == 2), None)
    element = next((each for each in functions if each is not result), None)

    def make() -> Iterator[Any]:
        groups = list(grouped(run, source, key, element, comparer).values())
        return iter(groups if result is None else [result(g.key, g) for g in groups])

    return Sequence(make)


def to_lookup(
    run: Run, source: Any, key: Test, *options: Any, types: tuple[str, ...] = ()
) -> Lookup:
    """``ToLookup``, with an element selector and a comparer."""
    functions, comparer = split_options(options)
    element = functions[0] if functions else None
    return Lookup(grouped(run, source, key, element, comparer), comparer)


def group_join(
    run: Run,
    source: Any,
    inner: Any,
    outer_key: Test,
    inner_key: Test,
    result: Test,
    comparer: Any = None,
) -> Sequence:
    """``GroupJoin``: each outer element with all inner elements of its key."""

    def make() -> Iterator[Any]:
        table = Lookup(grouped(run, inner, inner_key, None, comparer), comparer)
        for outer in walked(run, source):
            yield result(outer, table.group(outer_key(outer)))

    return Sequence(make)


def distinct_by(run: Run, source: Any, key: Test, comparer: Any = None) -> Sequence:
    """``DistinctBy``."""
    return Sequence(lambda: unique(run, walked(run, source), set(), comparer, key))


def union_by(run: Run, source: Any, other: Any, key: Test, comparer: Any = None) -> Sequence:
    """``UnionBy``."""

    def both() -> Iterator[Any]:
        yield from walked(run, source)
        yield from walked(run, other)

    return Sequence(lambda: unique(run, both(), set(), comparer, key))


def except_by(run: Run, source: Any, keys: Any, key: Test, comparer: Any = None) -> Sequence:
    """``ExceptBy``: elements whose key is not among ``keys``."""
    return Sequence(
        lambda: unique(
            run,
            walked(run, source),
            {key_of(each, comparer) for each in walked(run, keys)},
            comparer,
            key,
        )
    )


def intersect_by(run: Run, source: Any, keys: Any, key: Test, comparer: Any = None) -> Sequence:
    """``IntersectBy``: elements whose key is among ``keys``."""

    def make() -> Iterator[Any]:
        wanted = {key_of(each, comparer) for each in walked(run, keys)}
        found = (x for x in walked(run, source) if key_of(key(x), comparer) in wanted)
        return unique(run, found, set(), comparer, key)

    return Sequence(make)


def skip_last(run: Run, source: Any, size: int) -> Sequence:
    """``SkipLast``."""

    def make() -> Iterator[Any]:
        items = list(walked(run, source))
        return islice(items, max(0, len(items) - max(0, size)))

    return Sequence(make)


def take_last(run: Run, source: Any, size: int) -> Sequence:
    """``TakeLast``."""
    return Sequence(lambda: iter(deque(walked(run, source), max(0, size))))


def index(run: Run, source: Any) -> Sequence:
    """``Index``: pairs of index and element."""
    return Sequence(
        lambda: (Tuple(pair, ["Index", "Item"]) for pair in enumerate(walked(run, source)))
    )


def count_known(source: Any) -> tuple[bool, int]:
    """``TryGetNonEnumeratedCount``: the size of what has one without a walk."""
    known = isinstance(source, list | bytearray | dict)
    return known, len(source) if known else 0


GROUPING_METHODS: dict[str, tuple[Callable[..., Any], str]] = {
    "GroupBy": (group_by, "IEnumerable"), "GroupJoin": (group_join, "IEnumerable"),
    "ToLookup": (to_lookup, "Lookup"), "DistinctBy": (distinct_by, "IEnumerable"),
    "UnionBy": (union_by, "IEnumerable"), "ExceptBy": (except_by, "IEnumerable"),
    "IntersectBy": (intersect_by, "IEnumerable"), "SkipLast": (skip_last, "IEnumerable"),
    "TakeLast": (take_last, "IEnumerable"), "Index": (index, "IEnumerable"),
}  # fmt: skip
"""Extension methods with their static result types."""
