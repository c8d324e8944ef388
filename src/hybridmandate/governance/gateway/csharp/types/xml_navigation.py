"""Members of XElement that walk the tree or change it, and XDeclaration.

Source: learn.microsoft.com, System.Xml.Linq (XNode, XContainer, XElement, Extensions).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from hybridmandate.governance.gateway.csharp.collections import Array
from hybridmandate.governance.gateway.csharp.text import as_text
from hybridmandate.governance.gateway.csharp.types.table import (
    OBJECT,
    ClrType,
    Run,
    enumeration,
)
from hybridmandate.governance.gateway.csharp.types.xml_types import (
    CONTAINER,
    DOCUMENT,
    ELEMENT,
    NODE,
    Document,
    Element,
    Node,
    Space,
    add_content,
    attributes,
    child,
    make_element,
    remove,
    set_text,
)

NODE_TYPE: Final = enumeration(
    "XmlNodeType", "System.Xml.XmlNodeType",
    {"None": 0, "Element": 1, "Attribute": 2, "Text": 3, "CDATA": 4, "ProcessingInstruction": 7,
     "Comment": 8, "Document": 9, "Whitespace": 13, "EndElement": 15, "XmlDeclaration": 17,
     "EntityReference": 5, "Entity": 6, "DocumentType": 10, "DocumentFragment": 11,
     "Notation": 12, "SignificantWhitespace": 14, "EndEntity": 16},
)  # fmt: skip


class Declaration:
    """System.Xml.Linq.XDeclaration."""

    __slots__ = ("encoding", "standalone", "version")

    def __init__(self, version: Any, encoding: Any, standalone: Any) -> None:
        self.version = version
        self.encoding = encoding
        self.standalone = standalone

    def clr_text(self) -> str:
        """``<?xml …?>``."""
        parts = (("version", self.version), ("encoding", self.encoding))
        said = "".join(f' {name}="{value}"' for name, value in parts if value is not None)
        alone = f' standalone="{self.standalone}"' if self.standalone is not None else ""
        return f"<?xml{said}{alone}?>"


def _named(found: Iterator[Any], name: Any) -> Array:
    wanted = None if name is None else as_text(name)
    kept = [Element(x) for x in found if isinstance(x.tag, str) and wanted in (None, x.tag)]
    return Array(kept, "XElement")


def ancestors(node: Node, name: Any = None) -> Array:
    """``Ancestors``, the nearest first."""
    return _named(node.raw.iterancestors(), name)


def ancestors_and_self(node: Node, name: Any = None) -> Array:
    """``AncestorsAndSelf``."""
    return _named(iter([node.raw, *node.raw.iterancestors()]), name)


def beside(node: Node, name: Any = None, *, preceding: bool) -> Array:
    """``ElementsAfterSelf`` and ``ElementsBeforeSelf``, in document order."""
    found = list(node.raw.itersiblings(preceding=preceding))
    return _named(iter(found[::-1] if preceding else found), name)


def remove_nodes(node: Node) -> None:
    """``RemoveNodes``: all content, the attributes stay."""
    for inner in list(node.raw):
        node.raw.remove(inner)
    node.raw.text = None


def remove_all(node: Node) -> None:
    """``RemoveAll``: content and attributes."""
    remove_nodes(node)
    node.raw.attrib.clear()


def replace_nodes(run: Run, node: Node, *content: Any) -> None:
    """``ReplaceNodes``."""
    remove_nodes(node)
    add_content(run, node, *content)


def replace_all(run: Run, node: Node, *content: Any) -> None:
    """``ReplaceAll``: content and attributes."""
    remove_all(node)
    add_content(run, node, *content)


def replace_with(run: Run, node: Node, content: Any) -> None:
    """``ReplaceWith``: another element in the place of this one."""
    parent = node.raw.getparent()
    place = parent.index(node.raw)
    remove(Element(node.raw))
    parent.insert(place, make_element(run, content).raw)


def set_element_value(run: Run, node: Node, name: Any, value: Any) -> None:
    """``SetElementValue``: changes, adds or (null) removes the first child of that name."""
    found = child(node, name)
    if value is None:
        if found is not None:
            remove(found)
    elif found is not None:
        set_text(found, value)
    else:
        add_content(run, node, make_element(run, name, value))


def set_name(node: Node, name: Any) -> None:
    """``element.Name = …``."""
    node.raw.tag = as_text(name)


def prefix_space(node: Node, prefix: str) -> Space | None:
    """``GetNamespaceOfPrefix``."""
    uri = node.raw.nsmap.get(prefix)
    return None if uri is None else Space(uri)


def declaration(document: Document) -> Any:
    """``Declaration`` of a document; null when it had none."""
    if document.raw is None or document.declared is not None:
        return document.declared
    info = document.raw.getroottree().docinfo
    return Declaration(info.xml_version, info.encoding, None) if info.xml_version else None


for _name, _preceding in (("ElementsAfterSelf", False), ("ElementsBeforeSelf", True)):
    ELEMENT.method(
        _name,
        lambda e, name=None, p=_preceding: beside(e, name, preceding=p),
        "IEnumerable<XElement>",
    )
NODE.method("Ancestors", ancestors, "IEnumerable<XElement>")
ELEMENT.method("AncestorsAndSelf", ancestors_and_self, "IEnumerable<XElement>")
NODE.property("Document", lambda n: Document(n.raw.getroottree().getroot()), "XDocument")
NODE.method("ReplaceWith", replace_with)
CONTAINER.method("RemoveNodes", remove_nodes)
CONTAINER.method("ReplaceNodes", replace_nodes)
ELEMENT.method("RemoveAll", remove_all)
ELEMENT.method("RemoveAttributes", lambda e: e.raw.attrib.clear())
ELEMENT.method("ReplaceAll", replace_all)
ELEMENT.method("SetElementValue", set_element_value)
ELEMENT.method("GetNamespaceOfPrefix", prefix_space, "XNamespace")
ELEMENT.method(
    "GetPrefixOfNamespace",
    lambda e, space: next((p for p, uri in e.raw.nsmap.items() if uri == as_text(space)), None),
    "string",
)
ELEMENT.property("LastAttribute", lambda e: next(reversed(attributes(e)), None), "XAttribute")
ELEMENT.setter("Name", set_name)

DECLARATION: Final = ClrType(
    "XDeclaration", "System.Xml.Linq.XDeclaration", Declaration, base=OBJECT
)
DECLARATION.constructed_by(Declaration)
DECLARATION.property("Version", lambda d: d.version, "string")
DECLARATION.property("Encoding", lambda d: d.encoding, "string")
DECLARATION.property("Standalone", lambda d: d.standalone, "string")
DOCUMENT.property("Declaration", declaration, "XDeclaration")
DOCUMENT.setter("Declaration", lambda document, value: setattr(document, "declared", value))
