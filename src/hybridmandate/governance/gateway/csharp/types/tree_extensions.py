"""Extension methods on sequences of nodes: what every node of the sequence gives, in one row.

Source: Newtonsoft.Json.Linq.Extensions (www.newtonsoft.com/json/help), System.Xml.Linq.Extensions
(learn.microsoft.com). Both have methods of the same name, so the node itself is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.collections import Sequence
from hybridmandate.governance.gateway.csharp.failures import ExpressionFailure
from hybridmandate.governance.gateway.csharp.json_tokens import JProperty, JToken, JValue
from hybridmandate.governance.gateway.csharp.types.containers import ARRAY, LIST, SEQUENCE
from hybridmandate.governance.gateway.csharp.types.json_types import convert_token
from hybridmandate.governance.gateway.csharp.types.linq_results import materialized, walked
from hybridmandate.governance.gateway.csharp.types.table import (
    OBJECT,
    ClrType,
    Run,
    full_name_of,
    type_of,
)

_JSON: Final = (
    "Ancestors", "AncestorsAndSelf", "Children", "Descendants", "DescendantsAndSelf", "Properties",
)  # fmt: skip
_XML: Final = (
    "Ancestors", "AncestorsAndSelf", "Attributes", "DescendantNodes", "DescendantNodesAndSelf",
    "Descendants", "DescendantsAndSelf", "Elements", "Nodes",
)  # fmt: skip


def _asked(run: Run, node: Any, name: str, arguments: tuple[Any, ...]) -> Any:
    method = type_of(node).find_method(name)
    if method is None:
        raise ExpressionFailure(
            f"'{full_name_of(node)}' does not contain a definition for '{name}'",
            "RuntimeBinderException",
        )
    leading = (run, node) if method.wants_run else (node,)
    return method.call(*leading, *arguments)


def of_each(name: str) -> Callable[..., Sequence]:
    """The method that joins what ``name`` gives for each node."""

    def run_each(run: Run, source: Any, *arguments: Any) -> Sequence:
        return Sequence(
            lambda: (
                found
                for node in walked(run, source)
                for found in walked(run, _asked(run, node, name, arguments))
            )
        )

    return run_each


def values(run: Run, source: Any, key: Any = None, *, types: tuple[str, ...] = ("JToken",)) -> Any:
    """``Values<T>()`` and ``Values<T>(key)``: those of every token."""

    def of_token(token: JToken) -> Iterator[JToken | None]:
        if key is not None:
            return iter((token.get(key),))
        if isinstance(token, JValue):
            return iter((token,))
        return (x.content if isinstance(x, JProperty) else x for x in token.clr_items())

    return Sequence(
        lambda: (
            convert_token(found, types[0])
            for token in walked(run, source)
            for found in of_token(token)
        )
    )


def in_document_order(run: Run, source: Any) -> Sequence:
    """``InDocumentOrder`` of nodes of one document."""

    def make() -> Iterator[Any]:
        nodes = materialized(run, source)
        root = nodes[0].raw.getroottree() if nodes else None
        places = {} if root is None else {raw: at for at, raw in enumerate(root.iter())}
        run.budget.step(len(places))
        return iter(sorted(nodes, key=lambda node: places.get(node.raw, 0)))

    return Sequence(make)


def remove_each(run: Run, source: Any) -> None:
    """``Remove``: takes every node or attribute out of what it stands in."""
    for node in materialized(run, source):
        _asked(run, node, "Remove", ())


_JSON_EXTENSIONS: Final = ClrType("JsonExtensions", "Newtonsoft.Json.Linq.Extensions", base=OBJECT)
_XML_EXTENSIONS: Final = ClrType("XmlExtensions", "System.Xml.Linq.Extensions", base=OBJECT)
for _names, _static, _element in (
    (_JSON, _JSON_EXTENSIONS, "JToken"), (_XML, _XML_EXTENSIONS, "XElement"),
):  # fmt: skip
    for _name in _names:
        _static.static(_name, of_each(_name), f"IEnumerable<{_element}>")
for _name in dict.fromkeys((*_JSON, *_XML)):
    _kind = "IEnumerable" if _name in _JSON or "Node" in _name else "IEnumerable<XElement>"
    for _made in (SEQUENCE, LIST, ARRAY):
        _made.method(
            _name, of_each(_name), "IEnumerable<XAttribute>" if _name == "Attributes" else _kind
        )
_JSON_EXTENSIONS.static("Values", values, "IEnumerable")
_JSON_EXTENSIONS.static("AsJEnumerable", lambda source: source, "IEnumerable<JToken>")
_JSON_EXTENSIONS.static(
    "Value", lambda value, *, types=("JToken",): convert_token(value, types[0]), "T"
)
_XML_EXTENSIONS.static("InDocumentOrder", in_document_order, "IEnumerable<XElement>")
_XML_EXTENSIONS.static("Remove", remove_each)
for _made in (SEQUENCE, LIST, ARRAY):
    _made.method("Values", values, "IEnumerable")
    _made.method("AsJEnumerable", lambda source: source, "IEnumerable<JToken>")
    _made.method("InDocumentOrder", in_document_order, "IEnumerable<XElement>")
for _made in (SEQUENCE, ARRAY):
    _made.method("Remove", remove_each)
