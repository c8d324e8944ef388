"""The closed list of .NET types and members; everything an expression may touch is declared here.

A member is a Python function. Its signature says how it is called: a first parameter ``run`` gets
the :class:`Run` of the evaluation, a keyword-only ``types`` the type arguments of the call, and
parameters are C#'s named arguments in snake case. ``returns`` is the static C# type, or ``""``
where it is only known at run time.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.budget import Budget

Function = Callable[..., Any]


class Run:
    """One evaluation: the policy context and what may still be used."""

    __slots__ = ("budget", "context")

    def __init__(self, context: Any, budget: Budget) -> None:
        self.context = context
        self.budget = budget


def _parameters(call: Function) -> list[inspect.Parameter]:
    """The parameters of a function; builtins that hide theirs take one value."""
    try:
        return list(inspect.signature(call).parameters.values())
    except ValueError:
        return [inspect.Parameter("value", inspect.Parameter.POSITIONAL_ONLY)]


class Member:
    """A property, method, constructor or indexer."""

    __slots__ = (
        "call",
        "fixed",
        "generic",
        "least",
        "most",
        "name",
        "outs",
        "parameters",
        "returns",
        "wants_run",
    )  # fmt: skip

    def __init__(self, name: str, call: Function, returns: str, outs: int, receivers: int) -> None:
        self.name = name
        self.call = call
        self.returns = returns
        self.outs = outs
        parameters = _parameters(call)
        self.wants_run = bool(parameters) and parameters[0].name == "run"
        positional = [
            p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        positional = positional[receivers + self.wants_run :]
        self.parameters = [p.name for p in positional]
        self.least = sum(p.default is p.empty for p in positional) + outs
        anything = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        self.most = 1000 if anything else len(positional) + outs
        self.fixed = False
        """Whether a static member always gives the same value."""
        self.generic = any(p.name == "types" and p.kind is p.KEYWORD_ONLY for p in parameters)


class ClrType:
    """A .NET type: its names, what it derives from and its members."""

    def __init__(
        self, name: str, full_name: str, *classes: type, base: ClrType | None = None
    ) -> None:
        self.name = name
        self.full_name = full_name
        self.base = base
        self.properties: dict[str, Member] = {}
        self.setters: dict[str, Member] = {}
        self.methods: dict[str, Member] = {}
        self.static_properties: dict[str, Member] = {}
        self.static_methods: dict[str, Member] = {}
        self.constructor: Member | None = None
        self.indexer: Member | None = None
        self.set_index: Member | None = None
        self.cast: Callable[[Any], Any] | None = None
        self.values: dict[str, Any] = {}
        """Members of an enumeration."""
        _add(self, classes)

    def property(self, name: str, get: Function, returns: str = "") -> None:
        """A readable property."""
        self.properties[name] = Member(name, get, returns, 0, 1)

    def method(self, name: str, call: Function, returns: str = "", outs: int = 0) -> None:
        """An instance (or extension) method; ``outs`` trailing out parameters."""
        self.methods[name] = Member(name, call, returns, outs, 1)

    def static(self, name: str, call: Function, returns: str = "", outs: int = 0) -> None:
        """A static method."""
        self.static_methods[name] = Member(name, call, returns, outs, 0)

    def constant(self, name: str, value: Any, returns: str = "") -> None:
        """A constant or static read-only field."""
        member = Member(name, lambda: value, returns, 0, 0)
        member.fixed = True
        self.static_properties[name] = member

    def static_property(self, name: str, get: Function, returns: str = "") -> None:
        """A static property that is read anew each time."""
        self.static_properties[name] = Member(name, get, returns, 0, 0)

    def constructed_by(self, call: Function) -> None:
        """What ``new`` does."""
        self.constructor = Member("new", call, self.name, 0, 0)

    def indexed_by(self, get: Function, returns: str = "", put: Function | None = None) -> None:
        """What ``[…]`` does, and what assigning to it does."""
        self.indexer = Member("[]", get, returns, 0, 1)
        self.set_index = None if put is None else Member("[]=", put, "", 0, 1)

    def setter(self, name: str, put: Function) -> None:
        """What assigning to a property does."""
        self.setters[name] = Member(name, put, "", 0, 1)

    def find_property(self, name: str) -> Member | None:
        """The property, also of a base type."""
        return self._find("properties", name)

    def find_method(self, name: str) -> Member | None:
        """The method, also of a base type or of ``object``."""
        return self._find("methods", name)

    def find_indexer(self) -> Member | None:
        """The indexer, also of a base type."""
        current: ClrType | None = self
        while current is not None:
            if current.indexer is not None:
                return current.indexer
            current = current.base
        return None

    def derives_from(self, other: ClrType) -> bool:
        """Whether it is that type or one that derives from it."""
        current: ClrType | None = self
        while current is not None:
            if current is other:
                return True
            current = current.base
        return False

    def _find(self, where: str, name: str) -> Member | None:
        current: ClrType | None = self
        while current is not None:
            found: Member | None = getattr(current, where).get(name)
            if found is not None:
                return found
            current = current.base
        return None


TYPES: Final[dict[str, ClrType]] = {}
"""All types by short name."""
_BY_CLASS: Final[dict[type, ClrType]] = {}
_ALIASES: Final[dict[str, str]] = {}


def _add(clr_type: ClrType, classes: Iterable[type]) -> None:
    TYPES[clr_type.name] = clr_type
    _ALIASES[clr_type.full_name] = clr_type.name
    _ALIASES[clr_type.full_name.rsplit(".", 1)[-1]] = clr_type.name
    for each in classes:
        _BY_CLASS[each] = clr_type


OBJECT: Final = ClrType("object", "System.Object", object)


def alias(name: str, target: ClrType) -> None:
    """Another name for a type, for example the interface it stands for."""
    _ALIASES[name] = target.name


def find_type(name: str) -> ClrType | None:
    """The type of a C# type name without type arguments; arrays and tuples count as such."""
    if name.endswith("?"):
        name = name[:-1]
    if name.endswith("]"):
        return TYPES["byte[]"] if name == "byte[]" else TYPES["Array"]
    if name.startswith("("):
        return TYPES["ValueTuple"]
    head = name.split("<", 1)[0]
    found = TYPES.get(head)
    if found is not None:
        return found
    target = _ALIASES.get(head)
    return None if target is None else TYPES[target]


def is_namespace(name: str) -> bool:
    """Whether a listed type lies in that namespace or below it."""
    prefix = name + "."
    return any(each.startswith(prefix) for each in _ALIASES)


def type_of(value: Any) -> ClrType:
    """The type of a value that is not null."""
    kind = type(value)
    found = _BY_CLASS.get(kind)
    if found is None:
        found = next(_BY_CLASS[base] for base in kind.__mro__ if base in _BY_CLASS)
        _BY_CLASS[kind] = found
    return found


def full_name_of(value: Any) -> str:
    """The full .NET name of a value's type, for messages."""
    named = getattr(value, "clr_name", None)
    return named if isinstance(named, str) else type_of(value).full_name


class EnumValue(int):
    """A member of an enumeration: its number, type and name."""

    enum: str
    label: str
    ignores_case: bool
    """Whether it is a comparison that takes upper and lower case for the same."""

    def __new__(cls, number: int, enum: str, label: str) -> EnumValue:
        value = super().__new__(cls, number)
        value.enum = enum
        value.label = label
        value.ignores_case = label.endswith("IgnoreCase")
        return value

    @property
    def clr_name(self) -> str:
        """The full name of the enumeration."""
        return TYPES[self.enum].full_name

    def __or__(self, other: int) -> EnumValue:
        number = int(self) | int(other)
        label = f"{self.label}, {other.label}" if isinstance(other, EnumValue) else str(number)
        return EnumValue(number, self.enum, label)


ENUM: Final = ClrType("Enum", "System.Enum", EnumValue, base=OBJECT)


def enumeration(name: str, full_name: str, labels: Iterable[str] | dict[str, int]) -> ClrType:
    """Declare an enumeration; its members are constants."""
    made = ClrType(name, full_name, base=ENUM)
    numbered = labels if isinstance(labels, dict) else {n: i for i, n in enumerate(labels)}
    for label, number in numbered.items():
        made.values[label] = EnumValue(number, name, label)
        made.constant(label, made.values[label], name)
    return made


def described() -> dict[str, list[str]]:
    """Every type by full name with the names of its members, as the documentation lists them.

    Extension methods of LINQ are listed once, with ``Enumerable``.
    """
    linq = TYPES["Enumerable"].static_methods
    listed: dict[str, list[str]] = {}
    for each in TYPES.values():
        own = {name for name in each.methods if name not in linq}
        own |= set(each.properties) | set(each.setters)
        own |= {f"{name} (static)" for name in (*each.static_methods, *each.static_properties)}
        own |= {"new"} if each.constructor is not None else set()
        own |= {"[]"} if each.indexer is not None else set()
        name = re.sub(r"`\d\[(.*)\]$", r"<\1>", each.full_name)
        listed[name] = sorted(member for member in own if not member.startswith("_"))
    return listed
