"""LINQ over anything enumerable, lazy where .NET is lazy. Every element costs a step.

Source: learn.microsoft.com, System.Linq.Enumerable.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.collections import (
    Array,
    Delegate,
    Dictionary,
    Grouping,
    HashSet,
    List,
    Pair,
    Sequence,
    Tuple,
    items_of,
)
from hybridmandate.governance.gateway.csharp.conversions import cast_to, default_of, is_instance
from hybridmandate.governance.gateway.csharp.failures import (
    argument,
    argument_null,
    invalid_operation,
    out_of_range,
)
from hybridmandate.governance.gateway.csharp.numbers import Char, Long, convert
from hybridmandate.governance.gateway.csharp.operators import BINARY, add, equal
from hybridmandate.governance.gateway.csharp.types.strings import compare_culture
from hybridmandate.governance.gateway.csharp.types.table import ClrType, Run, full_name_of

Test = Callable[..., Any]


def walked(run: Run, source: Any) -> Iterator[Any]:
    """The elements, each for a step."""
    step = run.budget.step
    for item in items_of(source):
        step()
        yield item


def lazy(make: Callable[[], Iterator[Any]]) -> Sequence:
    """A sequence that is evaluated when it is walked."""
    return Sequence(make)


def materialized(run: Run, source: Any) -> list[Any]:
    """All elements, paid for."""
    made: list[Any] = []
    allocate = run.budget.allocate
    for item in walked(run, source):
        allocate(16)
        made.append(item)
    return made


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


def _chosen(run: Run, source: Any, predicate: Test | None) -> Iterator[Any]:
    items = walked(run, source)
    return items if predicate is None else (x for x in items if predicate(x))


def _empty(source: Any, types: tuple[str, ...] = ()) -> Any:
    element = getattr(source, "element", "")
    if not element and isinstance(source, bytearray):
        element = "byte"
    return default_of(element) if element else None


_NO_ELEMENTS: Final = "Sequence contains no elements"
_NO_MATCH: Final = "Sequence contains no matching element"


def first(run: Run, source: Any, predicate: Test | None = None) -> Any:
    """``First``. :raises ExpressionFailure: InvalidOperationException when there is none."""
    for item in _chosen(run, source, predicate):
        return item
    raise invalid_operation(_NO_ELEMENTS if predicate is None else _NO_MATCH)


def first_or_default(run: Run, source: Any, predicate: Any = None, default: Any = None) -> Any:
    """``FirstOrDefault``."""
    if predicate is not None and not isinstance(predicate, Delegate):
        predicate, default = None, predicate
    for item in _chosen(run, source, predicate):
        return item
    return _empty(source) if default is None else default


def last(run: Run, source: Any, predicate: Test | None = None) -> Any:
    """``Last``."""
    found = list(_chosen(run, source, predicate))
    if not found:
        raise invalid_operation(_NO_ELEMENTS if predicate is None else _NO_MATCH)
    return found[-1]


def last_or_default(run: Run, source: Any, predicate: Test | None = None) -> Any:
    """``LastOrDefault``."""
    found = list(_chosen(run, source, predicate))
    return found[-1] if found else _empty(source)


def single(run: Run, source: Any, predicate: Test | None = None) -> Any:
    """``Single``."""
    found = list(islice(_chosen(run, source, predicate), 2))
    if not found:
        raise invalid_operation(_NO_ELEMENTS if predicate is None else _NO_MATCH)
    if len(found) > 1:
        raise invalid_operation("Sequence contains more than one element")
    return found[0]


def single_or_default(run: Run, source: Any, predicate: Test | None = None) -> Any:
    """``SingleOrDefault``."""
    found = list(islice(_chosen(run, source, predicate), 2))
    if len(found) > 1:
        raise invalid_operation("Sequence contains more than one element")
    return found[0] if found else _empty(source)


def any_of(run: Run, source: Any, predicate: Test | None = None) -> bool:
    """``Any``."""
    return any(True for _ in _chosen(run, source, predicate))


def all_of(run: Run, source: Any, predicate: Test) -> bool:
    """``All``."""
    return all(predicate(item) for item in walked(run, source))


def count(run: Run, source: Any, predicate: Test | None = None) -> int:
    """``Count``."""
    return sum(1 for _ in _chosen(run, source, predicate))


def contains(run: Run, source: Any, value: Any, comparer: Any = None) -> bool:
    """``Contains``."""
    if comparer is not None and isinstance(value, str) and comparer.ignore_case:
        return any(isinstance(x, str) and x.lower() == value.lower() for x in walked(run, source))
    return any(same_value(x, value) for x in walked(run, source))


def same_value(a: Any, b: Any) -> bool:
    """Equality of elements."""
    same = getattr(a, "same_as", None)
    return bool(same(b)) if same is not None and b is not None else equal(a, b)


def _keys(run: Run, source: Any, selector: Test | None) -> Iterator[Any]:
    items = walked(run, source)
    return items if selector is None else (selector(item) for item in items)


def total(run: Run, source: Any, selector: Test | None = None) -> Any:
    """``Sum``; null counts as nothing, integers are checked."""
    result: Any = 0
    for item in _keys(run, source, selector):
        if item is None:
            continue
        value = _number(item)
        result = value if result == 0 and type(result) is int else add(result, value)
    return result


def _number(item: Any) -> Any:
    own = getattr(item, "value_token", None)
    return item if own is None else own().value


def average(run: Run, source: Any, selector: Test | None = None) -> Any:
    """``Average``: double, or decimal of decimals."""
    items = [_number(item) for item in _keys(run, source, selector) if item is not None]
    if not items:
        raise invalid_operation(_NO_ELEMENTS)
    result: Any = sum(items)
    return result / len(items) if isinstance(items[0], Decimal) else float(result) / len(items)


def _extreme(run: Run, source: Any, selector: Test | None, sign: str) -> Any:
    items = [item for item in _keys(run, source, selector) if item is not None]
    if not items:
        raise invalid_operation(_NO_ELEMENTS)
    best = items[0]
    for item in items[1:]:
        if order(item, best) * (1 if sign == ">" else -1) > 0:
            best = item
    return best


def order(a: Any, b: Any) -> int:
    """The default comparison of two elements; null comes first."""
    if a is None or b is None:
        return (a is not None) - (b is not None)
    a, b = _number(a), _number(b)
    if type(a) is str and type(b) is str:
        return compare_culture(a, b)
    if isinstance(a, bool) and isinstance(b, bool):
        return int(a) - int(b)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return next((o for o in map(order, a, b) if o), 0)
    if BINARY["<"](a, b):
        return -1
    return 1 if BINARY[">"](a, b) else 0


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
            items.sort(
                key=lambda item, k=key, c=compare: functools.cmp_to_key(c)(k(item)),
                reverse=descending,
            )
        return iter(items)

    return Sequence(make, (source, orderings))


def _ordinal(a: Any, b: Any) -> int:
    return (a > b) - (a < b)


def order_by(run: Run, source: Any, selector: Test, comparer: Any = None) -> Sequence:
    """``OrderBy``: stable."""
    return _ordered(run, source, [(selector, False, comparer)])


def order_by_descending(run: Run, source: Any, selector: Test, comparer: Any = None) -> Sequence:
    """``OrderByDescending``."""
    return _ordered(run, source, [(selector, True, comparer)])


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


def _key(item: Any, comparer: Any = None) -> Any:
    if comparer is not None and comparer.ignore_case and isinstance(item, str):
        return item.lower()
    value = _number(item) if hasattr(item, "value_token") and item.value_token() else item
    return (type(value).__name__, value) if isinstance(value, bool | Char) else value


def _unique(run: Run, items: Iterable[Any], seen: set[Any], comparer: Any) -> Iterator[Any]:
    for item in items:
        key = _key(item, comparer)
        if key not in seen:
            run.budget.allocate(64)
            seen.add(key)
            yield item


def distinct(run: Run, source: Any, comparer: Any = None) -> Sequence:
    """``Distinct``."""
    return lazy(lambda: _unique(run, walked(run, source), set(), comparer))


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
        lambda: _unique(
            run, walked(run, source), {_key(x, comparer) for x in walked(run, other)}, comparer
        )
    )


def intersect(run: Run, source: Any, other: Any, comparer: Any = None) -> Sequence:
    """``Intersect``."""

    def make() -> Iterator[Any]:
        wanted = {_key(x, comparer) for x in walked(run, other)}
        found = (x for x in walked(run, source) if _key(x, comparer) in wanted)
        return _unique(run, found, set(), comparer)

    return lazy(make)


def group_by(
    run: Run, source: Any, key: Test, element: Test | None = None, *, types: tuple[str, ...] = ()
) -> Sequence:
    """``GroupBy``: groups in the order of their first element."""

    def make() -> Iterator[Any]:
        groups: dict[Any, Grouping] = {}
        for item in walked(run, source):
            run.budget.allocate(64)
            own = key(item)
            group = groups.setdefault(_key(own), Grouping(own, []))
            group.items.append(item if element is None else element(item))
        return iter(list(groups.values()))

    return lazy(make)


def join(
    run: Run, source: Any, inner: Any, outer_key: Test, inner_key: Test, result: Test
) -> Sequence:
    """``Join``."""

    def make() -> Iterator[Any]:
        table: dict[Any, list[Any]] = {}
        for item in walked(run, inner):
            table.setdefault(_key(inner_key(item)), []).append(item)
        for item in walked(run, source):
            for match in walked(run, List(table.get(_key(outer_key(item)), ()))):
                yield result(item, match)

    return lazy(make)


def aggregate(run: Run, source: Any, *arguments: Any) -> Any:
    """``Aggregate`` with or without a seed and a last step."""
    items = walked(run, source)
    if len(arguments) == 1:
        function = arguments[0]
        try:
            state = next(items)
        except StopIteration:
            raise invalid_operation(_NO_ELEMENTS) from None
    else:
        state, function = arguments[0], arguments[1]
    for item in items:
        state = function(state, item)
        if type(state) is str:
            run.budget.allocate(len(state))
    return arguments[2](state) if len(arguments) == 3 else state


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


def element_at(run: Run, source: Any, index: int) -> Any:
    """``ElementAt``."""
    for at, item in enumerate(walked(run, source)):
        if at == index:
            return item
    raise out_of_range(
        "index",
        "Index was out of range. Must be non-negative and less than the size of the collection.",
    )


def element_at_or_default(run: Run, source: Any, index: int) -> Any:
    """``ElementAtOrDefault``."""
    return next((x for at, x in enumerate(walked(run, source)) if at == index), _empty(source))


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


def sequence_equal(run: Run, source: Any, other: Any) -> bool:
    """``SequenceEqual``."""
    a, b = materialized(run, source), materialized(run, other)
    return len(a) == len(b) and all(map(same_value, a, b))


def by_key(run: Run, source: Any, selector: Test, sign: str) -> Any:
    """``MaxBy`` and ``MinBy``."""
    pairs = [Pair(selector(item), item) for item in walked(run, source)]
    if not pairs:
        raise invalid_operation(_NO_ELEMENTS)
    best = pairs[0]
    for pair in pairs[1:]:
        if order(pair.key, best.key) * (1 if sign == ">" else -1) > 0:
            best = pair
    return best.value


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
    "Min": (lambda run, s, f=None: _extreme(run, s, f, "<"), "T"),
    "Max": (lambda run, s, f=None: _extreme(run, s, f, ">"), "T"),
    "MinBy": (lambda run, s, f: by_key(run, s, f, "<"), ""),
    "MaxBy": (lambda run, s, f: by_key(run, s, f, ">"), ""),
    "OrderBy": (order_by, "IEnumerable"), "OrderByDescending": (order_by_descending, "IEnumerable"),
    "ThenBy": (_then(False), "IEnumerable"), "ThenByDescending": (_then(True), "IEnumerable"),
    "Skip": (skip, "IEnumerable"), "Take": (take, "IEnumerable"),
    "TakeWhile": (take_while, "IEnumerable"), "SkipWhile": (skip_while, "IEnumerable"),
    "Distinct": (distinct, "IEnumerable"), "Union": (union, "IEnumerable"),
    "Concat": (concat, "IEnumerable"), "Except": (except_, "IEnumerable"),
    "Intersect": (intersect, "IEnumerable"), "GroupBy": (group_by, "IEnumerable"),
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
}  # fmt: skip
"""Extension methods of System.Linq.Enumerable with their static result types."""


def extend(made: ClrType, *but: str) -> None:
    """Give a type the methods of LINQ that it does not have itself."""
    for name, (call, returns) in METHODS.items():
        if name not in but and name not in made.methods:
            made.method(name, call, returns)


def required(value: Any, name: str) -> Any:
    """An argument that must not be null."""
    if value is None:
        raise argument_null(name)
    return value


def as_index(value: Any) -> int:
    """An index as Python's int."""
    return int(convert(value, int)) if not isinstance(value, str) else _no_index(value)


def _no_index(value: Any) -> int:
    raise argument(f"'{full_name_of(value)}' is no index.")
