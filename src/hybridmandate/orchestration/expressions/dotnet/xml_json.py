"""XML as JSON and back, by the rules of Newtonsoft's ``XmlNodeConverter``.

Attributes are ``@name``, text beside other nodes ``#text``, CDATA ``#cdata-section``; nodes of one
name become an array where the first of them stands; ``?xml`` and ``!DOCTYPE`` are what comes before
the root.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hybridmandate.orchestration.expressions.dotnet.xml_tree import (
    DEEPEST,
    Document,
    Element,
    Piece,
    encoded_name,
    is_declaration,
)
from hybridmandate.orchestration.expressions.errors import FunctionFault
from hybridmandate.orchestration.expressions.values import number_text

_NO_VALUE = object()
_BEFORE_ROOT = frozenset({"?xml", "!DOCTYPE"})


def json_of(document: Document) -> dict[str, Any]:
    """The JSON form of a document.

    :raises FunctionFault: when it names an encoding that its text cannot have.
    """
    document_root = document.root
    _check_encoding(document.declaration.get("@encoding", "utf-8"))
    made: dict[str, Any] = {}
    if document.declaration:
        made["?xml"] = dict(document.declaration)
    if document.doctype:
        made["!DOCTYPE"] = dict(document.doctype)
    made.update(_grouped(document.children))
    made.setdefault(document_root.name, None)
    return made


def _check_encoding(name: str) -> None:
    try:
        known = codecs.lookup(name).name
    except LookupError:
        known = ""
    if not known or known.startswith(("utf-16", "utf-32")):
        raise FunctionFault(f"'{name}' is not a supported encoding", argument=1)


def _grouped(nodes: list[Element | Piece]) -> dict[str, Any]:
    groups: dict[str, list[Any]] = {}
    for node in nodes:
        name = node.name if isinstance(node, Element) else node.kind
        groups.setdefault(name, []).append(_node_value(node))
    made = {}
    for name, values in groups.items():
        shown = [each for each in values if each is not _NO_VALUE]
        if len(values) > 1:
            made[name] = shown
        elif shown:
            made[name] = shown[0]
    return made


def _node_value(node: Element | Piece) -> Any:
    """The value of a node; a comment has none, though several of them leave an empty array."""
    if isinstance(node, Piece):
        return _NO_VALUE if node.kind == "#comment" else node.text
    attributes, children = node.attributes, node.children
    if len(children) == 1 and not any(map(_is_value, attributes)):
        (only,) = children
        if isinstance(only, Piece) and only.kind == "#text" and not attributes:
            return only.text
    if not children and not attributes:
        return None if node.closed else ""
    return {**{f"@{key}": text for key, text in attributes.items()}, **_grouped(children)}


def _is_value(attribute: str) -> bool:
    return not is_declaration(attribute)


def document_of(value: Mapping[str, Any]) -> Document:
    """The document of an object with one root property, beside ``?xml`` and ``!DOCTYPE``.

    :raises FunctionFault: when the object is no document.
    """
    document = Document()
    roots = {key: each for key, each in value.items() if key not in _BEFORE_ROOT}
    if len(roots) > 1:
        raise FunctionFault(
            "The object must have exactly one property, the root element",
            argument=1,
            expected="an object with one property",
            value=value,
        )
    document.declaration = _texts(value.get("?xml"))
    document.doctype = _texts(value.get("!DOCTYPE"))
    for name, inner in roots.items():
        if isinstance(inner, list):
            raise FunctionFault("An array cannot be the root element", argument=1, value=inner)
        document.children.append(_element(name, inner, frozenset(), 0))
    return document


def _texts(value: Any) -> dict[str, str]:
    return {key: str(text) for key, text in value.items()} if isinstance(value, dict) else {}


def _element(name: str, value: Any, prefixes: frozenset[str], depth: int) -> Element:
    if depth > DEEPEST:
        raise FunctionFault(f"The value is nested deeper than {DEEPEST} levels", argument=1)
    if isinstance(value, list):
        raise FunctionFault("An array of arrays has no element names", argument=1)
    inside = value if isinstance(value, dict) else {"#text": value}
    attributes = {key[1:]: text for key, text in inside.items() if key.startswith("@")}
    declared = {key[6:] for key in attributes if key.startswith("xmlns:")}
    known = prefixes | declared
    made = Element(_qualified(name, known), {}, closed=True)
    for key, text in attributes.items():
        attribute = key if is_declaration(key) else _qualified(key, known)
        made.attributes[attribute] = _plain(key, text)
    for key, each in inside.items():
        if not key.startswith("@"):
            _append(made, key, each, known, depth)
    return made


def _append(made: Element, key: str, value: Any, prefixes: frozenset[str], depth: int) -> None:
    for each in value if isinstance(value, list) else [value]:
        if key in ("#text", "#cdata-section", "#whitespace", "#significant-whitespace"):
            text = _plain(key, each)
            kind = key if key == "#cdata-section" else "#text"
            if text:
                made.children.append(Piece(kind, text))
        else:
            made.children.append(_element(key, each, prefixes, depth + 1))


def _qualified(name: str, prefixes: frozenset[str]) -> str:
    """The name of a node; a prefix that nothing declares is left away."""
    prefix, colon, local = name.partition(":")
    if not name or (colon and not local):
        raise FunctionFault(f"'{name}' is no name of a node", argument=1)
    if not colon:
        return encoded_name(name)
    known = prefix in prefixes or prefix == "xml"
    return f"{encoded_name(prefix)}:{encoded_name(local)}" if known else encoded_name(local)


def _plain(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return number_text(value)
    if isinstance(value, str):
        return value
    raise FunctionFault(f"'{name}' must hold a plain value", argument=1, value=value)
