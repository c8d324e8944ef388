"""XML: ``xml``, ``xpath`` and the JSON form of documents (Newtonsoft's convention).

Documents are parsed without entities, document types or network. Attributes are ``@name``, text
beside other nodes ``#text``, CDATA ``#cdata-section``; names that repeat become arrays.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from lxml import etree

from hybridmandate.orchestration.expressions.bounds import Frame
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
    is_content,
    number_text,
)

conversion = Family("Conversion")
manipulation = Family("Manipulation: XML")
XML_TYPE = "application/xml;charset=utf-8"
_DEEPEST = 100


@conversion.function(
    "xml",
    required("value", TEXT | OBJECT),
    example="string(xml('<name>Ada</name>'))",
    gives="<name>Ada</name>",
)
def xml(frame: Frame, value: Any) -> dict[str, Any]:
    """The XML content object of a text, or of an object that has one root property."""
    if is_content(value):
        return content(XML_TYPE, etree.tostring(_document(content_bytes(value)).getroottree()))
    if isinstance(value, str):
        _document(value.encode("utf-8"))
        return content(XML_TYPE, value.encode("utf-8"))
    if len(value) != 1:
        raise FunctionFault(
            "The object must have exactly one property, the root element",
            argument=1,
            expected="an object with one property",
            value=value,
        )
    ((name, inner),) = value.items()
    root = _element(frame, name, inner, {}, 0)
    return content(XML_TYPE, etree.tostring(root, encoding="unicode").encode("utf-8"))


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
    root = _document(content_bytes(value))
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
        return [_node(each) for each in found]
    return found


def _node(found: Any) -> Any:
    if isinstance(found, etree._Element):
        text = etree.tostring(found, with_tail=False, encoding="unicode")
        return content(XML_TYPE, text.encode("utf-8"))
    if isinstance(found, tuple):
        return str(found[1])
    return str(found)


def is_xml(value: dict[str, Any]) -> bool:
    """Whether a content object says that it is XML."""
    kind = str(value["$content-type"]).partition(";")[0].strip().lower()
    return kind in ("application/xml", "text/xml") or kind.endswith("+xml")


def _document(data: bytes) -> etree._Element:
    """The root of a document. :raises FunctionFault: when it is not XML, or has a DTD."""
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        dtd_validation=False,
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as wrong:
        raise FunctionFault(
            f"The value is not valid XML: {str(wrong)[:200]}",
            argument=1,
            expected="XML",
            value=data.decode("utf-8", "replace"),
        ) from wrong
    if root.getroottree().docinfo.internalDTD is not None:
        raise FunctionFault("A document type is not allowed in XML", argument=1, expected="XML")
    return root


# JSON → XML


def _element(
    frame: Frame, name: str, value: Any, names: dict[str | None, str], depth: int
) -> etree._Element:
    if depth > _DEEPEST:
        raise FunctionFault(f"The value is nested deeper than {_DEEPEST} levels", argument=1)
    frame.spend(1)
    attributes = _attributes(value)
    known = {**names, **_declared(attributes)}
    try:
        made = etree.Element(
            _qualified(name, known, default=True),
            nsmap=_new_names(known, names),
        )
        for key, text in attributes.items():
            if key != "xmlns" and not key.startswith("xmlns:"):
                made.set(_qualified(key, known, default=False), _plain(text))
        _fill(frame, made, value, known, depth)
    except ValueError as wrong:
        raise FunctionFault(f"'{name}' cannot be XML: {wrong}", argument=1) from wrong
    return made


def _new_names(known: dict[str | None, str], names: dict[str | None, str]) -> Any:
    """The prefixes that the parent has not; lxml's stubs do not know the default one (None)."""
    return {key: uri for key, uri in known.items() if names.get(key) != uri}


def _attributes(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {}
    return {key[1:]: each for key, each in value.items() if key.startswith("@")}


def _declared(attributes: dict[str, Any]) -> dict[str | None, str]:
    found: dict[str | None, str] = {}
    for key, uri in attributes.items():
        if key == "xmlns":
            found[None] = str(uri)
        elif key.startswith("xmlns:"):
            found[key[6:]] = str(uri)
    return found


def _qualified(name: str, names: dict[str | None, str], *, default: bool) -> str:
    prefix, colon, local = name.partition(":")
    if colon:
        if prefix not in names:
            raise ValueError(f"the prefix '{prefix}' is not declared")
        return f"{{{names[prefix]}}}{local}"
    return f"{{{names[None]}}}{name}" if default and None in names else name


def _fill(
    frame: Frame, made: etree._Element, value: Any, names: dict[str | None, str], depth: int
) -> None:
    if not isinstance(value, dict):
        if isinstance(value, list):
            raise ValueError("an array of arrays has no element names")
        text = _plain(value)
        if text:
            made.text = text
        return
    for key, each in value.items():
        if key.startswith("@"):
            continue
        if key in ("#text", "#cdata-section"):
            _append_text(made, "".join(map(_plain, each if isinstance(each, list) else [each])))
            continue
        for item in each if isinstance(each, list) else [each]:
            made.append(_element(frame, key, item, names, depth + 1))


def _append_text(made: etree._Element, text: str) -> None:
    if len(made):
        made[-1].tail = (made[-1].tail or "") + text
    else:
        made.text = (made.text or "") + text


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        return number_text(value)
    if isinstance(value, str):
        return value
    raise ValueError("text must be a plain value")


# XML → JSON


def json_of_xml(frame: Frame, text: str) -> dict[str, Any]:
    """The JSON form of a document. :raises FunctionFault: when the text is not XML."""
    root = _document(text.encode("utf-8"))
    declaration = _declaration(text)
    return {**declaration, _name(root): _value(frame, root, None, 0)}


def _declaration(text: str) -> dict[str, Any]:
    head = text.lstrip("\ufeff")
    if not head.startswith("<?xml") or "?>" not in head:
        return {}
    inner = head[5 : head.index("?>")]
    pairs = _document(f"<x{inner}/>".encode()).attrib
    return {"?xml": {f"@{_text(key)}": _text(each) for key, each in pairs.items()}}


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8")


def _name(node: etree._Element) -> str:
    local = etree.QName(node).localname
    return f"{node.prefix}:{local}" if node.prefix else local


def _value(
    frame: Frame, node: etree._Element, parent_names: dict[str | None, str] | None, depth: int
) -> Any:
    if depth > _DEEPEST:
        raise FunctionFault(f"The XML is nested deeper than {_DEEPEST} levels", argument=1)
    frame.spend(1)
    made: dict[str, Any] = {}
    for prefix, uri in node.nsmap.items():
        if (parent_names or {}).get(prefix) != uri:
            made[f"@xmlns:{prefix}" if prefix else "@xmlns"] = uri
    for key, each in node.attrib.items():
        made[f"@{_attribute_name(node, _text(key))}"] = _text(each)
    texts = [node.text] if node.text and node.text.strip() else []
    for child in node:
        if isinstance(child.tag, str):
            _add(made, _name(child), _value(frame, child, dict(node.nsmap), depth + 1))
        if child.tail and child.tail.strip():
            texts.append(child.tail)
    if not made:
        if not texts and not len(node):
            return node.text if node.text else None
        return texts[0] if len(texts) == 1 else (texts or None)
    for text in texts:
        _add(made, "#text", text)
    return made


def _attribute_name(node: etree._Element, key: str) -> str:
    name = etree.QName(key)
    if not name.namespace:
        return key
    prefix = next((p for p, uri in node.nsmap.items() if uri == name.namespace and p), None)
    if prefix is None and name.namespace == "http://www.w3.org/XML/1998/namespace":
        prefix = "xml"
    return f"{prefix}:{name.localname}" if prefix else name.localname


def _add(made: dict[str, Any], name: str, value: Any) -> None:
    if name not in made:
        made[name] = value
    elif isinstance(made[name], list):
        made[name].append(value)
    else:
        made[name] = [made[name], value]
