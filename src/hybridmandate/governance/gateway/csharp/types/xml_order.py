"""The order of XML nodes in their document, and whether two are alike.

Source: learn.microsoft.com, System.Xml.Linq.XNode, XNodeDocumentOrderComparer and
XNodeEqualityComparer.
"""

from __future__ import annotations

from typing import Any, Final

from hybridmandate.governance.gateway.csharp.failures import invalid_operation
from hybridmandate.governance.gateway.csharp.types.basics import hash_code
from hybridmandate.governance.gateway.csharp.types.table import OBJECT, ClrType
from hybridmandate.governance.gateway.csharp.types.xml_nodes import (
    Text,
    descendant_nodes,
    nodes,
    same_place,
)
from hybridmandate.governance.gateway.csharp.types.xml_types import (
    NODE,
    Document,
    Element,
    Leaf,
    Node,
    to_text,
)


def deep_equal(a: Any, b: Any) -> bool:
    """``XNode.DeepEquals``: names, attributes in any order, and content."""
    if a is None or b is None:
        return a is b
    if isinstance(a, Leaf) or isinstance(b, Leaf):
        return type(a) is type(b) and a.text == b.text
    if isinstance(a, Document) != isinstance(b, Document):
        return False
    if isinstance(a, Element) and (a.raw.tag, dict(a.raw.attrib)) != (
        b.raw.tag,
        dict(b.raw.attrib),
    ):
        return False
    mine, theirs = list(nodes(a)), list(nodes(b))
    return len(mine) == len(theirs) and all(map(deep_equal, mine, theirs))


def document_order(a: Any, b: Any) -> int:
    """``CompareDocumentOrder``. :raises ExpressionFailure: for nodes of different trees."""
    if a is None or b is None:
        return (a is not None) - (b is not None)
    if same_place(a, b):
        return 0
    root = Document(_tree_of(a).getroot())
    if _tree_of(b).getroot() is not root.raw:
        raise invalid_operation("A common ancestor is missing.")
    first = next(
        each for each in descendant_nodes(root) if same_place(each, a) or same_place(each, b)
    )
    return -1 if same_place(first, a) else 1


def _tree_of(node: Node) -> Any:
    return (node.owner if isinstance(node, Text) else node.raw).getroottree()


class OrderComparer:
    """System.Xml.Linq.XNodeDocumentOrderComparer."""

    __slots__ = ()


class EqualityComparer:
    """System.Xml.Linq.XNodeEqualityComparer."""

    __slots__ = ()


ORDER: Final = ClrType(
    "XNodeDocumentOrderComparer", "System.Xml.Linq.XNodeDocumentOrderComparer", OrderComparer,
    base=OBJECT,
)  # fmt: skip
ORDER.constructed_by(OrderComparer)
ORDER.method("Compare", lambda c, x, y: document_order(x, y), "int")
EQUALITY: Final = ClrType(
    "XNodeEqualityComparer", "System.Xml.Linq.XNodeEqualityComparer", EqualityComparer, base=OBJECT
)
EQUALITY.constructed_by(EqualityComparer)
EQUALITY.method("Equals", lambda c, x, y: deep_equal(x, y), "bool")
EQUALITY.method("GetHashCode", lambda c, node: hash_code(to_text(node)), "int")
NODE.constant("DocumentOrderComparer", OrderComparer(), "XNodeDocumentOrderComparer")
NODE.constant("EqualityComparer", EqualityComparer(), "XNodeEqualityComparer")
NODE.method("IsAfter", lambda n, other: document_order(n, other) > 0, "bool")
NODE.method("IsBefore", lambda n, other: document_order(n, other) < 0, "bool")
NODE.static("DeepEquals", deep_equal, "bool")
NODE.static("CompareDocumentOrder", document_order, "int")
