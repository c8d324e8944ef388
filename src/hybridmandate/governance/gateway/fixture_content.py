"""Bodies that fit an expression: JSON, XML or form made of the names that the expression reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

_NAME = r'"[A-Za-z_@#][\w.@:/$-]{0,60}"'
_CHAIN = re.compile(rf"(?:\s*\)*\s*\[\s*(?:{_NAME}|\d{{1,2}})\s*\])+")
_OF_CONTEXT = ("Variables", "MatchedParameters", "Headers", "Query", "Claims")
_STEP = re.compile(rf"\[\s*({_NAME}|\d{{1,2}})\s*\]")
_SELECTED = re.compile(r'SelectTokens?\(\s*"\$?\.?([\w.\[\]]+)"\s*\)(\s*\.ToObject<JArray>|)')
_LISTED = re.compile(
    rf'(?:\bin\s|JArray\)|Value<JArray>|ToObject<JArray>|First|Where|Select|Count)[^"\n;]{{0,60}}({_NAME})'
    rf"|({_NAME})\s*\]?\s*\)*\s*\.(?:Select|Where|First|Any|Count|Children)"
)
_XPATH = re.compile(r'"/{1,2}([\w/:]+)"')
_XML_TYPES = re.compile(r"XElement|XDocument|XmlDocument|XNode")
_XML_NAME = re.compile(r"[A-Za-z_][\w-]*")
_MOST_KEYS = 6
_DEPTH = 3


def bodies(leaf: Any, keys: list[str], text: str) -> Iterator[bytes]:
    """Bodies from the likeliest to the plainest; ``leaf`` stands where an expression ends."""
    if _XML_TYPES.search(text):
        yield from _xml_bodies(leaf, keys, text)
    if "AsFormUrlEncodedContent" in text:
        yield urlencode(dict.fromkeys(keys, leaf)).encode()
    names = [each for each in keys if not each.startswith(("application/", "http"))][:_MOST_KEYS]
    flat = _nested(leaf, names, 1)
    tree = _tree(leaf, text, dict.fromkeys(keys, leaf))
    shapes = [
        tree,
        flat,
        [flat],
        _nested(leaf, names, 2),
        _nested(leaf, names, _DEPTH),
        [_nested(leaf, names, _DEPTH)],
        {name: [_nested(leaf, names, 2)] for name in names},
        {},
    ]
    for shape in shapes:
        yield json.dumps(shape).encode()
    yield str(leaf).encode()


def _nested(leaf: Any, names: list[str], depth: int) -> Any:
    """Every name at every level, so that any path of them leads somewhere."""
    if depth == 0 or not names:
        return leaf
    return {name: _nested(leaf, names, depth - 1) for name in names}


def _tree(leaf: Any, text: str, items: dict[str, Any]) -> Any:
    """An object with exactly the paths that the text walks along.

    What the text goes through as a list is a list of ``items``, objects of all its names.
    """
    root: dict[str, Any] = {}
    for chain in _CHAIN.finditer(text):
        parts = [_part(step) for step in _STEP.findall(chain[0])]
        of_context = text[: chain.start()].endswith(_OF_CONTEXT)
        _plant(root, parts[1:] if of_context else parts, leaf)
    for path, listed in _SELECTED.findall(text):
        parts = [_part(each) for each in re.findall(r"\w+", path)]
        _plant(root, parts, [items] if listed else leaf)
    for found in _LISTED.findall(text):
        name = _part(found[0] or found[1])
        if not isinstance(root.get(name), dict | list):
            root[name] = [items]
    for name, value in items.items():
        root.setdefault(name, value)
    return root


def _part(step: str) -> Any:
    return int(step) if step.isdigit() else step.strip('"')


def _plant(node: Any, parts: list[Any], leaf: Any) -> None:
    for index, part in enumerate(parts):
        last = index + 1 == len(parts)
        value: Any = leaf if last else [] if isinstance(parts[index + 1], int) else {}
        if isinstance(part, int):
            if not isinstance(node, list):
                return
            while len(node) <= part:
                node.append(value)
        elif not isinstance(node, dict):
            return
        elif part not in node or (not last and not isinstance(node[part], dict | list)):
            node[part] = value
        node = node[part]


def _xml_bodies(leaf: Any, keys: list[str], text: str) -> Iterator[bytes]:
    paths = [each.split("/") for each in _XPATH.findall(text)]
    if paths:
        yield _xml_of_paths(paths, str(leaf))
    names = [each for each in keys if _XML_NAME.fullmatch(each)][:4]
    inner = str(leaf)
    for name in reversed(names):
        inner = f"<{name}>{inner}</{name}>"
    yield f"<root>{inner}</root>".encode()
    yield f"<root>{_xml_nested(str(leaf), names, _DEPTH)}</root>".encode()


def _xml_nested(leaf: str, names: list[str], depth: int) -> str:
    if depth == 0 or not names:
        return leaf
    inner = _xml_nested(leaf, names, depth - 1)
    return "".join(f"<{name}>{inner}</{name}>" for name in names)


def _xml_of_paths(paths: list[list[str]], leaf: str) -> bytes:
    root: dict[str, Any] = {}
    for path in paths:
        node = root
        for name in path:
            node = node.setdefault(name, {})

    def written(node: dict[str, Any]) -> str:
        return "".join(f"<{n}>{written(inner) or leaf}</{n}>" for n, inner in node.items())

    found = written(root)
    return (found if len(root) == 1 else f"<root>{found}</root>").encode()
