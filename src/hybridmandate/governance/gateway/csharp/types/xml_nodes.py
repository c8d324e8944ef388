"""Texts, comments, CDATA sections and processing instructions as nodes of a tree.

Source: learn.microsoft.com, System.Xml.Linq. A CDATA section that is read is a text node here; it
is written as CDATA again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from lxml import etree

from hybridmandate.governance.gateway.csharp.collections import Array, Sequence
from hybridmandate.governance.gateway.csharp.failures import (
    argument_null,
    invalid_operation,
)
from hybridmandate.governance.gateway.csharp.text import as_text
from hybridmandate.governance.gateway.csharp.types.linq_results import walked
from hybridmandate.governance.gateway.csharp.types.table import ClrType, Run
from hybridmandate.governance.gateway.csharp.types.text_streams import (
    Reader,
    Writer,
    read_to_end,
)
from hybridmandate.governance.gateway.csharp.types.xml_navigation import NODE_TYPE
from hybridmandate.governance.gateway.csharp.types.xml_types import (
    ANY,
    ATTRIBUTE,
    CONTAINER,
    DOCUMENT,
    ELEMENT,
    NODE,
    Attribute,
    Document,
    Element,
    Leaf,
    Node,
    add_content,
    attributes,
    copied,
    parse,
    remove,
    set_text,
    to_text,
)


class Text(Leaf):
    """System.Xml.Linq.XText: one that stands in a tree knows which text of which node it is."""

    __slots__ = ("after", "own", "owner")

    def __init__(self, value: Any, owner: Any = None, *, after: bool = False) -> None:
        if value is None:
            raise argument_null("value")
        super().__init__(None)
        self.own = as_text(value)
        self.owner = owner
        self.after = after

    @property
    def text(self) -> str:
        """What it says."""
        if self.owner is None:
            return self.own
        return (self.owner.tail if self.after else self.owner.text) or ""

    def content(self) -> Any:
        """What is put into the tree."""
        return self.own

    def become(self, value: Any) -> None:
        """Another text, in the tree too; None takes it away."""
        if self.owner is None:
            self.own = as_text(value)
        elif self.after:
            self.owner.tail = value
        else:
            self.owner.text = value

    def add_to(self, node: Node) -> None:
        if isinstance(node, Document):
            raise invalid_operation("Non-whitespace characters cannot be added to content.")
        raw, after = node.raw, len(node.raw) > 0
        place = raw[-1] if after else raw
        before = (place.tail if after else place.text) or ""
        if before:
            set_place(place, before + self.own, after=after)
        else:
            set_place(place, self.content(), after=after)
        self.owner, self.after = place, after

    def clr_text(self) -> str:
        """The text as it stands in XML."""
        shown = etree.Element("t")
        shown.text = self.text
        return str(etree.tostring(shown, encoding="unicode"))[3:-4]


def set_place(raw: Any, content: Any, *, after: bool) -> None:
    """The text in an element or behind a node."""
    if after:
        raw.tail = content
    else:
        raw.text = content


class CData(Text):
    """System.Xml.Linq.XCData."""

    __slots__ = ()

    def content(self) -> Any:
        return etree.CDATA(self.own)

    def clr_text(self) -> str:
        """The section."""
        return f"<![CDATA[{self.text}]]>"


class Markup(Leaf):
    """A comment or a processing instruction."""

    __slots__ = ()

    @property
    def text(self) -> str:
        """The comment, or the data of the instruction."""
        return self.raw.text or ""

    def add_to(self, node: Node) -> None:
        if not isinstance(node, Document):
            node.raw.append(self.raw)
        elif node.raw is None:
            node.waiting.append(self.raw)
        else:
            last = next(iter(reversed(list(node.raw.itersiblings()))), node.raw)
            last.addnext(self.raw)

    def clr_text(self) -> str:
        """The markup."""
        return str(etree.tostring(self.raw, encoding="unicode", with_tail=False))


class Comment(Markup):
    """System.Xml.Linq.XComment."""

    __slots__ = ()


class Instruction(Markup):
    """System.Xml.Linq.XProcessingInstruction."""

    __slots__ = ()


def node_of(raw: Any) -> Node:
    """The node that lxml's node is."""
    if raw.tag is etree.Comment:
        return Comment(raw)
    return Instruction(raw) if raw.tag is etree.PI else Element(raw)


def nodes(node: Node) -> Iterator[Node]:
    """The nodes in an element or document, texts included."""
    raw = node.raw
    if raw is None:
        return
    if isinstance(node, Document):
        yield from map(node_of, reversed(list(raw.itersiblings(preceding=True))))
        yield Element(raw)
        yield from map(node_of, raw.itersiblings())
        return
    if raw.text:
        yield Text(raw.text, raw)
    for inner in raw:
        yield node_of(inner)
        if inner.tail:
            yield Text(inner.tail, inner, after=True)


def descendant_nodes(node: Node) -> Iterator[Node]:
    """All nodes below, in the order of the document."""
    for each in nodes(node):
        yield each
        if isinstance(each, Element):
            yield from descendant_nodes(each)


def parent_of(node: Node) -> Element | None:
    """``Parent``; null for what stands in no element."""
    if isinstance(node, Text):
        if node.owner is None:
            return None
        found = node.owner.getparent() if node.after else node.owner
    else:
        found = None if node.raw is None else node.raw.getparent()
    return None if found is None else Element(found)


def neighbour(node: Node, step: int) -> Node | None:
    """``NextNode`` and ``PreviousNode``."""
    parent: Node | None = parent_of(node)
    if parent is None and node.raw is not None:
        parent = Document(node.raw.getroottree().getroot())
    around = [] if parent is None else list(nodes(parent))
    at = next((i for i, each in enumerate(around) if same_place(each, node)), -1)
    if at < 0 or not 0 <= at + step < len(around):
        return None
    return around[at + step]


def same_place(a: Node, b: Node) -> bool:
    """Whether two are the same node of a tree."""
    if isinstance(a, Text) and isinstance(b, Text):
        return a.owner is b.owner and a.after == b.after
    return a.raw is not None and a.raw is b.raw


def _around(node: Node, step: int) -> Array:
    found: list[Node] = []
    current = neighbour(node, step)
    while current is not None:
        found.append(current)
        current = neighbour(current, step)
    return Array(found if step > 0 else found[::-1], "XNode")


def take_out(node: Node) -> None:
    """``Remove``. :raises ExpressionFailure: InvalidOperationException when it stands nowhere."""
    if parent_of(node) is None:
        raise invalid_operation("The parent is missing.")
    if isinstance(node, Text):
        kept = node.text
        node.become(None)
        node.owner, node.own = None, kept
        return
    if node.raw.tail:
        # lxml takes the text behind a node away with it.
        keep_tail(node.raw)
    remove(Element(node.raw))


def keep_tail(raw: Any) -> None:
    """Give the text behind a node to what stands before it."""
    before, parent = raw.getprevious(), raw.getparent()
    if before is not None:
        before.tail = (before.tail or "") + raw.tail
    else:
        parent.text = (parent.text or "") + raw.tail
    raw.tail = None


def node_kind(node: Any) -> Any:
    """``NodeType``."""
    kinds = (
        (CData, "CDATA"), (Text, "Text"), (Comment, "Comment"), (Document, "Document"),
        (Instruction, "ProcessingInstruction"), (Attribute, "Attribute"),
    )  # fmt: skip
    return NODE_TYPE.values[next((n for kind, n in kinds if isinstance(node, kind)), "Element")]


def _list(run: Run, make: Callable[[], Iterator[Node]]) -> Sequence:
    return Sequence(lambda: walked(run, Sequence(make)))


def add_first(run: Run, node: Node, *content: Any) -> None:
    """``AddFirst``: content before what is there."""
    first = next(nodes(node), None)
    if first is None:
        add_content(run, node, *content)
        return
    if isinstance(first, Text):
        held, node.raw.text = first.text, None
        # An empty comment keeps the place between new and old content.
        mark = etree.Comment("")
        node.raw.insert(0, mark)
        mark.tail = held
        first = Comment(mark)
    for each in content:
        add_beside(run, first, each, after=False)
    if isinstance(first, Comment) and not first.text:
        take_out(first)


def add_beside(run: Run, node: Node, content: Any, *, after: bool) -> None:
    """``AddAfterSelf`` and ``AddBeforeSelf`` of an element, comment or instruction.

    :raises ExpressionFailure: for a node that stands nowhere, and for a text.
    """
    if isinstance(node, Text):
        raise invalid_operation("Content is added beside elements and comments, not beside texts.")
    run.budget.allocate(128)
    parent = node.raw.getparent()
    if isinstance(content, Node) and content.raw is not None:
        if parent is None and isinstance(content, Element):
            raise invalid_operation("The parent is missing.")
        raw = content.raw if content.raw.getparent() is None else copied(run, content.raw)
        if after:
            tail, node.raw.tail = node.raw.tail, None
            node.raw.addnext(raw)
            raw.tail = tail
        else:
            node.raw.addprevious(raw)
        return
    if parent is None:
        raise invalid_operation("The parent is missing.")
    text = content.text if isinstance(content, Text) else as_text(content)
    previous = node.raw.getprevious()
    if after:
        node.raw.tail = text + (node.raw.tail or "")
    elif previous is not None:
        previous.tail = (previous.tail or "") + text
    else:
        parent.text = (parent.text or "") + text


def make_instruction(target: Any, data: Any = "") -> Instruction:
    """``new XProcessingInstruction(target, data)``."""
    return Instruction(etree.ProcessingInstruction(as_text(target), as_text(data)))


def save(run: Run, node: Node, target: Writer, options: Any = None) -> None:
    """``Save`` to a StringWriter, whose declaration says utf-16 as in .NET."""
    declared = getattr(node, "declared", None)
    alone = getattr(declared, "standalone", None)
    extra = "" if alone is None else f' standalone="{alone}"'
    text = f'<?xml version="1.0" encoding="utf-16"{extra}?>\n{to_text(node, options)}'
    run.budget.allocate(len(text))
    target.parts.append(text)


def load(run: Run, reader: Reader, options: Any = None) -> Element:
    """``XElement.Load`` of a StringReader."""
    return Element(parse(run, read_to_end(reader), options))


# Attributes


def take_out_attribute(attribute: Attribute) -> None:
    """``Remove``."""
    if attribute.owner is None:
        raise invalid_operation("The parent is missing.")
    attribute.owner.attrib.pop(attribute.name, None)
    attribute.owner = None


def beside(attribute: Attribute, step: int) -> Attribute | None:
    """``NextAttribute`` and ``PreviousAttribute``."""
    around = [] if attribute.owner is None else list(attributes(Element(attribute.owner)))
    at = next((i for i, each in enumerate(around) if each.name == attribute.name), -1)
    return around[at + step] if at >= 0 and 0 <= at + step < len(around) else None


def replace_attributes(run: Run, node: Node, *content: Any) -> None:
    """``ReplaceAttributes``."""
    node.raw.attrib.clear()
    add_content(run, node, *content)


TEXT: Final = ClrType("XText", "System.Xml.Linq.XText", Text, base=NODE)
TEXT.constructed_by(Text)
TEXT.property("Value", lambda n: n.text, "string")
TEXT.setter("Value", lambda n, value: n.become(value))
CDATA: Final = ClrType("XCData", "System.Xml.Linq.XCData", CData, base=TEXT)
CDATA.constructed_by(CData)
COMMENT: Final = ClrType("XComment", "System.Xml.Linq.XComment", Comment, base=NODE)
COMMENT.constructed_by(lambda value: Comment(etree.Comment(as_text(value))))
COMMENT.property("Value", lambda n: n.text, "string")
COMMENT.setter("Value", lambda n, value: setattr(n.raw, "text", as_text(value)))
INSTRUCTION: Final = ClrType(
    "XProcessingInstruction", "System.Xml.Linq.XProcessingInstruction", Instruction, base=NODE
)
INSTRUCTION.constructed_by(make_instruction)
INSTRUCTION.property("Target", lambda n: n.raw.target, "string")
INSTRUCTION.property("Data", lambda n: n.text, "string")
INSTRUCTION.setter("Data", lambda n, value: setattr(n.raw, "text", as_text(value)))

for _made in (TEXT, COMMENT, INSTRUCTION):
    _made.method("ToString", lambda node, options=None: node.clr_text(), "string")
ANY.property("NodeType", node_kind, "XmlNodeType")
ANY.property("BaseUri", lambda n: "", "string")
NODE.property("Parent", parent_of, "XElement")
NODE.method("Remove", take_out)
NODE.property("NextNode", lambda n: neighbour(n, 1), "XNode")
NODE.property("PreviousNode", lambda n: neighbour(n, -1), "XNode")
NODE.method("NodesAfterSelf", lambda n: _around(n, 1), "IEnumerable<XNode>")
NODE.method("NodesBeforeSelf", lambda n: _around(n, -1), "IEnumerable<XNode>")
CONTAINER.method("Nodes", lambda run, n: _list(run, lambda: nodes(n)), "IEnumerable<XNode>")
CONTAINER.method(
    "DescendantNodes", lambda run, n: _list(run, lambda: descendant_nodes(n)), "IEnumerable<XNode>"
)
CONTAINER.property("FirstNode", lambda n: next(nodes(n), None), "XNode")
CONTAINER.property("LastNode", lambda n: next(iter(list(nodes(n))[::-1]), None), "XNode")
CONTAINER.method("AddFirst", add_first)
NODE.method("AddAfterSelf", lambda run, n, content: add_beside(run, n, content, after=True))
NODE.method("AddBeforeSelf", lambda run, n, content: add_beside(run, n, content, after=False))
ELEMENT.method(
    "DescendantNodesAndSelf",
    lambda run, n: _list(run, lambda: iter([n, *descendant_nodes(n)])),
    "IEnumerable<XNode>",
)
ELEMENT.method("ReplaceAttributes", replace_attributes)
ELEMENT.static("Load", load, "XElement")
for _made, _name in ((ELEMENT, "XElement"), (ATTRIBUTE, "XAttribute")):
    _made.constant("EmptySequence", Array((), _name), f"IEnumerable<{_name}>")
for _made in (ELEMENT, DOCUMENT):
    _made.method("Save", save)
ATTRIBUTE.property("Parent", lambda a: None if a.owner is None else Element(a.owner), "XElement")
ATTRIBUTE.property("IsNamespaceDeclaration", lambda a: a.is_space, "bool")
ATTRIBUTE.property("NextAttribute", lambda a: beside(a, 1), "XAttribute")
ATTRIBUTE.property("PreviousAttribute", lambda a: beside(a, -1), "XAttribute")
ATTRIBUTE.method("Remove", take_out_attribute)
ATTRIBUTE.property(
    "Document",
    lambda a: None if a.owner is None else Document(a.owner.getroottree().getroot()),
    "XDocument",
)
ATTRIBUTE.method("SetValue", set_text)
