"""XDocument, XElement, XAttribute, XNamespace and XmlDocument over lxml, without DTDs.

Source: learn.microsoft.com, System.Xml.Linq. Entities are not resolved and the network is not used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lxml import etree

from hybridmandate.governance.gateway.csharp.collections import Array, Sequence
from hybridmandate.governance.gateway.csharp.conversions import head_of
from hybridmandate.governance.gateway.csharp.failures import (
    ExpressionFailure,
    argument,
    argument_null,
    invalid_cast,
    invalid_operation,
    null_reference,
)
from hybridmandate.governance.gateway.csharp.json_values import cast_value
from hybridmandate.governance.gateway.csharp.text import as_text
from hybridmandate.governance.gateway.csharp.types import linq, linq_results
from hybridmandate.governance.gateway.csharp.types.table import (
    OBJECT,
    ClrType,
    Run,
    enumeration,
    full_name_of,
)

MAX_XPATH: Final = 1024
XMLNS: Final = "http://www.w3.org/2000/xmlns/"
SAVE: Final = enumeration(
    "SaveOptions", "System.Xml.Linq.SaveOptions",
    {"None": 0, "DisableFormatting": 1, "OmitDuplicateNamespaces": 2},
)  # fmt: skip
LOAD: Final = enumeration(
    "LoadOptions", "System.Xml.Linq.LoadOptions", {"None": 0, "PreserveWhitespace": 1}
)


class Name:
    """System.Xml.Linq.XName."""

    __slots__ = ("full",)

    def __init__(self, full: str) -> None:
        self.full = full

    @property
    def local(self) -> str:
        """Without the namespace."""
        return self.full.rpartition("}")[2]

    @property
    def space(self) -> str:
        """The namespace, empty when there is none."""
        return self.full.rpartition("}")[0].removeprefix("{")

    def clr_text(self) -> str:
        """``{namespace}local``."""
        return self.full

    def __eq__(self, other: object) -> bool:
        return as_text(other) == self.full

    def __hash__(self) -> int:
        return hash(self.full)


class Space:
    """System.Xml.Linq.XNamespace; adding a local name gives a name."""

    __slots__ = ("uri",)

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def clr_text(self) -> str:
        """The URI."""
        return self.uri

    def clr_add(self, other: Any) -> Name:
        """The name in this namespace."""
        return Name(f"{{{self.uri}}}{other}" if self.uri else str(other))

    def __eq__(self, other: object) -> bool:
        return as_text(other) == self.uri

    def __hash__(self) -> int:
        return hash(self.uri)


class Node:
    """An element (or a document's root) of a tree; two are equal when they are the same node."""

    __slots__ = ("raw",)

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and other.raw is self.raw

    def __hash__(self) -> int:
        return hash(id(self.raw))

    @property
    def text(self) -> str:
        """All text in it."""
        return "".join(self.raw.itertext()) if self.raw is not None else ""

    def clr_text(self) -> str:
        """Indented XML."""
        return write(self.raw, indent=True)

    def clr_cast(self, target: str) -> Any:
        """The explicit conversion operators of XElement."""
        if head_of(target) == "string":
            return self.text
        return cast_value(self.text, "String", target)


class Element(Node):
    """System.Xml.Linq.XElement."""

    __slots__ = ()


class Document(Node):
    """System.Xml.Linq.XDocument, also XmlDocument; ``declared`` is its XDeclaration or None."""

    __slots__ = ("declared", "waiting")

    def __init__(self, raw: Any) -> None:
        super().__init__(raw)
        self.declared: Any = None
        self.waiting: list[Any] = []
        """Comments and instructions that wait for the root."""

    def clr_text(self) -> str:
        """Indented XML of all that stands in it, without the declaration."""
        return to_text(self)


class Leaf(Node):
    """A node without elements in it: a text, comment or processing instruction."""

    __slots__ = ()

    def add_to(self, node: Node) -> None:
        """Stand behind everything else in an element or document."""
        raise NotImplementedError


class Attribute:
    """System.Xml.Linq.XAttribute."""

    __slots__ = ("name", "owner", "value")

    def __init__(self, name: str, value: str, owner: Any = None) -> None:
        self.name = name
        self.value = value
        self.owner = owner

    @property
    def is_space(self) -> bool:
        """Whether it declares a namespace."""
        return self.name == "xmlns" or self.name.startswith(f"{{{XMLNS}}}")

    @property
    def prefix(self) -> str | None:
        """The prefix that it declares, None for the default namespace."""
        return None if self.name == "xmlns" else Name(self.name).local

    def clr_text(self) -> str:
        """``name="value"``."""
        return f'{Name(self.name).local}="{self.value}"'

    def clr_cast(self, target: str) -> Any:
        """The explicit conversion operators of XAttribute."""
        return (
            self.value if head_of(target) == "string" else cast_value(self.value, "String", target)
        )


def parse(run: Run, text: Any, options: Any = None) -> Any:
    """The root of a document, paid for by its length; blank text is kept only on demand.

    :raises ExpressionFailure: XmlException for what is no XML or has a DTD.
    """
    if text is None:
        raise argument_null("text")
    data = bytes(text) if isinstance(text, bytearray) else text.lstrip("\ufeff").encode()
    run.budget.allocate(10 * len(data))
    run.budget.step(1 + len(data) // 256)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False,
        remove_blank_text=options is None or options.label != "PreserveWhitespace",
        strip_cdata=False, encoding=None if isinstance(text, bytearray) else "utf-8",
    )  # fmt: skip
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ExpressionFailure(str(error), "XmlException") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise ExpressionFailure(
            "For security reasons DTD is prohibited in this XML document.", "XmlException"
        )
    return root


def write(raw: Any, *, indent: bool) -> str:
    """The text of an element."""
    if raw is None:
        return ""
    if indent and isinstance(raw.tag, str):
        shown = etree.fromstring(etree.tostring(raw, with_tail=False), copying())
        etree.indent(shown, "  ")
        raw = shown
    text = etree.tostring(raw, encoding="unicode", with_tail=False)
    return text.replace("/>", " />") if "/>" in text and ">/>" not in text else text


def _tag(name: Any) -> str:
    if name is None:
        raise argument_null("name")
    return as_text(name)


def _elements(raw: Any) -> Iterator[Any]:
    return iter(()) if raw is None else (x for x in raw if isinstance(x.tag, str))


def children(node: Node, name: Any = None) -> Array:
    """``Elements``."""
    if isinstance(node, Document):
        raws: Any = [node.raw] if node.raw is not None else []
    else:
        raws = _elements(node.raw)
    return Array([Element(x) for x in raws if name is None or x.tag == _tag(name)], "XElement")


def child(node: Node, name: Any) -> Element | None:
    """``Element``: the first child of that name."""
    return next(iter(children(node, name)), None)


def descendants(run: Run, node: Node, name: Any = None) -> Sequence:
    """``Descendants``."""

    def make() -> Iterator[Any]:
        for raw in () if node.raw is None else node.raw.iter():
            run.budget.step()
            own = raw is node.raw and not isinstance(node, Document)
            if not own and isinstance(raw.tag, str) and (name is None or raw.tag == _tag(name)):
                yield Element(raw)

    return Sequence(make)


def attribute(node: Node, name: Any) -> Attribute | None:
    """``Attribute``."""
    value = node.raw.get(_tag(name))
    return None if value is None else Attribute(_tag(name), value, node.raw)


def attributes(node: Node) -> Array:
    """``Attributes``."""
    return Array([Attribute(k, v, node.raw) for k, v in node.raw.attrib.items()], "XAttribute")


def add_content(run: Run, node: Node, *content: Any) -> None:
    """``Add``: elements, attributes, sequences and text."""
    for each in content:
        run.budget.allocate(128)
        if each is None:
            continue
        if isinstance(each, Document):
            raise argument("A document cannot be added to an element.")
        if isinstance(each, Leaf):
            each.add_to(node)
        elif isinstance(each, Element):
            _append(node, each.raw if each.raw.getparent() is None else copied(run, each.raw))
        elif isinstance(each, Attribute):
            set_namespaces_are_fixed(each)
            node.raw.set(each.name, each.value)
            each.owner = node.raw if each.owner is None else each.owner
        elif isinstance(each, list | Sequence):
            add_content(run, node, *linq_results.materialized(run, each))
        else:
            _append_text(node.raw, as_text(each))


def set_namespaces_are_fixed(given: Attribute) -> None:
    """Refuse a namespace declaration for an element that is there already."""
    if given.is_space:
        raise argument("Namespace declarations are given to 'new XElement' in policy expressions.")


def copied(run: Run, raw: Any) -> Any:
    run.budget.allocate(128 * sum(1 for _ in raw.iter()))
    return etree.fromstring(etree.tostring(raw, with_tail=False), copying())


def copying() -> Any:
    """What reads a copy of a tree at hand: CDATA sections stay such."""
    return etree.XMLParser(resolve_entities=False, no_network=True, strip_cdata=False)


def _append(node: Node, raw: Any) -> None:
    if isinstance(node, Document):
        if node.raw is not None:
            raise invalid_operation(
                "This operation would create an incorrectly structured document."
            )
        node.raw = raw
        for before in node.waiting:
            raw.addprevious(before)
        node.waiting.clear()
    else:
        node.raw.append(raw)


def _append_text(raw: Any, text: str) -> None:
    try:
        if len(raw):
            raw[-1].tail = (raw[-1].tail or "") + text
        else:
            raw.text = (raw.text or "") + text
    except ValueError as error:
        raise argument(str(error)) from None


def make_element(run: Run, name: Any, *content: Any) -> Element:
    """``new XElement(name, content…)``."""
    if isinstance(name, Element):
        return Element(copied(run, name.raw))
    spaces: Any = {a.prefix: a.value for a in content if isinstance(a, Attribute) and a.is_space}
    content = tuple(each for each in content if getattr(each, "is_space", False) is False)
    try:
        made = Element(etree.Element(_tag(name), nsmap=spaces or None))
    except ValueError as error:
        raise ExpressionFailure(str(error), "XmlException") from None
    add_content(run, made, *content)
    return made


def make_document(run: Run, *content: Any) -> Document:
    """``new XDocument(content…)``, with a declaration before it."""
    made = Document(None)
    declared = [each for each in content if hasattr(each, "standalone")]
    made.declared = declared[0] if declared else None
    add_content(run, made, *[each for each in content if each not in declared])
    return made


def set_text(node: Any, value: Any) -> None:
    """``element.Value = …`` and ``attribute.Value = …``."""
    text = as_text(value)
    if isinstance(node, Attribute):
        node.value = text
        if node.owner is not None:
            node.owner.set(node.name, text)
        return
    for inner in list(node.raw):
        node.raw.remove(inner)
    node.raw.text = text


def remove(node: Element) -> None:
    """``Remove``."""
    parent = node.raw.getparent()
    if parent is None:
        raise invalid_operation("The parent is missing.")
    parent.remove(node.raw)


def set_attribute(node: Node, name: Any, value: Any) -> None:
    """``SetAttributeValue``; null removes it."""
    if value is None:
        node.raw.attrib.pop(_tag(name), None)
    else:
        node.raw.set(_tag(name), as_text(value))


def to_text(node: Node, options: Any = None) -> str:
    """``ToString``."""
    indent = options is None or options.label == "None"
    if not isinstance(node, Document) or node.raw is None:
        return write(node.raw, indent=indent)
    before = reversed(list(node.raw.itersiblings(preceding=True)))
    parts = [write(raw, indent=indent) for raw in (*before, node.raw, *node.raw.itersiblings())]
    return ("\n" if indent else "").join(parts)


def select_nodes(run: Run, node: Node, path: str, *_: Any) -> Array:
    """``XPathSelectElements`` and ``SelectNodes``. :raises ExpressionFailure: XPathException."""
    if node.raw is None:
        raise null_reference()
    if len(path) > MAX_XPATH or path.count("//") + path.count("::") > 4:
        raise ExpressionFailure("The XPath expression is too complex.", "XPathException")
    size = sum(1 for _ in node.raw.getroottree().iter())
    run.budget.step(len(path) + size ** max(1, path.count("//") + path.count("::")))
    try:
        found = node.raw.xpath(path, smart_strings=False)
    except etree.XPathError as error:
        raise ExpressionFailure(
            f"'{path}' has an invalid token: {error}.", "XPathException"
        ) from None
    items = found if isinstance(found, list) else []
    return Array([Element(x) for x in items if not isinstance(x, str)], "XElement")


def select_node(run: Run, node: Node, path: str, *_: Any) -> Any:
    """The first of ``SelectNodes``, or null."""
    return next(iter(select_nodes(run, node, path)), None)


def _only_text(value: Any, target: str) -> str:
    if type(value) is str:
        return value
    raise invalid_cast(full_name_of(value), f"System.Xml.Linq.{target}")


NAME: Final = ClrType("XName", "System.Xml.Linq.XName", Name, base=OBJECT)
NAME.property("LocalName", lambda n: n.local, "string")
NAME.property("NamespaceName", lambda n: n.space, "string")
NAME.property("Namespace", lambda n: Space(n.space), "XNamespace")
NAME.static("Get", lambda name, space=None: Name(f"{{{space}}}{name}" if space else name), "XName")
NAME.cast = lambda value: Name(_only_text(value, "XName"))
SPACE: Final = ClrType("XNamespace", "System.Xml.Linq.XNamespace", Space, base=OBJECT)
SPACE.property("NamespaceName", lambda n: n.uri, "string")
SPACE.static("Get", Space, "XNamespace")
SPACE.constant("None", Space(""), "XNamespace")
SPACE.constant("Xmlns", Space(XMLNS), "XNamespace")
SPACE.constant("Xml", Space("http://www.w3.org/XML/1998/namespace"), "XNamespace")
SPACE.method("GetName", lambda space, local_name: space.clr_add(local_name), "XName")
SPACE.cast = lambda value: Space(_only_text(value, "XNamespace"))

ANY: Final = ClrType("XObject", "System.Xml.Linq.XObject", base=OBJECT)
NODE: Final = ClrType("XNode", "System.Xml.Linq.XNode", Node, base=ANY)
NODE.method("ToString", to_text, "string")
NODE.method("XPathSelectElement", select_node, "XElement")
NODE.method("XPathSelectElements", select_nodes, "IEnumerable<XElement>")
CONTAINER: Final = ClrType("XContainer", "System.Xml.Linq.XContainer", base=NODE)
for _made in (CONTAINER,):
    _made.method("Element", child, "XElement")
    _made.method("Elements", children, "IEnumerable<XElement>")
    _made.method("Descendants", descendants, "IEnumerable<XElement>")
    _made.method("Add", add_content)
ELEMENT: Final = ClrType("XElement", "System.Xml.Linq.XElement", Element, base=CONTAINER)
ELEMENT.constructed_by(make_element)
ELEMENT.property("Name", lambda e: Name(e.raw.tag), "XName")
ELEMENT.property("Value", lambda e: e.text, "string")
ELEMENT.setter("Value", set_text)
ELEMENT.property("HasElements", lambda e: any(True for _ in _elements(e.raw)), "bool")
ELEMENT.property("HasAttributes", lambda e: bool(e.raw.attrib), "bool")
ELEMENT.property("IsEmpty", lambda e: not len(e.raw) and not e.raw.text, "bool")
ELEMENT.property("FirstAttribute", lambda e: next(iter(attributes(e)), None), "XAttribute")
ELEMENT.method("Attribute", attribute, "XAttribute")
ELEMENT.method(
    "Attributes",
    lambda e, name=None: (
        attributes(e)
        if name is None
        else Array([a for a in attributes(e) if a.name == _tag(name)], "XAttribute")
    ),
    "IEnumerable<XAttribute>",
)
ELEMENT.method("SetAttributeValue", set_attribute)
ELEMENT.method("SetValue", set_text)
ELEMENT.method(
    "DescendantsAndSelf",
    lambda run, e, name=None: descendants(run, Document(e.raw), name),
    "IEnumerable<XElement>",
)
ELEMENT.method("GetDefaultNamespace", lambda e: Space(e.raw.nsmap.get(None, "")), "XNamespace")
ELEMENT.static(
    "Parse", lambda run, text, options=None: Element(parse(run, text, options)), "XElement"
)
DOCUMENT: Final = ClrType("XDocument", "System.Xml.Linq.XDocument", Document, base=CONTAINER)
DOCUMENT.constructed_by(make_document)
DOCUMENT.property("Root", lambda d: None if d.raw is None else Element(d.raw), "XElement")
DOCUMENT.static(
    "Parse", lambda run, text, options=None: Document(parse(run, text, options)), "XDocument"
)
ATTRIBUTE: Final = ClrType("XAttribute", "System.Xml.Linq.XAttribute", Attribute, base=ANY)
ATTRIBUTE.constructed_by(lambda name, value: Attribute(_tag(name), as_text(value)))
ATTRIBUTE.property("Name", lambda a: Name(a.name), "XName")
ATTRIBUTE.property("Value", lambda a: a.value, "string")
ATTRIBUTE.setter("Value", set_text)
linq.extend(ELEMENT, "Contains")
