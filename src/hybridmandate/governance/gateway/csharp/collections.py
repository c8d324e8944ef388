"""Arrays, lists, dictionaries, sets, tuples and lazy sequences as values of expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from hybridmandate.governance.gateway.csharp.failures import (
    ExpressionFailure,
    argument_null,
    null_reference,
)
from hybridmandate.governance.gateway.csharp.numbers import Byte, Char
from hybridmandate.governance.gateway.csharp.text import as_text
from hybridmandate.governance.gateway.csharp.types.table import find_type


def _names(*types: str) -> str:
    return ",".join(_full(each) for each in types)


def _full(name: str) -> str:
    if name.endswith("[]"):
        return _full(name[:-2]) + "[]"
    found = find_type(name) if name else None
    return "System.Object" if found is None else found.full_name


class Array(list[Any]):
    """An array of anything but bytes; those are a ``bytearray``."""

    __slots__ = ("element",)
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(self, items: Iterable[Any] = (), element: str = "object") -> None:
        super().__init__(items)
        self.element = element

    @property
    def clr_name(self) -> str:
        """The full name, as ``ToString`` gives it."""
        return f"{_full(self.element)}[]"


class List(list[Any]):
    """System.Collections.Generic.List, also Queue and Stack."""

    __slots__ = ("element",)
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(self, items: Iterable[Any] = (), element: str = "object") -> None:
        super().__init__(items)
        self.element = element

    @property
    def clr_name(self) -> str:
        """The full name, as ``ToString`` gives it."""
        return f"System.Collections.Generic.List`1[{_names(self.element)}]"


class Queue(List):
    """System.Collections.Generic.Queue."""

    __slots__ = ()


class Stack(List):
    """System.Collections.Generic.Stack; the last element is the top."""

    __slots__ = ()


class HashSet(dict[Any, None]):
    """System.Collections.Generic.HashSet; elements in the order they came."""

    __slots__ = ("element", "fold")
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(
        self, items: Iterable[Any] = (), element: str = "object", ignore_case: bool = False
    ) -> None:
        super().__init__()
        self.element = element
        self.fold: dict[Any, Any] | None = {} if ignore_case else None
        for item in items:
            self.add(item)

    def add(self, item: Any) -> bool:
        """True when it was not there yet."""
        if item in self:
            return False
        self[item] = None
        if self.fold is not None:
            self.fold[folded(item)] = item
        return True

    def __contains__(self, item: object) -> bool:
        if self.fold is not None:
            return folded(item) in self.fold
        return super().__contains__(item)

    def remove(self, item: Any) -> bool:
        """True when it was there."""
        if item not in self:
            return False
        if self.fold is not None:
            item = self.fold.pop(folded(item))
        del self[item]
        return True


class Dictionary(dict[Any, Any]):
    """System.Collections.Generic.Dictionary; pairs in the order they came."""

    __slots__ = ("element", "fold", "key_type")
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __init__(
        self,
        pairs: Mapping[Any, Any] | Iterable[tuple[Any, Any]] = (),
        key_type: str = "object",
        element: str = "object",
        ignore_case: bool = False,
    ) -> None:
        super().__init__()
        self.key_type = key_type
        self.element = element
        self.fold: dict[Any, Any] | None = {} if ignore_case else None
        for key, value in pairs.items() if isinstance(pairs, Mapping) else pairs:
            self.put(key, value)

    @property
    def clr_name(self) -> str:
        """The full name, as ``ToString`` gives it."""
        kinds = _names(self.key_type, self.element)
        return f"System.Collections.Generic.Dictionary`2[{kinds}]"

    def known(self, key: Any) -> Any:
        """The key under which the entry is kept."""
        if key is None:
            raise argument_null("key")
        return self.fold.get(folded(key), key) if self.fold is not None else key

    def put(self, key: Any, value: Any) -> None:
        """Set an entry."""
        key = self.known(key)
        self[key] = value
        if self.fold is not None:
            self.fold[folded(key)] = key

    def take(self, key: Any) -> bool:
        """Remove an entry; True when it was there."""
        key = self.known(key)
        if key not in self:
            return False
        del self[key]
        if self.fold is not None:
            del self.fold[folded(key)]
        return True

    def empty(self) -> None:
        """Remove all entries."""
        self.clear()
        if self.fold is not None:
            self.fold.clear()


def folded(key: Any) -> Any:
    """A key for comparison without case."""
    return key.lower() if isinstance(key, str) else key


class Pair:
    """System.Collections.Generic.KeyValuePair."""

    __slots__ = ("key", "value")

    def __init__(self, key: Any, value: Any) -> None:
        self.key = key
        self.value = value

    def clr_text(self) -> str:
        """``[key, value]``."""
        return f"[{as_text(self.key)}, {as_text(self.value)}]"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pair) and (self.key, self.value) == (other.key, other.value)

    def __hash__(self) -> int:
        return hash((self.key, self.value))


class Tuple(tuple[Any, ...]):
    """System.ValueTuple; names of elements are kept where they are given."""

    names: list[str]

    def __new__(cls, items: Iterable[Any], names: Iterable[str] = ()) -> Tuple:
        made = super().__new__(cls, items)
        made.names = list(names)
        return made

    def clr_member(self, name: str) -> Any:
        """``Item1`` or a named element."""
        if name in self.names:
            return self[self.names.index(name)]
        if name.startswith("Item") and name[4:].isdigit() and 0 < int(name[4:]) <= len(self):
            return self[int(name[4:]) - 1]
        raise ExpressionFailure(
            f"The tuple does not contain a definition for '{name}'", "RuntimeBinderException"
        )

    def clr_text(self) -> str:
        """``(a, b)``."""
        return f"({', '.join(as_text(item) for item in self)})"


class Anonymous:
    """An object of an anonymous type: read-only members, equality by value."""

    __slots__ = ("members",)

    def __init__(self, members: dict[str, Any]) -> None:
        self.members = members

    def clr_member(self, name: str) -> Any:
        """A member's value."""
        if name not in self.members:
            raise ExpressionFailure(
                f"The object does not contain a definition for '{name}'", "RuntimeBinderException"
            )
        return self.members[name]

    def clr_text(self) -> str:
        """``{ a = 1 }``."""
        inner = ", ".join(f"{name} = {as_text(value)}" for name, value in self.members.items())
        return f"{{ {inner} }}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Anonymous) and self.members == other.members

    def __hash__(self) -> int:
        return hash(tuple(self.members.items()))


class Sequence:
    """A lazy ``IEnumerable``: evaluated anew each time it is walked."""

    __slots__ = ("make", "ordering")

    def __init__(self, make: Callable[[], Iterator[Any]], ordering: Any = None) -> None:
        self.make = make
        self.ordering = ordering

    def __iter__(self) -> Iterator[Any]:
        return self.make()


class Grouping(Sequence):
    """System.Linq.IGrouping."""

    __slots__ = ("items", "key")

    def __init__(self, key: Any, items: list[Any]) -> None:
        super().__init__(lambda: iter(items))
        self.key = key
        self.items = items


class Delegate:
    """A lambda, local function or method group."""

    __slots__ = ("arity", "call")

    def __init__(self, call: Callable[..., Any], arity: int) -> None:
        self.call = call
        self.arity = arity

    def __call__(self, *arguments: Any) -> Any:
        return self.call(*arguments)


def is_enumerable(value: Any) -> bool:
    """Whether ``foreach`` and LINQ can walk it."""
    return isinstance(value, list | bytearray | dict | Sequence) or hasattr(value, "clr_items")


def items_of(value: Any) -> Iterator[Any]:
    """The elements of anything enumerable.

    :raises ExpressionFailure: NullReferenceException for null, InvalidCastException otherwise.
    """
    if isinstance(value, bytearray):
        return map(Byte, value)
    if isinstance(value, HashSet):
        return iter(list(value))
    if isinstance(value, Stack):
        return iter(value[::-1])
    if isinstance(value, Dictionary):
        return (Pair(key, item) for key, item in list(value.items()))
    if isinstance(value, list | Sequence):
        return iter(value)
    if isinstance(value, str):
        return map(Char, value)
    own = getattr(value, "clr_items", None)
    if own is not None:
        return iter(own())
    if value is None:
        raise null_reference()
    raise ExpressionFailure(
        "The value is not a sequence that can be enumerated.", "InvalidCastException"
    )
