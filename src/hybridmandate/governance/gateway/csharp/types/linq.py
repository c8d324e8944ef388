"""LINQ over anything enumerable, lazy where .NET is lazy. Every element costs a step.

Source: learn.microsoft.com, System.Linq.Enumerable.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.collections import (
    Array,
    Delegate,
    Dictionary,
    HashSet,
    List,
    Sequence,
    Tuple,
)
from hybridmandate.governance.gateway.csharp.conversions import cast_to, is_instance
from hybridmandate.governance.gateway.csharp.failures import (
    argument,
    out_of_range,
)
from hybridmandate.governance.gateway.csharp.numbers import Char, Long
from hybridmandate.governance.gateway.csharp.types.enumerators import Enumerator
from hybridmandate.governance.gateway.csharp.types.linq_groups import (
    GROUPING_METHODS,
    key_of,
    unique,
)
from hybridmandate.governance.gateway.csharp.types.linq_results import (
    Test,
    aggregate,
    all_of,
    any_of,
    average,
    by_key,
    contains,
    count,
    element_at,
    element_at_or_default,
    extreme,
    first,
    first_or_default,
    last,
    last_or_default,
    materialized,
    order,
    sequence_equal,
    single,
    single_or_default,
    total,
    walked,
)
from hybridmandate.governance.gateway.csharp.types.table import ClrType, Run


def lazy(make: Callable[[], Iterator[Any]]) -> Sequence:
    """A sequence that is evaluated when it is walked."""
    return Sequence(make)


def _indexed(function: Any) -> bool:
    return isinstance(function, Delegate) and function.arity == 2


def select(run: Run, source: Any, selector: Test, *, types: tuple[str, ...] = ()) -> Sequence:
    """``Select``, also with the index."""
    if _indexed(selector):
        return lazy(lambda: (selector(x, i) for i, x in enumerate(walked(run, source))))
    return lazy(lambda: (selector(x) for x in walked(run, source)))


def where(run: Run, source: Any, predicate: Test) -> Sequence:
    """``Where``, also with the index."""
    if _indexed(predicate):
        return lazy(lambda: (x for i, x in enumerate(walked(run, source)) if predicate(x, i)))
    return lazy(lambda: (x for x in walked(run, source) if predicate(x)))


def select_many(
    run: Run,
    source: Any,
    selector: Test,
    result: Test | None = None,
    *,
    types: tuple[str, ...] = (),
) -> Sequence:
    """``SelectMany``."""

    def make() -> Iterator[Any]:
        for outer in walked(run, source):
            for inner in walked(run, selector(outer)):
                yield inner if result is None else result(outer, inner)

    return lazy(make)


Ordering = list[tuple[Test, bool, Any]]


def _ordered(run: Run, source: Any, orderings: Ordering) -> Sequence:
    def make() -> Iterator[Any]:
        items = materialized(run, source)
        for selector, descending, comparer in reversed(orderings):
            fold = comparer is not None and getattr(comparer, "ignore_case", False)
            ordinal = comparer is not None and comparer.label.startswith("Ordinal")

            def key(item: Any, get: Test = selector, fold: bool = fold) -> Any:
                run.budget.step()
                value = get(item)
                return value.lower() if fold and isinstance(value, str) else value

            compare = _ordinal if ordinal else order
            sort_key = functools.cmp_to_key(compare)
            keyed = [(sort_key(key(item)), item) for item in items]
            keyed.sort(key=operator.itemgetter(0), reverse=descending)
            items = [item for _, item in keyed]
        return iter(items)

    return Sequence(make, (source, orderings))


def _ordinal(a: Any, b: Any) -> int:
    return int(a > b) - int(a < b)


def order_by(run: Run, source: Any, selector: Test, comparer: Any = None) -> Sequence:
    """``OrderBy``: stable."""
    return _ordered(run, source, [(selector, False, comparer)])


def order_by_descending(run: Run, source: Any, selector: Test, comparer: Any = None) -> Sequence:
    """``OrderByDescending``."""
    return _ordered(run, source, [(selector, True, comparer)])


def _itself(item: Any) -> Any:
    return item


def _then(descending: bool) -> Callable[..., Sequence]:
    def run_then(run: Run, source: Any, selector: Test, comparer: Any = None) -> Sequence:
        if not isinstance(source, Sequence) or source.ordering is None:
            raise argument("ThenBy follows OrderBy.")
        origin, orderings = source.ordering
        return _ordered(run, origin, [*orderings, (selector, descending, comparer)])

    return run_then


def skip(run: Run, source: Any, size: int) -> Sequence:
    """``Skip``."""
    return lazy(lambda: islice(walked(run, source), max(0, size), None))


def take(run: Run, source: Any, size: int) -> Sequence:
    """``Take``."""
    return lazy(lambda: islice(walked(run, source), max(0, size)))


def take_while(run: Run, source: Any, predicate: Test) -> Sequence:
    """``TakeWhile``."""

    def make() -> Iterator[Any]:
        for item in walked(run, source):
            if not predicate(item):
                return
            yield item

    return lazy(make)


def skip_while(run: Run, source: Any, predicate: Test) -> Sequence:
    """``SkipWhile``."""

    def make() -> Iterator[Any]:
        skipping = True
        for item in walked(run, source):
            skipping = skipping and bool(predicate(item))
            if not skipping:
                yield item

    return lazy(make)


def distinct(run: Run, source: Any, comparer: Any = None) -> Sequence:
    """``Distinct``."""
    return lazy(lambda: unique(run, walked(run, source), set(), comparer))


def union(run: Run, source: Any, other: Any, comparer: Any = None) -> Sequence:
    """``Union``."""
    return distinct(run, concat(run, source, other), comparer)


def concat(run: Run, source: Any, other: Any) -> Sequence:
    """``Concat``."""

    def make() -> Iterator[Any]:
        yield from walked(run, source)
        yield from walked(run, other)

    return lazy(make)


def except_(run: Run, source: Any, other: Any, comparer: Any = None) -> Sequence:
    """``Except``."""
    return lazy(
        lambda: unique(
            run, walked(run, source), {key_of(x, comparer) for x in walked(run, other)}, comparer
        )
    )


def intersect(run: Run, source: Any, other: Any, comparer: Any = None) -> Sequence:
    """``Intersect``."""

    def make() -> Iterator[Any]:
        wanted = {key_of(x, comparer) for x in walked(run, other)}
        found = (x for x in walked(run, source) if key_of(x, comparer) in wanted)
        return unique(run, found, set(), comparer)

    return lazy(make)


def join(
    run: Run, source: Any, inner: Any, outer_key: Test, inner_key: Test, result: Test
) -> Sequence:
    """``Join``."""

    def make() -> Iterator[Any]:
        table: dict[Any, list[Any]] = {}
        for item in walked(run, inner):
            table.setdefault(key_of(inner_key(item)), []).append(item)
        for item in walked(run, source):
            for match in walked(run, List(table.get(key_of(outer_key(item)), ()))):
                yield result(item, match)

    return lazy(make)


def zip_(run: Run, source: Any, other: Any, result: Test | None = None) -> Sequence:
    """``Zip``."""
    return lazy(
        lambda: (
            Tuple(pair) if result is None else result(*pair)
            for pair in zip(walked(run, source), walked(run, other), strict=False)
        )
    )


def to_dictionary(
    run: Run, source: Any, key: Test, *rest: Any, types: tuple[str, ...] = ()
) -> Dictionary:
    """``ToDictionary``. :raises ExpressionFailure: ArgumentException for a key that is twice."""
    element = next((r for r in rest if isinstance(r, Delegate)), None)
    comparer = next((r for r in rest if not isinstance(r, Delegate)), None)
    made = Dictionary(ignore_case=bool(comparer is not None and comparer.ignore_case))
    for item in walked(run, source):
        run.budget.allocate(64)
        own = key(item)
        if made.known(own) in made:
            raise argument("An item with the same key has already been added. Key: " + str(own))
        made.put(own, item if element is None else element(item))
    return made


def to_array(run: Run, source: Any) -> Any:
    """``ToArray``."""
    items = materialized(run, source)
    if isinstance(source, bytearray) or (items and all(type(x).__name__ == "Byte" for x in items)):
        return bytearray(items)
    return Array(items, _element(source, items))


def _element(source: Any, items: list[Any]) -> str:
    known = getattr(source, "element", "")
    if known:
        return str(known)
    if not items:
        return "object"
    kinds = {type(item) for item in items}
    return (
        {str: "string", int: "int", float: "double", Long: "long", Char: "char"}.get(
            kinds.pop(), "object"
        )
        if len(kinds) == 1
        else "object"
    )


def to_list(run: Run, source: Any) -> List:
    """``ToList``."""
    items = materialized(run, source)
    return List(items, _element(source, items))


def cast(run: Run, source: Any, *, types: tuple[str, ...] = ("object",)) -> Sequence:
    """``Cast<T>``."""
    change = cast_to(types[0], "object")
    return lazy(lambda: (x if is_instance(x, types[0]) else change(x) for x in walked(run, source)))


def of_type(run: Run, source: Any, *, types: tuple[str, ...] = ("object",)) -> Sequence:
    """``OfType<T>``."""
    return lazy(lambda: (x for x in walked(run, source) if is_instance(x, types[0])))


def default_if_empty(run: Run, source: Any, default: Any = None) -> Sequence:
    """``DefaultIfEmpty``."""

    def make() -> Iterator[Any]:
        items = materialized(run, source)
        return iter(items or [default])

    return lazy(make)


def reverse(run: Run, source: Any) -> Sequence:
    """``Reverse``."""
    return lazy(lambda: iter(materialized(run, source)[::-1]))


def chunk(run: Run, source: Any, size: int) -> Sequence:
    """``Chunk``."""
    if size < 1:
        raise out_of_range("size")

    def make() -> Iterator[Any]:
        items = walked(run, source)
        while part := list(islice(items, size)):
            yield Array(part, _element(source, part))

    return lazy(make)


def range_(run: Run, start: int, number: int) -> Sequence:
    """``Enumerable.Range``."""
    if number < 0 or start + number - 1 > 2**31 - 1:
        raise out_of_range("count")
    return lazy(lambda: iter(range(start, start + number)))


def repeat(run: Run, element: Any, number: int, *, types: tuple[str, ...] = ()) -> Sequence:
    """``Enumerable.Repeat``."""
    if number < 0:
        raise out_of_range("count")
    return lazy(lambda: (element for _ in range(number)))


METHODS: Final[dict[str, tuple[Callable[..., Any], str]]] = {
    "Select": (select, "IEnumerable"), "Where": (where, "IEnumerable"),
    "SelectMany": (select_many, "IEnumerable"), "First": (first, "T"),
    "FirstOrDefault": (first_or_default, "T"), "Last": (last, "T"),
    "LastOrDefault": (last_or_default, "T"), "Single": (single, "T"),
    "SingleOrDefault": (single_or_default, "T"), "Any": (any_of, "bool"), "All": (all_of, "bool"),
    "Count": (count, "int"), "LongCount": (lambda run, s, p=None: Long(count(run, s, p)), "long"),
    "Contains": (contains, "bool"), "Sum": (total, ""), "Average": (average, ""),
    "Min": (lambda run, s, f=None: extreme(run, s, f, "<"), "T"),
    "Max": (lambda run, s, f=None: extreme(run, s, f, ">"), "T"),
    "MinBy": (lambda run, s, f: by_key(run, s, f, "<"), ""),
    "MaxBy": (lambda run, s, f: by_key(run, s, f, ">"), ""),
    "OrderBy": (order_by, "IEnumerable"), "OrderByDescending": (order_by_descending, "IEnumerable"),
    "ThenBy": (_then(False), "IEnumerable"), "ThenByDescending": (_then(True), "IEnumerable"),
    "Skip": (skip, "IEnumerable"), "Take": (take, "IEnumerable"),
    "TakeWhile": (take_while, "IEnumerable"), "SkipWhile": (skip_while, "IEnumerable"),
    "Distinct": (distinct, "IEnumerable"), "Union": (union, "IEnumerable"),
    "Concat": (concat, "IEnumerable"), "Except": (except_, "IEnumerable"),
    "Intersect": (intersect, "IEnumerable"),
    "Join": (join, "IEnumerable"), "Aggregate": (aggregate, ""), "Zip": (zip_, "IEnumerable"),
    "ToDictionary": (to_dictionary, "Dictionary"), "ToArray": (to_array, "T[]"),
    "ToList": (to_list, "List"),
    "ToHashSet": (lambda run, s: HashSet(materialized(run, s)), "HashSet"),
    "ElementAt": (element_at, "T"), "ElementAtOrDefault": (element_at_or_default, "T"),
    "Cast": (cast, "IEnumerable"), "OfType": (of_type, "IEnumerable"),
    "DefaultIfEmpty": (default_if_empty, "IEnumerable"), "Reverse": (reverse, "IEnumerable"),
    "SequenceEqual": (sequence_equal, "bool"), "Chunk": (chunk, "IEnumerable"),
    "Append": (lambda run, s, x: concat(run, s, List([x])), "IEnumerable"),
    "Prepend": (lambda run, s, x: concat(run, List([x]), s), "IEnumerable"),
    "AsEnumerable": (lambda run, s: s, "IEnumerable"),
    "Order": (lambda run, s, c=None: order_by(run, s, _itself, c), "IEnumerable"),
    "OrderDescending": (
        lambda run, s, c=None: order_by_descending(run, s, _itself, c), "IEnumerable"
    ),
    **GROUPING_METHODS,
}  # fmt: skip
"""Extension methods of System.Linq.Enumerable with their static result types."""


def extend(made: ClrType, *but: str) -> None:
    """Give a type the methods of LINQ that it does not have itself, and its enumerator."""
    made.method("GetEnumerator", Enumerator, "IEnumerator")
    for name, (call, returns) in METHODS.items():
        if name not in but and name not in made.methods:
            made.method(name, call, returns)
