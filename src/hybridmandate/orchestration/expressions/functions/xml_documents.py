"""XML: ``xml`` and ``xpath``.

Documents are parsed without entities or network; their text is written as .NET writes it.
"""

from __future__ import annotations

from typing import Any

from lxml import etree

from hybridmandate.orchestration.expressions.bounds import Frame
from hybridmandate.orchestration.expressions.dotnet.xml_json import document_of, json_of
from hybridmandate.orchestration.expressions.dotnet.xml_tree import (
    document_text,
    element_text,
    parse_xml,
)
from hybridmandate.orchestration.expressions.errors import FunctionFault
from hybridmandate.orchestration.expressions.functions.xpath_cost import admit
from hybridmandate.orchestration.expressions.registry import Family, required
from hybridmandate.orchestration.expressions.values import (
    ANY,
    NULL,
    OBJECT,
    TEXT,
    content,
    content_bytes,
    content_text,
    is_content,
)

conversion = Family("Conversion")
manipulation = Family("Manipulation: XML")
XML_TYPE = "application/xml;charset=utf-8"


@conversion.function(
    "xml",
    required("value", TEXT | OBJECT),
    example="string(xml('<name>Ada</name>'))",
    gives="<name>Ada</name>",
)
def xml(frame: Frame, value: Any) -> dict[str, Any]:
    """The XML content object of a text, or of an object that has one root property.

    A content object keeps its bytes and is XML from then on.
    """
    if is_content(value):
        return content(XML_TYPE, content_bytes(value))
    document = parse_xml(value) if isinstance(value, str) else document_of(value)
    return _content(frame, document_text(document))


@manipulation.function(
    "xpath",
    required("xml", ANY - NULL),
    required("xpath", TEXT),
    example="xpath(xml('<r><a>1</a><a>2</a></r>'), 'sum(/r/a)')",
    gives=3.0,
)
def xpath(frame: Frame, value: Any, path: str) -> Any:
    """What an XPath 1.0 expression selects: a value, or an array of texts or XML nodes."""
    if not is_content(value):
        raise FunctionFault("The value is not XML", argument=1, expected="XML", value=value)
    text = element_text(parse_xml(content_text(value)).root)
    root = etree.fromstring(text, etree.XMLParser(resolve_entities=False, no_network=True))
    admit(root, path)
    try:
        found = etree.XPath(path, regexp=False, smart_strings=False)(root.getroottree())
    except (etree.XPathError, ValueError) as wrong:
        raise FunctionFault(
            f"The XPath expression is not valid: {str(wrong)[:200]}",
            argument=2,
            expected="an XPath 1.0 expression",
            value=path,
        ) from wrong
    if isinstance(found, list):
        frame.spend(len(found))
        return [_node(frame, each) for each in found]
    return found


def _node(frame: Frame, found: Any) -> Any:
    if isinstance(found, etree._Element) and isinstance(found.tag, str):
        text = etree.tostring(found, with_tail=False, encoding="unicode")
        return _content(frame, element_text(parse_xml(text).root))
    if isinstance(found, etree._Element):
        return found.text
    if isinstance(found, tuple):
        return str(found[1])
    return str(found)


def _content(frame: Frame, text: str) -> dict[str, Any]:
    frame.spend(len(text) // 16)
    return content(XML_TYPE, text.encode("utf-8"))


def is_xml(value: dict[str, Any]) -> bool:
    """Whether a content object says that it is XML."""
    kind = str(value["$content-type"]).partition(";")[0].strip().lower()
    return kind in ("application/xml", "text/xml") or kind.endswith("+xml")


def json_of_xml(frame: Frame, text: str) -> dict[str, Any]:
    """The JSON form of a document. :raises FunctionFault: when the text is not XML."""
    frame.spend(len(text) // 16)
    return json_of(parse_xml(text))
