"""Newtonsoft.Json: JToken, JObject, JArray, JProperty, JValue, JsonConvert."""

from __future__ import annotations

from itertools import chain
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.collections import (
    Array,
    Dictionary,
    List,
    Sequence,
    is_enumerable,
)
from hybridmandate.governance.gateway.csharp.conversions import (
    cast_to,
    default_of,
    head_of,
    is_instance,
)
from hybridmandate.governance.gateway.csharp.failures import (
    ExpressionFailure,
    argument_null,
    out_of_range,
)
from hybridmandate.governance.gateway.csharp.json_path import ancestors, neighbour, root_of, select
from hybridmandate.governance.gateway.csharp.json_text import write_json
from hybridmandate.governance.gateway.csharp.json_tokens import (
    JArray,
    JObject,
    JProperty,
    JToken,
    JValue,
    adopt,
    kind_of,
    parse_json,
    token_of,
)
from hybridmandate.governance.gateway.csharp.json_values import value_text
from hybridmandate.governance.gateway.csharp.types import linq, linq_results
from hybridmandate.governance.gateway.csharp.types.table import (
    OBJECT,
    ClrType,
    EnumValue,
    Run,
    alias,
    enumeration,
)

KINDS: Final = enumeration(
    "JTokenType",
    "Newtonsoft.Json.Linq.JTokenType",
    ["None", "Object", "Array", "Constructor", "Property", "Comment", "Integer", "Float", "String",
     "Boolean", "Null", "Undefined", "Date", "Raw", "Bytes", "Guid", "Uri", "TimeSpan"],
)  # fmt: skip
FORMATTING: Final = enumeration("Formatting", "Newtonsoft.Json.Formatting", ["None", "Indented"])
_BYTES_PER_SIGN: Final = 8
"""What a parsed document takes in memory for each character, roughly."""


def parsed(run: Run, text: Any) -> JToken:
    """A document, paid for by its length."""
    if text is None:
        raise argument_null("json")
    run.budget.allocate(_BYTES_PER_SIGN * len(text))
    run.budget.step(1 + len(text) // 256)
    return parse_json(text)


def _parse_as(run: Run, text: Any, kind: type[JToken], name: str) -> JToken:
    token = parsed(run, text)
    if not isinstance(token, kind):
        raise ExpressionFailure(
            f"Error reading {name} from JsonReader. Current JsonReader item is not "
            f"an {name[1:].lower()}: {token.kind}. Path '', line 1, position 1.",
            "JsonReaderException",
        )
    return token


def to_text(run: Run, token: Any, formatting: Any = None, *_: Any) -> str:
    """``ToString``: indented unless told otherwise; a value alone is its bare text."""
    if isinstance(formatting, EnumValue) and formatting.enum == "Formatting":
        return _written(run, token, formatting)
    if isinstance(token, JValue):
        if isinstance(formatting, str):
            return token.clr_format(formatting)
        return value_text(token.value)
    return _written(run, token, FORMATTING.values["Indented"])


def _written(run: Run, token: JToken, formatting: EnumValue) -> str:
    run.budget.step(1)
    return write_json(token, indent=formatting.label == "Indented")


def value(token: Any, key: Any = None, *, types: tuple[str, ...] = ("JToken",)) -> Any:
    """``Value<T>(key)`` and ``Value<T>()``: null and absent become the default."""
    found = token if key is None else token.get(key)
    return convert_token(found, types[0])


def convert_token(found: Any, target: str) -> Any:
    """A token as T, as the extension ``Value<T>`` converts."""
    head = head_of(target)
    if head in ("JToken", "JObject", "JArray", "JValue", "JProperty", "object"):
        return found if found is None or is_instance(found, head) else cast_to(head, "")(found)
    if found is None or (isinstance(found, JValue) and found.value is None):
        return default_of(target)
    return found.clr_cast(target)


def to_object(run: Run, token: JToken, *, types: tuple[str, ...] = ("object",)) -> Any:
    """``ToObject<T>``: values, arrays, lists and dictionaries of them."""
    return deserialize(run, token, types[0], 0)


def deserialize(run: Run, token: JToken, target: str, depth: int) -> Any:
    """A token as a .NET value. :raises ExpressionFailure: JsonSerializationException."""
    run.budget.step()
    run.budget.allocate(32)
    head = head_of(target)
    if head.startswith("J") and head[1:2].isupper():
        return cast_to(head, "")(token)
    if head in ("object", "dynamic", ""):
        return token.value if isinstance(token, JValue) else token
    if isinstance(token, JValue):
        if token.value is None:
            return default_of(target)
        return token.clr_cast(target)
    inner = _type_arguments(target)
    if isinstance(token, JArray) and (head.endswith("[]") or inner):
        element = head[:-2] if head.endswith("[]") else inner[0]
        items = [deserialize(run, item, element, depth + 1) for item in token.items]
        if head == "byte[]":
            return bytearray(items)
        return Array(items, element) if head.endswith("[]") else List(items, element)
    if isinstance(token, JObject) and len(inner) == 2:
        pairs = [
            (name, deserialize(run, item.content, inner[1], depth + 1))
            for name, item in token.members.items()
        ]
        return Dictionary(pairs, inner[0], inner[1])
    raise ExpressionFailure(
        f"Cannot deserialize the current JSON {token.kind.lower()} into type '{target}'.",
        "JsonSerializationException",
    )


def _type_arguments(target: str) -> list[str]:
    if not target.endswith(">"):
        return []
    inner = target[target.index("<") + 1 : -1]
    head, _, tail = inner.partition(",")
    if "<" in head:
        return [inner]
    return [head.strip(), tail.strip()] if tail else [head.strip()]


def select_token(run: Run, token: JToken, path: str, error_when_no_match: Any = False) -> Any:
    """``SelectToken``. :raises ExpressionFailure: JsonException for several matches."""
    found = [item for item, _ in zip(_selected(run, token, path), range(2), strict=False)]
    if len(found) > 1:
        raise ExpressionFailure("Path returned multiple tokens.", "JsonException")
    if not found and error_when_no_match is True:
        raise ExpressionFailure(f"Path '{path}' did not match any token.", "JsonException")
    return found[0] if found else None


def _selected(run: Run, token: JToken, path: str) -> Any:
    if path is None:
        raise argument_null("path")
    for item in select(token, path, run.budget.step):
        run.budget.step()
        yield item


def as_jtoken(given: Any) -> Any:
    """The implicit conversion of a value to JToken."""
    return given if isinstance(given, JToken) or given is None else JValue(given, kind_of(given))


TOKEN: Final = ClrType("JToken", "Newtonsoft.Json.Linq.JToken", JToken, base=OBJECT)
TOKEN.cast = as_jtoken
TOKEN.indexed_by(
    lambda token, key: token.get(key),
    "JToken",
    lambda run, token, key, new: token.put(key, attachable(run, token, new)),
)
TOKEN.property("Type", lambda token: KINDS.values[token.kind], "JTokenType")
TOKEN.property("Parent", lambda token: token.parent, "JToken")
TOKEN.property("Path", lambda token: token.path(), "string")
TOKEN.property("HasValues", lambda token: len(token) > 0, "bool")
TOKEN.property("First", lambda token: next(iter(token.clr_items()), None), "JToken")
TOKEN.property("Last", lambda token: next(iter(list(token.clr_items())[::-1]), None), "JToken")
TOKEN.property("Root", lambda token: root_of(token), "JToken")
TOKEN.property("Next", lambda token: neighbour(token, 1), "JToken")
TOKEN.property("Previous", lambda token: neighbour(token, -1), "JToken")
TOKEN.method("ToString", to_text, "string")
TOKEN.method("Value", value, "T")
TOKEN.method(
    "Values",
    lambda run, token, *, types=("JToken",): Sequence(
        lambda: (
            convert_token(x.content if isinstance(x, JProperty) else x, types[0])
            for x in linq_results.walked(run, token)
        )
    ),
    "IEnumerable",
)
TOKEN.method(
    "Children",
    lambda run, token, *, types=("JToken",): Sequence(
        lambda: (x for x in linq_results.walked(run, token) if is_instance(x, types[0]))
    ),
    "IEnumerable<JToken>",
)
TOKEN.method("SelectToken", select_token, "JToken")
TOKEN.method(
    "SelectTokens",
    lambda run, token, path, error_when_no_match=False: Sequence(
        lambda: _selected(run, token, path)
    ),
    "IEnumerable<JToken>",
)
TOKEN.method("ToObject", to_object, "T")
TOKEN.method("DeepClone", lambda run, token: charged_copy(run, token), "JToken")
TOKEN.method("Remove", lambda token: token.remove())
TOKEN.method("Replace", lambda run, token, new: replace_token(run, token, new))
TOKEN.method(
    "Descendants",
    lambda run, token: Sequence(lambda: linq_results.walked(run, Sequence(token.descendants))),
    "IEnumerable<JToken>",
)
TOKEN.method(
    "DescendantsAndSelf",
    lambda run, token: Sequence(
        lambda: linq_results.walked(run, Sequence(lambda: chain([token], token.descendants())))
    ),
    "IEnumerable<JToken>",
)
TOKEN.method(
    "AncestorsAndSelf", lambda token: List([token, *ancestors(token)]), "IEnumerable<JToken>"
)
TOKEN.method("Ancestors", lambda token: List(ancestors(token)), "IEnumerable<JToken>")
TOKEN.static("Parse", lambda run, json, settings=None: parsed(run, json), "JToken")
TOKEN.static("FromObject", lambda run, o: made_of(run, o), "JToken")
TOKEN.static(
    "DeepEquals", lambda t1, t2: t1 is t2 if t1 is None or t2 is None else t1.same_as(t2), "bool"
)
linq.extend(TOKEN)


def charged_copy(run: Run, token: JToken) -> JToken:
    """``DeepClone``."""
    size = 1 + sum(1 for _ in token.descendants())
    run.budget.step(size)
    run.budget.allocate(128 * size)
    return token.copy()


def attachable(run: Run, parent: JToken | None, value: Any) -> Any:
    """What can be put into a tree; a token that stands elsewhere is copied, at its price."""
    run.budget.allocate(128)
    if isinstance(value, JToken):
        stands = value.parent is not None or (parent is not None and value is root_of(parent))
        return charged_copy(run, value) if stands else value
    if isinstance(value, str | bytearray) or not is_enumerable(value):
        return value
    made = JArray()
    for item in linq_results.walked(run, value):
        made.add(attachable(run, made, item))
    return made


def replace_token(run: Run, token: JToken, new: Any) -> None:
    """``Replace``."""
    given = attachable(run, token, new)
    token.replace(given if isinstance(given, JToken) else JValue(given))


def made_of(run: Run, given: Any) -> JToken:
    """``FromObject``."""
    if given is None:
        raise argument_null("o")
    made = token_of(given)
    size = 1 + sum(1 for _ in made.descendants())
    run.budget.step(size)
    run.budget.allocate(128 * size)
    return made


CONTAINER: Final = ClrType("JContainer", "Newtonsoft.Json.Linq.JContainer", base=TOKEN)
OBJECT_TYPE: Final = ClrType("JObject", "Newtonsoft.Json.Linq.JObject", JObject, base=CONTAINER)


def make_object(run: Run, *content: Any) -> JObject:
    """``new JObject()``, of properties or another object."""
    made = JObject()
    for each in content:
        object_add(run, made, each)
    return made


def object_add(run: Run, target: JObject, *content: Any) -> None:
    """``Add(name, value)`` and ``Add(property)``."""
    if len(content) == 2:
        target.add_property(JProperty(content[0], attachable(run, target, content[1])))
    elif isinstance(content[0], JProperty):
        target.add_property(attachable(run, target, content[0]))
    elif is_enumerable(content[0]) and not isinstance(content[0], str):
        for item in linq_results.materialized(run, content[0]):
            object_add(run, target, item)
    else:
        target.add_content(content[0])


def object_remove(target: JObject, name: Any = None) -> bool:
    """``Remove(name)``, or the object itself."""
    if name is None:
        target.remove()
        return True
    found = target.members.pop(name, None)
    if found is not None:
        found.parent = None
    return found is not None


def _member(target: JObject, name: str, comparison: Any) -> JProperty | None:
    found = target.members.get(name)
    if found is None and comparison is not None and comparison.label.endswith("IgnoreCase"):
        return next((p for n, p in target.members.items() if n.lower() == name.lower()), None)
    return found


def get_value(target: JObject, property_name: str, comparison: Any = None) -> JToken | None:
    """``GetValue``."""
    found = _member(target, property_name, comparison)
    return None if found is None else found.content


def try_get_value(target: JObject, property_name: str, comparison: Any = None) -> tuple[bool, Any]:
    """``TryGetValue``."""
    found = _member(target, property_name, comparison)
    return found is not None, None if found is None else found.content


def merge(run: Run, target: Any, content: Any, settings: Any = None) -> None:
    """``Merge``: objects by name, arrays one behind the other."""
    run.budget.step(1 + sum(1 for _ in content.descendants()))
    run.budget.allocate(128 * (1 + sum(1 for _ in content.descendants())))
    _merge(target, content)


def _merge(target: JToken, content: JToken) -> None:
    if isinstance(target, JArray) and isinstance(content, JArray):
        for item in list(content.items):
            target.add(item.copy())
    elif isinstance(target, JObject) and isinstance(content, JObject):
        for name, item in content.members.items():
            mine = target.get(name)
            if type(mine) is type(item.content) and not isinstance(mine, JValue):
                assert mine is not None
                _merge(mine, item.content)
            elif item.content.kind != "Null" or mine is None:
                target.put(name, item.content.copy())


OBJECT_TYPE.constructed_by(make_object)
OBJECT_TYPE.property("Count", lambda o: len(o.members), "int")
OBJECT_TYPE.method("Add", object_add)
OBJECT_TYPE.method("Remove", object_remove, "bool")
OBJECT_TYPE.method("RemoveAll", lambda o: o.members.clear())
OBJECT_TYPE.method("AddFirst", lambda run, o, content: make_first(run, o, content))
OBJECT_TYPE.method("ContainsKey", lambda o, property_name: property_name in o.members, "bool")
OBJECT_TYPE.method(
    "Property", lambda o, name, comparison=None: _member(o, name, comparison), "JProperty"
)
OBJECT_TYPE.method("Properties", lambda o: List(o.members.values(), "JProperty"), "List<JProperty>")
OBJECT_TYPE.method(
    "PropertyValues",
    lambda o: List([p.content for p in o.members.values()], "JToken"),
    "List<JToken>",
)
OBJECT_TYPE.method("GetValue", get_value, "JToken")
OBJECT_TYPE.method("TryGetValue", try_get_value, "bool", outs=1)
OBJECT_TYPE.method("Merge", merge)
OBJECT_TYPE.method("DeepClone", charged_copy, "JToken")
OBJECT_TYPE.static(
    "Parse", lambda run, json, settings=None: _parse_as(run, json, JObject, "JObject"), "JObject"
)
OBJECT_TYPE.static("FromObject", lambda run, o: made_of(run, o), "JObject")


def make_first(run: Run, target: JObject, content: Any) -> None:
    """``AddFirst``."""
    object_add(run, target, content)
    items = list(target.members.items())
    target.members = dict([items[-1], *items[:-1]])


ARRAY_TYPE: Final = ClrType("JArray", "Newtonsoft.Json.Linq.JArray", JArray, base=CONTAINER)


def make_array(run: Run, *content: Any) -> JArray:
    """``new JArray()``, of items or of a sequence; another JArray is copied."""
    made = JArray()
    for each in content:
        many = not isinstance(each, str | JToken | bytearray) and each is not None
        if many and (isinstance(each, list | Sequence)):
            for item in linq_results.walked(run, each):
                made.add(attachable(run, made, item))
        elif isinstance(each, JArray) and len(content) == 1:
            for item in each.items:
                made.add(attachable(run, made, item))
        else:
            made.add(attachable(run, made, each))
    return made


def array_add(run: Run, target: JArray, item: Any) -> None:
    """``Add``."""
    target.add(attachable(run, target, item))


def array_remove(target: JArray, item: Any = None) -> bool:
    """``Remove(item)``, or the array itself."""
    if item is None:
        target.remove()
        return True
    at = target.index(item)
    if at >= 0:
        del target.items[at]
    return at >= 0


def array_remove_at(target: JArray, index: int) -> None:
    """``RemoveAt``."""
    if not 0 <= index < len(target.items):
        raise out_of_range("index", "Index is equal to or greater than Count.")
    del target.items[index]


ARRAY_TYPE.constructed_by(make_array)
ARRAY_TYPE.property("Count", lambda a: len(a.items), "int")
ARRAY_TYPE.method("Add", array_add)
ARRAY_TYPE.method("AddFirst", lambda run, a, content: a.insert(0, attachable(run, a, content)))
ARRAY_TYPE.method("Insert", lambda run, a, index, item: a.insert(index, attachable(run, a, item)))
ARRAY_TYPE.method("Remove", array_remove, "bool")
ARRAY_TYPE.method("RemoveAt", array_remove_at)
ARRAY_TYPE.method("RemoveAll", lambda a: a.items.clear())
ARRAY_TYPE.method("Clear", lambda a: a.items.clear())
ARRAY_TYPE.method("Contains", lambda array, item: array.index(item) >= 0, "bool")
ARRAY_TYPE.method("IndexOf", lambda array, item: array.index(item), "int")
ARRAY_TYPE.method("Merge", merge)
ARRAY_TYPE.method("DeepClone", charged_copy, "JToken")
ARRAY_TYPE.static(
    "Parse", lambda run, json, settings=None: _parse_as(run, json, JArray, "JArray"), "JArray"
)
ARRAY_TYPE.static("FromObject", lambda run, o: made_of(run, o), "JArray")


def set_value(run: Run, target: JValue | JProperty, new: Any) -> None:
    """``token.Value = new``."""
    if isinstance(target, JProperty):
        target.content = adopt(target, attachable(run, target, new))
    else:
        target.value = new
        target.kind = kind_of(new)


def make_property(run: Run, name: str, *content: Any) -> JProperty:
    """``new JProperty(name, value)``; several values make an array."""
    return JProperty(name, *[attachable(run, None, each) for each in content])


PROPERTY: Final = ClrType("JProperty", "Newtonsoft.Json.Linq.JProperty", JProperty, base=CONTAINER)
PROPERTY.constructed_by(make_property)
PROPERTY.property("Name", lambda p: p.name, "string")
PROPERTY.property("Value", lambda p: p.content, "JToken")
PROPERTY.setter("Value", set_value)
VALUE: Final = ClrType("JValue", "Newtonsoft.Json.Linq.JValue", JValue, base=TOKEN)
VALUE.constructed_by(lambda value: JValue(value.value if isinstance(value, JValue) else value))
VALUE.property("Value", lambda v: v.value, "object")
VALUE.setter("Value", set_value)
VALUE.static("CreateNull", lambda: JValue(None), "JValue")
VALUE.static("CreateString", JValue, "JValue")


alias("IJEnumerable", TOKEN)
