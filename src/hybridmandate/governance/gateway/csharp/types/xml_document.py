"""XmlDocument and the members that XElement shares with XmlNode.

Source: learn.microsoft.com, System.Xml.XmlDocument. The type is not on the list of allowed types,
but real policies use it (XPath over a body).
"""

from __future__ import annotations

from typing import Any, Final

from hybridmandate.governance.gateway.csharp.types.table import OBJECT, ClrType, Run
from hybridmandate.governance.gateway.csharp.types.xml_types import (
    CONTAINER,
    ELEMENT,
    Document,
    Element,
    Node,
    parse,
    select_node,
    select_nodes,
    set_text,
    write,
)


class XmlDocument(Document):
    """System.Xml.XmlDocument."""

    __slots__ = ()


def load_xml(run: Run, document: Document, text: str) -> None:
    """``LoadXml``."""
    document.raw = parse(run, text)


def set_inner_text(node: Node, value: Any) -> None:
    """``InnerText = …``."""
    set_text(node, value)


XML_NODE: Final = ClrType("XmlNode", "System.Xml.XmlNode", base=OBJECT)
XML: Final = ClrType("XmlDocument", "System.Xml.XmlDocument", XmlDocument, base=CONTAINER)
XML.constructed_by(lambda: XmlDocument(None))
XML.method("LoadXml", load_xml)
XML.property("DocumentElement", lambda d: None if d.raw is None else Element(d.raw), "XElement")
for _made in (XML, ELEMENT):
    _made.property("InnerText", lambda n: n.text, "string")
    _made.property("InnerXml", lambda n: "".join(write(x, indent=False) for x in n.raw), "string")
    _made.property("OuterXml", lambda n: write(n.raw, indent=False), "string")
    _made.method("SelectSingleNode", select_node, "XElement")
    _made.method("SelectNodes", select_nodes, "XElement[]")
    _made.setter("InnerText", set_inner_text)
