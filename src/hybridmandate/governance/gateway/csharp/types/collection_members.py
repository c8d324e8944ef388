"""Members of arrays, lists, sets, queues and stacks that are asked for less often.

Source: learn.microsoft.com, .NET API browser, System.Array and System.Collections.Generic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hybridmandate.governance.gateway.csharp.collections import (
    Delegate,
    Dictionary,
    HashSet,
    List,
    Queue,
    Stack,
    items_of,
)
from hybridmandate.governance.gateway.csharp.conversions import default_of
from hybridmandate.governance.gateway.csharp.failures import (
    ExpressionFailure,
    out_of_range,
)
from hybridmandate.governance.gateway.csharp.numbers import Long
from hybridmandate.governance.gateway.csharp.types import linq_results
from hybridmandate.governance.gateway.csharp.types.comparison import COMPARER
from hybridmandate.governance.gateway.csharp.types.containers import (
    ARRAY,
    BYTES,
    DICTIONARY,
    LIST,
    QUEUE,
    SET,
    STACK,
    copy,
    set_array_element,
)
from hybridmandate.governance.gateway.csharp.types.json_types import ARRAY_TYPE
from hybridmandate.governance.gateway.csharp.types.table import Run


def _default(items: Any) -> Any:
    return 0 if isinstance(items, bytearray) else default_of(items.element)


def binary_search(run: Run, items: Any, *options: Any) -> int:
    """``BinarySearch``: the index, or the complement of where it would have to stand."""
    wanted = options[-1] if len(options) == 3 else options[0]
    low, size = (options[0], options[1]) if len(options) == 3 else (0, len(items))
    high = low + size
    while low < high:
        run.budget.step()
        middle = (low + high) // 2
        order = linq_results.order(items[middle], wanted)
        if order == 0:
            return middle
        low, high = (middle + 1, high) if order < 0 else (low, middle)
    return ~low


def clear_array(items: Any, index: int = 0, length: int | None = None) -> None:
    """``Array.Clear``: default values in the place of the elements."""
    size = len(items) - index if length is None else length
    if index < 0 or size < 0 or index + size > len(items):
        raise ExpressionFailure(
            "Index was outside the bounds of the array.", "IndexOutOfRangeException"
        )
    empty = _default(items)
    items[index : index + size] = bytes(size) if isinstance(items, bytearray) else [empty] * size


def fill(run: Run, items: Any, value: Any, *, types: tuple[str, ...] = ()) -> None:
    """``Array.Fill``."""
    run.budget.step(1 + len(items) // 64)
    items[:] = bytes([value]) * len(items) if isinstance(items, bytearray) else [value] * len(items)


def find_last(run: Run, items: Any, match: Delegate) -> Any:
    """``FindLast``: the default value when there is none."""
    found = [item for item in linq_results.walked(run, items) if match(item)]
    return found[-1] if found else _default(items)


def find_last_index(run: Run, items: Any, match: Delegate) -> int:
    """``FindLastIndex``."""
    found = [at for at, item in enumerate(linq_results.walked(run, items)) if match(item)]
    return found[-1] if found else -1


def last_position(run: Run, items: Any, value: Any) -> int:
    """``LastIndexOf``."""
    run.budget.step(1 + len(items) // 16)
    return next(
        (at for at in range(len(items) - 1, -1, -1) if linq_results.same_value(items[at], value)),
        -1,
    )


def bound(items: Any, dimension: int) -> int:
    """``GetUpperBound`` of the only dimension."""
    if dimension:
        raise ExpressionFailure(
            "Index was outside the bounds of the array.", "IndexOutOfRangeException"
        )
    return len(items) - 1


ARRAY.static("BinarySearch", binary_search, "int")
ARRAY.static("Clear", clear_array)
ARRAY.static("Fill", fill)
ARRAY.static("FindLast", find_last, "")
ARRAY.static("FindLastIndex", find_last_index, "int")
ARRAY.static("LastIndexOf", last_position, "int")
ARRAY.static("ConstrainedCopy", copy)
ARRAY.static(
    "AsReadOnly",
    lambda array: List(items_of(array), getattr(array, "element", "byte")),
    "List",
)
for _made in (ARRAY, BYTES):
    _made.property("LongLength", lambda array: Long(len(array)), "long")
    _made.property("Rank", lambda array: 1, "int")
    _made.property("IsFixedSize", lambda array: True, "bool")
    _made.property("IsReadOnly", lambda array: False, "bool")
    _made.method("GetLongLength", lambda array, dimension: Long(len(array)), "long")
    _made.method("GetLowerBound", lambda array, dimension: 0, "int")
    _made.method("GetUpperBound", bound, "int")
    _made.method("SetValue", lambda array, value, index: set_array_element(array, index, value))


def copy_to(run: Run, items: Any, *target: Any) -> None:
    """``CopyTo(array)``, ``(array, index)`` and ``(index, array, arrayIndex, count)``."""
    source = list(items_of(items))
    run.budget.step(1 + len(source) // 16)
    if len(target) == 4:
        copy(source, *target)
    else:
        copy(source, 0, target[0], target[1] if len(target) > 1 else 0, len(source))


def insert_range(run: Run, items: List, index: int, collection: Any) -> None:
    """``InsertRange``."""
    if not 0 <= index <= len(items):
        raise out_of_range("index")
    items[index:index] = linq_results.materialized(run, collection)


LIST.method("AsReadOnly", lambda items: List(items, items.element), "List")
LIST.method("BinarySearch", binary_search, "int")
LIST.method("CopyTo", copy_to)
LIST.method("FindLast", find_last, "T")
LIST.method("FindLastIndex", find_last_index, "int")
LIST.method("InsertRange", insert_range)
LIST.method("LastIndexOf", last_position, "int")
ARRAY_TYPE.method("CopyTo", copy_to)
LIST.property("IsReadOnly", lambda items: False, "bool")
LIST.property("Capacity", len, "int")


def keep_only(run: Run, items: HashSet, match: Callable[[Any], bool]) -> int:
    """``RemoveWhere``: how many were removed."""
    gone = [item for item in linq_results.walked(run, items) if match(item)]
    for item in gone:
        items.remove(item)
    return len(gone)


def symmetric_except(run: Run, items: HashSet, other: Any) -> None:
    """``SymmetricExceptWith``: what is in one of them alone."""
    for item in dict.fromkeys(linq_results.materialized(run, other)):
        if not items.remove(item):
            items.add(item)


def is_within(run: Run, items: HashSet, other: Any) -> bool:
    """``IsProperSubsetOf``."""
    others = set(linq_results.walked(run, other))
    return set(items) < others


def try_value(items: HashSet, equal_value: Any) -> tuple[bool, Any]:
    """``TryGetValue``: the element that is kept."""
    if equal_value not in items:
        return False, default_of(items.element)
    folded = items.fold
    return True, next(x for x in items if x == equal_value) if folded is None else folded[
        equal_value.lower()
    ]


SET.method("CopyTo", copy_to)
SET.method("RemoveWhere", keep_only, "int")
SET.method("SymmetricExceptWith", symmetric_except)
SET.method("IsProperSubsetOf", is_within, "bool")
SET.method(
    "IsProperSupersetOf",
    lambda run, items, other: set(items) > set(linq_results.walked(run, other)),
    "bool",
)
SET.method("TryGetValue", try_value, "bool", outs=1)


def comparer_of(items: Dictionary | HashSet) -> Any:
    """``Comparer``: the one that it was made with."""
    label = "Ordinal" if items.fold is None else "OrdinalIgnoreCase"
    return COMPARER.static_properties[label].call()


for _made in (SET, DICTIONARY):
    _made.property("Comparer", comparer_of, "StringComparer")


def _try_take(first: int, *, keep: bool) -> Callable[[Any], tuple[bool, Any]]:
    def take(items: Queue | Stack) -> tuple[bool, Any]:
        if not items:
            return False, default_of(items.element)
        return True, items[first] if keep else items.pop(first)

    return take


for _made, _first, _take in ((QUEUE, 0, "TryDequeue"), (STACK, -1, "TryPop")):
    _made.method("CopyTo", copy_to)
    _made.method(_take, _try_take(_first, keep=False), "bool", outs=1)
    _made.method("TryPeek", _try_take(_first, keep=True), "bool", outs=1)
for _made in (LIST, SET, DICTIONARY, QUEUE, STACK):
    _made.method("TrimExcess", lambda items: None)
    if _made not in (QUEUE, STACK):
        _made.method("EnsureCapacity", lambda items, capacity: max(len(items), capacity), "int")
