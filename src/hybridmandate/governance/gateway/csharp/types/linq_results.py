"""LINQ methods that give one value: First, Any, Sum, Max…"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.collections import (
    Array,
    Delegate,
    Pair,
    items_of,
)
from hybridmandate.governance.gateway.csharp.conversions import default_of
from hybridmandate.governance.gateway.csharp.failures import (
    invalid_operation,
    out_of_range,
)
from hybridmandate.governance.gateway.csharp.operators import BINARY, add, equal
from hybridmandate.governance.gateway.csharp.types.comparison import compare_culture
from hybridmandate.governance.gateway.csharp.types.table import Run

Test = Callable[..., Any]


def walked(run: Run, source: Any) -> Iterator[Any]:
    """The elements, each for a step."""
    step = run.budget.step
    for item in items_of(source):
        step()
        yield item


def materialized(run: Run, source: Any) -> list[Any]:
    """All elements, paid for."""
    made: list[Any] = []
    allocate = run.budget.allocate
    for item in walked(run, source):
        allocate(16)
        made.append(item)
    return made


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
    if type(source) is Array and source.element == "string" and type(value) is str:
        run.budget.step(len(source))
        return value in source
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
        value = number_in(item)
        result = value if result == 0 and type(result) is int else add(result, value)
    return result


def number_in(item: Any) -> Any:
    """The value inside a JSON token, anything else as it is."""
    own = getattr(item, "value_token", None)
    return item if own is None else own().value


def average(run: Run, source: Any, selector: Test | None = None) -> Any:
    """``Average``: double, or decimal of decimals."""
    items = [number_in(item) for item in _keys(run, source, selector) if item is not None]
    if not items:
        raise invalid_operation(_NO_ELEMENTS)
    result: Any = sum(items)
    return result / len(items) if isinstance(items[0], Decimal) else float(result) / len(items)


def extreme(run: Run, source: Any, selector: Test | None, sign: str) -> Any:
    """``Max`` for ``>``, ``Min`` for ``<``; null counts as nothing."""
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
    a, b = number_in(a), number_in(b)
    if type(a) is str and type(b) is str:
        return compare_culture(a, b)
    if isinstance(a, bool) and isinstance(b, bool):
        return int(a) - int(b)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return next((o for o in map(order, a, b) if o), 0)
    if BINARY["<"](a, b):
        return -1
    return 1 if BINARY[">"](a, b) else 0


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
