"""JToken and its kinds, as Newtonsoft.Json.Linq has them: a tree with parents.

Source: www.newtonsoft.com/json/help, namespace Newtonsoft.Json.Linq.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.collections import (
    Anonymous,
    Dictionary,
    Pair,
    Tuple,
    is_enumerable,
    items_of,
)
from hybridmandate.governance.gateway.csharp.dates import DateTime, DateTimeOffset, TimeSpan
from hybridmandate.governance.gateway.csharp.failures import (
    ExpressionFailure,
    argument,
    argument_null,
    invalid_cast,
    invalid_operation,
    out_of_range,
)
from hybridmandate.governance.gateway.csharp.json_text import read_json, write_json
from hybridmandate.governance.gateway.csharp.json_values import cast_value, title, value_text
from hybridmandate.governance.gateway.csharp.numbers import INTEGERS, Char, Long
from hybridmandate.governance.gateway.csharp.types.table import EnumValue, full_name_of

MAX_NESTING: Final = 64


class JToken:
    """A node. ``parent`` is the array, object or property that it stands in."""

    __slots__ = ("parent",)
    kind = "None"

    def __init__(self) -> None:
        self.parent: JToken | None = None

    def clr_items(self) -> Iterator[JToken]:
        """The children; a value has none."""
        return iter(())

    def get(self, key: Any) -> JToken | None:
        """``token[key]``."""
        raise invalid_operation(f"Cannot access child value on {full_name_of(self)}.")

    def clr_text(self) -> str:
        """Indented JSON; the bare text of a string value."""
        return write_json(self, indent=True)

    def clr_cast(self, target: str) -> Any:
        """The explicit conversion operators of JToken."""
        value = self.value_token()
        head = target.removesuffix("?")
        if head.startswith("J") and head[1:2].isupper():
            raise invalid_cast(full_name_of(self), f"Newtonsoft.Json.Linq.{head}")
        if value is None:
            raise argument(f"Can not convert {self.kind} to {title(head)}.")
        return cast_value(value.value, value.kind, target)

    def value_token(self) -> JValue | None:
        """The value that a conversion takes: itself, or that of a property."""
        return None

    def copy(self) -> JToken:
        """A deep copy without a parent."""
        raise NotImplementedError

    def same_as(self, other: Any) -> bool:
        """``JToken.DeepEquals``."""
        raise NotImplementedError

    def replace_child(self, old: JToken, new: JToken | None) -> None:
        """Put another child in a child's place, or none."""
        raise invalid_operation("The parent is missing.")

    def remove(self) -> None:
        """Take it out of what it stands in."""
        if self.parent is None:
            raise invalid_operation("The parent is missing.")
        self.parent.replace_child(self, None)

    def replace(self, new: JToken) -> None:
        """Put another token in its place."""
        if self.parent is None:
            raise invalid_operation("The parent is missing.")
        self.parent.replace_child(self, new)

    def path(self) -> str:
        """``a.b[0]``."""
        parts: list[str] = []
        current: JToken = self
        while current.parent is not None:
            above = current.parent
            if isinstance(current, JProperty):
                plain = current.name.replace("_", "").isalnum()
                parts.append(f".{current.name}" if plain else f"['{current.name}']")
            elif isinstance(above, JArray):
                parts.append(f"[{above.index(current)}]")
            current = above
        return "".join(reversed(parts)).removeprefix(".")

    def descendants(self) -> Iterator[JToken]:
        """Everything below, in the order of the document."""
        pending = list(self.clr_items())[::-1]
        while pending:
            token = pending.pop()
            yield token
            pending.extend(list(token.clr_items())[::-1])

    def __len__(self) -> int:
        return sum(1 for _ in self.clr_items())

    def __bool__(self) -> bool:
        return True


class JValue(JToken):
    """A value: text, number, boolean, date, null…; ``kind`` is its JTokenType."""

    __slots__ = ("kind", "value")

    def __init__(self, value: Any, kind: str | None = None) -> None:
        super().__init__()
        self.value = value
        self.kind = kind or kind_of(value)

    def clr_text(self) -> str:
        """The text of the value; null is empty."""
        return value_text(self.value)

    def clr_format(self, form: str) -> str:
        """The value in a format."""
        from hybridmandate.governance.gateway.csharp.text import formatted

        return formatted(self.value, form)

    def value_token(self) -> JValue:
        return self

    def clr_operand(self) -> Any:
        """What operators work on where the token came by ``dynamic``."""
        return self.value

    def copy(self) -> JValue:
        return JValue(self.value, self.kind)

    def same_as(self, other: Any) -> bool:
        return (
            isinstance(other, JValue)
            and (self.kind == other.kind or {self.kind, other.kind} == {"Integer", "Float"})
            and self.value == other.value
        )


class JArray(JToken):
    """A list of tokens."""

    __slots__ = ("items",)
    kind = "Array"

    def __init__(self, items: Iterable[Any] = ()) -> None:
        super().__init__()
        self.items: list[JToken] = []
        for item in items:
            self.add(item)

    def clr_items(self) -> Iterator[JToken]:
        return iter(self.items)

    def get(self, key: Any) -> JToken:
        if not isinstance(key, int):
            raise argument(
                f'Accessed JArray values with invalid key value: "{key}". '
                "Int32 array index expected."
            )
        if not 0 <= key < len(self.items):
            raise out_of_range(
                "index",
                "Index was out of range. Must be non-negative and less than the size of the "
                "collection.",
            )
        return self.items[key]

    def put(self, key: int, value: Any) -> None:
        """``array[key] = value``."""
        self.get(key)
        self.items[key] = adopt(self, value)

    def add(self, value: Any) -> None:
        """Append; the content of a Newtonsoft container may also be a sequence."""
        self.items.append(adopt(self, value))

    def insert(self, at: int, value: Any) -> None:
        """Put before the element at that index."""
        if not 0 <= at <= len(self.items):
            raise out_of_range("index", "Index was out of range.")
        self.items.insert(at, adopt(self, value))

    def index(self, token: JToken) -> int:
        """Where a token stands, -1 when it does not."""
        return next((i for i, item in enumerate(self.items) if item is token), -1)

    def replace_child(self, old: JToken, new: JToken | None) -> None:
        at = self.index(old)
        old.parent = None
        if new is None:
            del self.items[at]
        else:
            self.items[at] = adopt(self, new)

    def copy(self) -> JArray:
        return JArray(item.copy() for item in self.items)

    def same_as(self, other: Any) -> bool:
        return (
            isinstance(other, JArray)
            and len(self.items) == len(other.items)
            and all(a.same_as(b) for a, b in zip(self.items, other.items, strict=True))
        )


class JProperty(JToken):
    """A name and a value."""

    __slots__ = ("content", "name")
    kind = "Property"

    def __init__(self, name: str, *content: Any) -> None:
        super().__init__()
        if name is None:
            raise argument_null("name")
        self.name = name
        value = content[0] if len(content) == 1 else JArray(content) if content else None
        self.content: JToken = adopt(self, value)

    def clr_items(self) -> Iterator[JToken]:
        return iter((self.content,))

    def value_token(self) -> JValue | None:
        return self.content.value_token()

    def replace_child(self, old: JToken, new: JToken | None) -> None:
        if new is None:
            raise ExpressionFailure(
                "Cannot add or remove items from Newtonsoft.Json.Linq.JProperty.", "JsonException"
            )
        old.parent = None
        self.content = adopt(self, new)

    def copy(self) -> JProperty:
        return JProperty(self.name, self.content.copy())

    def same_as(self, other: Any) -> bool:
        return (
            isinstance(other, JProperty)
            and self.name == other.name
            and self.content.same_as(other.content)
        )


class JObject(JToken):
    """Properties by name, in the order they came."""

    __slots__ = ("members",)
    kind = "Object"

    def __init__(self, *content: Any) -> None:
        super().__init__()
        self.members: dict[str, JProperty] = {}
        for item in content:
            self.add_content(item)

    def clr_items(self) -> Iterator[JToken]:
        return iter(list(self.members.values()))

    def clr_member(self, name: str) -> Any:
        """A member by ``dynamic``: the property's value, or what the type has."""
        if name in self.members:
            return self.members[name].content
        from hybridmandate.governance.gateway.csharp.types.table import type_of

        found = type_of(self).find_property(name)
        return None if found is None else found.call(self)

    def get(self, key: Any) -> JToken | None:
        if not isinstance(key, str):
            raise argument(
                f"Accessed JObject values with invalid key value: {key}. "
                "Object property name expected."
            )
        found = self.members.get(key)
        return None if found is None else found.content

    def put(self, key: str, value: Any) -> None:
        """``object[key] = value``."""
        if not isinstance(key, str):
            raise argument("Set JObject values with invalid key value.")
        found = self.members.get(key)
        if found is None:
            self.add_property(JProperty(key, value))
        else:
            found.content.parent = None
            found.content = adopt(found, value)

    def add_content(self, item: Any) -> None:
        """``Add(content)`` of one property."""
        if not isinstance(item, JProperty):
            raise argument(f"Can not add {full_name_of(item)} to Newtonsoft.Json.Linq.JObject.")
        self.add_property(item)

    def add_property(self, item: JProperty) -> None:
        """Add one that is not there yet."""
        if item.name in self.members:
            raise argument(
                f"Can not add property {item.name} to Newtonsoft.Json.Linq.JObject. Property with "
                "the same name already exists on object."
            )
        if item.parent is not None:
            item = item.copy()
        item.parent = self
        self.members[item.name] = item

    def replace_child(self, old: JToken, new: JToken | None) -> None:
        assert isinstance(old, JProperty)
        members = list(self.members.values())
        at = members.index(old)
        old.parent = None
        members[at : at + 1] = [new] if isinstance(new, JProperty) else []
        self.members = {item.name: item for item in members}

    def copy(self) -> JObject:
        return JObject(*[item.copy() for item in self.members.values()])

    def same_as(self, other: Any) -> bool:
        return (
            isinstance(other, JObject)
            and self.members.keys() == other.members.keys()
            and all(item.same_as(other.members[name]) for name, item in self.members.items())
        )


def kind_of(value: Any) -> str:
    """The JTokenType of a plain value."""
    if value is None:
        return "Null"
    kind = type(value)
    if kind is bool:
        return "Boolean"
    if kind in INTEGERS or isinstance(value, EnumValue):
        return "Integer"
    if isinstance(value, float | Decimal):
        return "Float"
    if isinstance(value, str):
        return "String"
    kinds: dict[type, str] = {
        DateTime: "Date", DateTimeOffset: "Date", TimeSpan: "TimeSpan", uuid.UUID: "Guid",
        bytearray: "Bytes",
    }  # fmt: skip
    if kind in kinds:
        return kinds[kind]
    if getattr(value, "clr_name", "") == "System.Uri":
        return "Uri"
    raise argument(f"Could not determine JSON object type for type {full_name_of(value)}.")


def adopt(parent: JToken, value: Any) -> JToken:
    """A token for a place in a tree; one that stands elsewhere is copied, as Newtonsoft does."""
    if isinstance(value, JToken):
        above: JToken | None = parent
        while above is not None and above is not value:
            above = above.parent
        token = value.copy() if value.parent is not None or above is value else value
    elif is_enumerable(value) and not isinstance(value, bytearray):
        token = JArray(items_of(value))
    else:
        token = JValue(value)
    token.parent = parent
    return token


def token_of(value: Any, depth: int = 0) -> JToken:
    """``JToken.FromObject``: any value as a token.

    :raises ExpressionFailure: JsonSerializationException when it is nested too deep.
    """
    if depth > MAX_NESTING:
        raise ExpressionFailure(
            "Self referencing loop or too deep nesting detected.", "JsonSerializationException"
        )
    if isinstance(value, JToken):
        return value.copy()
    if isinstance(value, Pair):
        pair = (("Key", value.key), ("Value", value.value))
        return JObject(*[JProperty(name, token_of(item, depth + 1)) for name, item in pair])
    if isinstance(value, Tuple):
        value = {f"Item{i}": item for i, item in enumerate(value, 1)}
    if isinstance(value, Anonymous):
        value = value.members
    if isinstance(value, Dictionary | dict) and not hasattr(value, "add"):
        made = JObject()
        for name, item in value.items():
            made.add_property(JProperty(value_text(name), token_of(item, depth + 1)))
        return made
    if is_enumerable(value) and not isinstance(value, bytearray):
        return JArray(token_of(item, depth + 1) for item in items_of(value))
    if isinstance(value, Char):
        return JValue(str(value))
    return JValue(value)


def parse_json(text: str) -> JToken:
    """``JToken.Parse``. :raises ExpressionFailure: JsonReaderException."""
    return _from_plain(read_json(text), 0)


def _from_plain(value: Any, depth: int) -> JToken:
    if depth > MAX_NESTING:
        raise ExpressionFailure(
            f"The reader's MaxDepth of {MAX_NESTING} has been exceeded.", "JsonReaderException"
        )
    if isinstance(value, dict):
        made = JObject()
        members = made.members
        for name, item in value.items():
            one = JProperty.__new__(JProperty)
            one.name = name
            one.content = _from_plain(item, depth + 1)
            one.content.parent = one
            one.parent = made
            members[name] = one
        return made
    if isinstance(value, list):
        array = JArray()
        for item in value:
            token = _from_plain(item, depth + 1)
            token.parent = array
            array.items.append(token)
        return array
    if type(value) is int:
        return JValue(Long(value), "Integer")
    return JValue(value)


def plain_json(token: Any) -> Any:
    """A token as Python values: dict, list, str, int, float, bool, None; dates as text."""
    if isinstance(token, JObject):
        return {name: plain_json(item.content) for name, item in token.members.items()}
    if isinstance(token, JArray):
        return [plain_json(item) for item in token.items]
    if isinstance(token, JProperty):
        return {token.name: plain_json(token.content)}
    if isinstance(token, JValue):
        value = token.value
        if value is None or isinstance(value, bool | str):
            return value
        if isinstance(value, float):
            return float(value)
        return int(value) if isinstance(value, int) else write_json(token).strip('"')
    return token
