"""Arrays, List, Dictionary, HashSet, Queue, Stack, sequences and their static helpers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.collections import (
    Array,
    Delegate,
    Dictionary,
    Grouping,
    HashSet,
    List,
    Queue,
    Sequence,
    Stack,
)
from hybridmandate.governance.gateway.csharp.conversions import declared, default_of
from hybridmandate.governance.gateway.csharp.failures import (
    ExpressionFailure,
    argument,
    invalid_operation,
    out_of_range,
)
from hybridmandate.governance.gateway.csharp.numbers import Byte
from hybridmandate.governance.gateway.csharp.text import as_text
from hybridmandate.governance.gateway.csharp.types import linq, linq_results
from hybridmandate.governance.gateway.csharp.types.linq_groups import Lookup, count_known, key_of
from hybridmandate.governance.gateway.csharp.types.strings import STRING
from hybridmandate.governance.gateway.csharp.types.table import OBJECT, ClrType, Run, alias

_OUTSIDE: Final = (
    "Index was out of range. Must be non-negative and less than the size of the collection."
)


def array_element(array: Any, index: int) -> Any:
    """``array[i]``."""
    if not 0 <= index < len(array):
        raise ExpressionFailure(
            "Index was outside the bounds of the array.", "IndexOutOfRangeException"
        )
    return array[index]


def set_array_element(array: Any, index: int, value: Any) -> None:
    """``array[i] = value``."""
    array_element(array, index)
    convert = declared(array.element) if isinstance(array, Array) else None
    array[index] = value if convert is None else convert(value)


def list_element(items: list[Any], index: int) -> Any:
    """``list[i]``."""
    if not 0 <= index < len(items):
        raise out_of_range("index", _OUTSIDE)
    return items[index]


def set_list_element(items: List, index: int, value: Any) -> None:
    """``list[i] = value``."""
    list_element(items, index)
    items[index] = value


def position(items: Any, value: Any, start: int = 0) -> int:
    """``IndexOf``."""
    for index in range(start, len(items)):
        if linq_results.same_value(items[index], value):
            return index
    return -1


def find_index(run: Run, items: Any, test: Delegate) -> int:
    """``FindIndex``."""
    return next((i for i, x in enumerate(linq_results.walked(run, items)) if test(x)), -1)


def find(run: Run, items: Any, test: Delegate) -> Any:
    """``Find``: the default value when there is none."""
    for item in linq_results.walked(run, items):
        if test(item):
            return item
    return default_of(getattr(items, "element", "object"))


def for_each(run: Run, items: Any, action: Delegate) -> None:
    """``ForEach``."""
    for item in linq_results.walked(run, items):
        action(item)


def sort(run: Run, items: Any, comparison: Any = None) -> None:
    """``Sort``, by the natural order or a comparison."""
    run.budget.step(len(items))
    compare: Callable[[Any, Any], int] = linq_results.order
    if isinstance(comparison, Delegate):
        compare = comparison
    elif comparison is not None and comparison.ignore_case:
        compare = lambda a, b: linq_results.order(a.lower(), b.lower())  # noqa: E731
    ordered = sorted(items, key=functools.cmp_to_key(compare))
    items[:] = bytearray(ordered) if isinstance(items, bytearray) else ordered


def reverse(items: Any) -> None:
    """``Reverse`` in place."""
    items.reverse()


SEQUENCE: Final = ClrType(
    "IEnumerable", "System.Collections.Generic.IEnumerable", Sequence, base=OBJECT
)
linq.extend(SEQUENCE)
GROUPING: Final = ClrType("IGrouping", "System.Linq.IGrouping", Grouping, base=SEQUENCE)
GROUPING.property("Key", lambda group: group.key)
LOOKUP: Final = ClrType("Lookup", "System.Linq.ILookup", Lookup, base=SEQUENCE)
LOOKUP.property("Count", len, "int")
LOOKUP.method("Contains", lambda table, key: key_of(key, table.comparer) in table.groups, "bool")
LOOKUP.indexed_by(lambda table, key: table.group(key), "IEnumerable")
ENUMERABLE: Final = ClrType("Enumerable", "System.Linq.Enumerable", base=OBJECT)
ENUMERABLE.static("Range", linq.range_, "IEnumerable<int>")
ENUMERABLE.static("Repeat", linq.repeat, "IEnumerable")
ENUMERABLE.static("Empty", lambda *, types=("object",): Array((), types[0]), "T[]")
for _name, (_call, _returns) in linq.METHODS.items():
    if _name not in ENUMERABLE.static_methods:
        ENUMERABLE.static(_name, _call, "" if _returns in ("T", "T[]") else _returns)
ENUMERABLE.static("TryGetNonEnumeratedCount", count_known, "bool", outs=1)

linq.extend(STRING)
ARRAY: Final = ClrType("Array", "System.Array", Array, base=OBJECT)
BYTES: Final = ClrType("byte[]", "System.Byte[]", bytearray, base=OBJECT)
for _made in (ARRAY, BYTES):
    _made.property("Length", len, "int")
    _made.property("Count", len, "int")
    _made.method("GetLength", lambda array, dimension: len(array), "int")
    _made.method("GetValue", array_element, "")
    _made.method(
        "Clone",
        lambda array: Array(array, array.element) if isinstance(array, Array) else bytearray(array),
        "",
    )
    _made.method("CopyTo", lambda array, other, at: copy(array, 0, other, at, len(array)), "")
    linq.extend(_made)
ARRAY.indexed_by(array_element, "T", set_array_element)
BYTES.indexed_by(lambda data, index: Byte(array_element(data, index)), "byte", set_array_element)


def copy(source: Any, *rest: Any) -> None:
    """``Array.Copy(source, target, length)`` or with start indices."""
    if len(rest) == 2:
        rest = (0, rest[0], 0, rest[1])
    start, target, at, length = rest
    if min(start, at, length) < 0 or start + length > len(source) or at + length > len(target):
        raise argument("Source or destination array was not long enough.")
    target[at : at + length] = source[start : start + length]


ARRAY.static("Copy", copy)
ARRAY.static("Exists", lambda run, array, match: linq_results.any_of(run, array, match), "bool")
ARRAY.static("Find", find, "")
ARRAY.static("FindIndex", find_index, "int")
ARRAY.static(
    "FindAll",
    lambda run, array, match: Array(
        linq_results.materialized(run, linq.where(run, array, match)),
        getattr(array, "element", "byte"),
    ),
    "Array",
)
ARRAY.static("TrueForAll", linq_results.all_of, "bool")
ARRAY.static(
    "ConvertAll",
    lambda run, array, converter: Array(
        linq_results.materialized(run, linq.select(run, array, converter))
    ),
    "Array",
)
ARRAY.static("IndexOf", position, "int")
ARRAY.static("ForEach", for_each)
ARRAY.static("Sort", sort)
ARRAY.static("Reverse", reverse)
ARRAY.static("Empty", lambda *, types=("object",): Array((), types[0]), "T[]")
BUFFER: Final = ClrType("Buffer", "System.Buffer", base=OBJECT)
BUFFER.static("BlockCopy", copy)


def make_list(run: Run, content: Any = None, *, types: tuple[str, ...] = ("object",)) -> List:
    """``new List<T>()``, with a capacity or of a sequence."""
    if content is None or isinstance(content, int):
        return List((), types[0] if types else "object")
    return List(linq_results.materialized(run, content), types[0] if types else "object")


def _charged(run: Run, count: int = 1) -> None:
    run.budget.allocate(16 * count)


def list_add(run: Run, items: List, item: Any) -> None:
    """``Add``."""
    _charged(run)
    convert = declared(items.element)
    items.append(item if convert is None else convert(item))


def add_range(run: Run, items: List, collection: Any) -> None:
    """``AddRange``."""
    items.extend(linq_results.materialized(run, collection))


def list_insert(run: Run, items: List, index: int, item: Any) -> None:
    """``Insert``."""
    if not 0 <= index <= len(items):
        raise out_of_range("index", "Index must be within the bounds of the List.")
    _charged(run)
    items.insert(index, item)


def list_remove(run: Run, items: List, item: Any) -> bool:
    """``Remove``."""
    run.budget.step(1 + len(items) // 16)
    index = position(items, item)
    if index >= 0:
        del items[index]
    return index >= 0


def remove_at(items: List, index: int) -> None:
    """``RemoveAt``."""
    list_element(items, index)
    del items[index]


def remove_all(run: Run, items: List, match: Delegate) -> int:
    """``RemoveAll``: how many."""
    kept = [item for item in linq_results.walked(run, List(items)) if not match(item)]
    removed = len(items) - len(kept)
    items[:] = kept
    return removed


def get_range(items: List, index: int, count: int) -> List:
    """``GetRange``."""
    if index < 0 or count < 0 or index + count > len(items):
        raise argument("Offset and length were out of bounds for the array.")
    return List(items[index : index + count], items.element)


LIST: Final = ClrType("List", "System.Collections.Generic.List", List, base=OBJECT)
LIST.constructed_by(make_list)
LIST.indexed_by(list_element, "T", set_list_element)
LIST.property("Count", len, "int")
LIST.method("Add", list_add)
LIST.method("AddRange", add_range)
LIST.method("Insert", list_insert)
LIST.method("Remove", list_remove, "bool")
LIST.method("RemoveAt", remove_at)
LIST.method("RemoveAll", remove_all, "int")
LIST.method(
    "RemoveRange", lambda items, index, count: items.__delitem__(slice(index, index + count))
)
LIST.method("Clear", lambda items: items.clear())
LIST.method("IndexOf", position, "int")
LIST.method("Find", find, "T")
LIST.method("FindIndex", find_index, "int")
LIST.method(
    "FindAll",
    lambda run, items, match: List(
        linq_results.materialized(run, linq.where(run, items, match)), items.element
    ),
    "List",
)
LIST.method("Exists", linq_results.any_of, "bool")
LIST.method("TrueForAll", linq_results.all_of, "bool")
LIST.method("ForEach", for_each)
LIST.method("Sort", sort)
LIST.method("Reverse", reverse)
LIST.method("GetRange", get_range, "List")
LIST.method(
    "ConvertAll",
    lambda run, items, converter, *, types=(): List(
        linq_results.materialized(run, linq.select(run, items, converter))
    ),
    "List",
)
linq.extend(LIST)
for _name in ("IList", "ICollection", "IReadOnlyList", "IReadOnlyCollection"):
    alias(_name, LIST)


def _taken(items: List, index: int, name: str) -> Any:
    if not items:
        raise invalid_operation(f"{name} empty.")
    return items.pop(index)


QUEUE: Final = ClrType("Queue", "System.Collections.Generic.Queue", Queue, base=OBJECT)
STACK: Final = ClrType("Stack", "System.Collections.Generic.Stack", Stack, base=OBJECT)
QUEUE.constructed_by(
    lambda run, content=None, *, types=(): Queue(
        []
        if content is None or isinstance(content, int)
        else linq_results.materialized(run, content)
    )
)
STACK.constructed_by(
    lambda run, content=None, *, types=(): Stack(
        []
        if content is None or isinstance(content, int)
        else linq_results.materialized(run, content)
    )
)
QUEUE.method("Enqueue", list_add)
QUEUE.method("Dequeue", lambda items: _taken(items, 0, "Queue"), "T")
QUEUE.method("Peek", lambda items: _taken(List(items), 0, "Queue"), "T")
STACK.method("Push", list_add)
STACK.method("Pop", lambda items: _taken(items, -1, "Stack"), "T")
STACK.method("Peek", lambda items: _taken(List(items), -1, "Stack"), "T")
for _made in (QUEUE, STACK):
    _made.property("Count", len, "int")
    _made.method("Clear", lambda items: items.clear())
    linq.extend(_made)


def make_set(
    run: Run, content: Any = None, comparer: Any = None, *, types: tuple[str, ...] = ("object",)
) -> HashSet:
    """``new HashSet<T>()``, of a sequence, with a comparer."""
    if content is not None and hasattr(content, "ignore_case"):
        content, comparer = None, content
    fold = bool(comparer is not None and comparer.ignore_case)
    items = (
        []
        if content is None or isinstance(content, int)
        else linq_results.materialized(run, content)
    )
    return HashSet(items, types[0] if types else "object", fold)


def set_add(run: Run, items: HashSet, item: Any) -> bool:
    """``Add``: whether it is new."""
    _charged(run, 4)
    return items.add(item)


def union_with(run: Run, items: HashSet, other: Any) -> None:
    """``UnionWith``."""
    for item in linq_results.materialized(run, other):
        items.add(item)


def keep_only(run: Run, items: HashSet, other: Any, inside: bool) -> None:
    """``IntersectWith`` and ``ExceptWith``."""
    others = HashSet(linq_results.materialized(run, other), "object", items.fold is not None)
    for item in list(items):
        if (item in others) != inside:
            items.remove(item)


SET: Final = ClrType("HashSet", "System.Collections.Generic.HashSet", HashSet, base=OBJECT)
SET.constructed_by(make_set)
SET.property("Count", len, "int")
SET.method("Add", set_add, "bool")
SET.method("Remove", lambda items, item: items.remove(item), "bool")
SET.method("Contains", lambda items, item: item in items, "bool")
SET.method("Clear", lambda items: items.clear())
SET.method("UnionWith", union_with)
SET.method("IntersectWith", lambda run, items, other: keep_only(run, items, other, True))
SET.method("ExceptWith", lambda run, items, other: keep_only(run, items, other, False))
SET.method(
    "Overlaps",
    lambda run, items, other: any(x in items for x in linq_results.walked(run, other)),
    "bool",
)
SET.method(
    "IsSubsetOf",
    lambda run, items, other: set(items) <= set(linq_results.walked(run, other)),
    "bool",
)
SET.method(
    "IsSupersetOf",
    lambda run, items, other: all(x in items for x in linq_results.walked(run, other)),
    "bool",
)
SET.method(
    "SetEquals",
    lambda run, items, other: set(items) == set(linq_results.walked(run, other)),
    "bool",
)
linq.extend(SET)
alias("ISet", SET)


def make_dictionary(
    run: Run, content: Any = None, comparer: Any = None, *, types: tuple[str, ...] = ()
) -> Dictionary:
    """``new Dictionary<K, V>()``, of another, with a comparer."""
    if content is not None and hasattr(content, "ignore_case"):
        content, comparer = None, content
    key_type, element = types if len(types) == 2 else ("object", "object")
    pairs = (
        []
        if content is None or isinstance(content, int)
        else linq_results.materialized(run, content)
    )
    return Dictionary(
        [(pair.key, pair.value) for pair in pairs],
        key_type,
        element,
        bool(comparer is not None and comparer.ignore_case),
    )


def entry(items: Dictionary, key: Any) -> Any:
    """``dictionary[key]``. :raises ExpressionFailure: KeyNotFoundException."""
    try:
        return items[items.known(key)]
    except KeyError:
        raise ExpressionFailure(
            f"The given key '{as_text(key)}' was not present in the dictionary.",
            "KeyNotFoundException",
        ) from None


def set_entry(items: Dictionary, key: Any, value: Any) -> None:
    """``dictionary[key] = value``."""
    convert = declared(items.element)
    items.put(key, value if convert is None else convert(value))


def add_entry(run: Run, items: Dictionary, key: Any, value: Any) -> None:
    """``Add``. :raises ExpressionFailure: ArgumentException for a key that is there."""
    _charged(run, 4)
    if items.known(key) in items:
        raise argument(f"An item with the same key has already been added. Key: {as_text(key)}")
    set_entry(items, key, value)


def try_get(items: Dictionary, key: Any) -> tuple[bool, Any]:
    """``TryGetValue``."""
    known = items.known(key)
    return (True, items[known]) if known in items else (False, default_of(items.element))


def get_or_default(
    items: Dictionary, key: Any, default: Any = None, *, types: tuple[str, ...] = ()
) -> Any:
    """``GetValueOrDefault``."""
    known = items.known(key)
    if known in items:
        return items[known]
    return default_of(items.element) if default is None else default


def try_add(run: Run, items: Dictionary, key: Any, value: Any) -> bool:
    """``TryAdd``."""
    if items.known(key) in items:
        return False
    add_entry(run, items, key, value)
    return True


DICTIONARY: Final = ClrType(
    "Dictionary", "System.Collections.Generic.Dictionary", Dictionary, base=OBJECT
)
DICTIONARY.constructed_by(make_dictionary)
DICTIONARY.indexed_by(entry, "T", set_entry)
DICTIONARY.property("Count", len, "int")
DICTIONARY.property("Keys", lambda items: List(items.keys(), items.key_type), "List")
DICTIONARY.property("Values", lambda items: List(items.values(), items.element), "List")
DICTIONARY.method("Add", add_entry)
DICTIONARY.method("TryAdd", try_add, "bool")
DICTIONARY.method("ContainsKey", lambda items, key: items.known(key) in items, "bool")
DICTIONARY.method(
    "ContainsValue",
    lambda items, value: any(linq_results.same_value(x, value) for x in items.values()),
    "bool",
)
DICTIONARY.method("TryGetValue", try_get, "bool", outs=1)
DICTIONARY.method("GetValueOrDefault", get_or_default, "T")
DICTIONARY.method("Remove", lambda items, key: items.take(key), "bool")
DICTIONARY.method("Clear", lambda items: items.empty())
linq.extend(DICTIONARY)
for _name in ("IDictionary", "IReadOnlyDictionary"):
    alias(_name, DICTIONARY)
