"""JRaw, JConstructor, comments, and the siblings of a token.

Source: www.newtonsoft.com/json/help, namespace Newtonsoft.Json.Linq. What takes a JsonReader or a
JsonWriter is not there: policy expressions may not use those types.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.collections import List
from hybridmandate.governance.gateway.csharp.failures import (
    ExpressionFailure,
    argument,
    argument_null,
    invalid_operation,
)
from hybridmandate.governance.gateway.csharp.json_tokens import (
    JArray,
    JObject,
    JToken,
    JValue,
    adopt,
)
from hybridmandate.governance.gateway.csharp.types import linq_results
from hybridmandate.governance.gateway.csharp.types.json_types import (
    CONTAINER,
    TOKEN,
    VALUE,
    attachable,
    merge,
)
from hybridmandate.governance.gateway.csharp.types.table import ClrType, Member, Run, type_of


class JRaw(JValue):
    """A text that is written into the JSON as it stands."""

    __slots__ = ()

    def __init__(self, raw_json: Any) -> None:
        super().__init__(raw_json.value if isinstance(raw_json, JValue) else raw_json, "Raw")

    def copy(self) -> JRaw:
        return JRaw(self.value)


class JConstructor(JToken):
    """``new Name(arguments)`` in a JSON text."""

    __slots__ = ("items", "name")
    kind = "Constructor"

    def __init__(self, name: Any = None, content: Iterable[Any] = ()) -> None:
        super().__init__()
        self.name = name
        self.items: list[JToken] = [adopt(self, item) for item in content]

    def clr_items(self) -> Iterator[JToken]:
        return iter(self.items)

    def get(self, key: Any) -> JToken | None:
        if type(key) is not int:
            raise argument(
                f'Accessed JConstructor values with invalid key value: "{key}". '
                "Argument position index expected."
            )
        return self.items[key] if 0 <= key < len(self.items) else None

    def replace_child(self, old: JToken, new: JToken | None) -> None:
        at = next(i for i, item in enumerate(self.items) if item is old)
        old.parent = None
        self.items[at : at + 1] = [] if new is None else [adopt(self, new)]

    def copy(self) -> JConstructor:
        return JConstructor(self.name, [item.copy() for item in self.items])

    def same_as(self, other: Any) -> bool:
        return (
            isinstance(other, JConstructor)
            and (self.name, len(self.items)) == (other.name, len(other.items))
            and all(a.same_as(b) for a, b in zip(self.items, other.items, strict=True))
        )


def make_constructor(run: Run, name: Any, *content: Any) -> JConstructor:
    """``new JConstructor(name, arguments…)``."""
    if not name:
        raise (
            argument_null("name") if name is None else argument("Constructor name cannot be empty.")
        )
    return JConstructor(name, [attachable(run, None, each) for each in content])


def compare_values(value: JValue, other: Any) -> int:
    """``JValue.CompareTo``; what is null comes first."""
    theirs = other.value if isinstance(other, JValue) else other
    return linq_results.order(value.value, theirs)


def place(run: Run, token: JToken, content: Any, *, after: bool) -> None:
    """``AddAfterSelf`` and ``AddBeforeSelf``.

    :raises ExpressionFailure: InvalidOperationException for a token that stands nowhere.
    """
    parent = token.parent
    if parent is None:
        raise invalid_operation("The parent is missing.")
    if isinstance(parent, JArray):
        parent.insert(parent.index(token) + after, attachable(run, parent, content))
    elif isinstance(parent, JObject):
        parent.add_content(attachable(run, parent, content))
        properties = list(parent.members.values())
        moved = properties.pop()
        properties.insert(properties.index(token) + after, moved)  # type: ignore[arg-type]
        parent.members = {each.name: each for each in properties}
    else:
        raise _fixed(parent)


def _fixed(parent: JToken) -> ExpressionFailure:
    return ExpressionFailure(
        f"Cannot add or remove items from Newtonsoft.Json.Linq.J{parent.kind}.", "JsonException"
    )


def beside(token: JToken, *, after: bool) -> List:
    """``AfterSelf`` and ``BeforeSelf``, in the order of the document."""
    children = [] if token.parent is None else list(token.parent.clr_items())
    at = next((i for i, each in enumerate(children) if each is token), 0)
    return List(children[at + 1 :] if after else children[:at], "JToken")


def add_content(run: Run, target: JToken, *content: Any) -> None:
    """``JContainer.Add`` of a constructor; a property holds exactly one value."""
    if not isinstance(target, JConstructor):
        raise _fixed(target)
    target.items.extend(adopt(target, attachable(run, target, each)) for each in content)


def remove_content(target: JToken) -> None:
    """``JContainer.RemoveAll`` of a constructor."""
    if not isinstance(target, JConstructor):
        raise _fixed(target)
    target.items.clear()


def replace_content(run: Run, target: JToken, content: Any) -> None:
    """``JContainer.ReplaceAll``."""
    _own(target, "RemoveAll").call(target)
    _own(target, "Add").call(run, target, content)


def _own(target: JToken, name: str) -> Member:
    found = type_of(target).find_method(name)
    assert found is not None, "every container has it"
    return found


RAW: Final = ClrType("JRaw", "Newtonsoft.Json.Linq.JRaw", JRaw, base=VALUE)
RAW.constructed_by(JRaw)
CONSTRUCTOR: Final = ClrType(
    "JConstructor", "Newtonsoft.Json.Linq.JConstructor", JConstructor, base=CONTAINER
)
CONSTRUCTOR.constructed_by(make_constructor)
CONSTRUCTOR.property("Name", lambda c: c.name, "string")
CONSTRUCTOR.setter("Name", lambda c, name: setattr(c, "name", name))

VALUE.static("CreateComment", lambda value: JValue(value, "Comment"), "JValue")
VALUE.static("CreateUndefined", lambda: JValue(None, "Undefined"), "JValue")
VALUE.method("CompareTo", compare_values, "int")
for _name, _after in (("AddAfterSelf", True), ("AddBeforeSelf", False)):
    TOKEN.method(_name, lambda run, token, content, a=_after: place(run, token, content, after=a))
for _name, _after in (("AfterSelf", True), ("BeforeSelf", False)):
    TOKEN.method(_name, lambda token, a=_after: beside(token, after=a), "List<JToken>")
CONTAINER.property("Count", len, "int")
CONTAINER.method("Add", add_content)
CONTAINER.method("AddFirst", add_content)
CONTAINER.method("RemoveAll", remove_content)
CONTAINER.method("ReplaceAll", replace_content)
CONTAINER.method("Merge", merge)
