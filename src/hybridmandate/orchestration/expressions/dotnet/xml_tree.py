"""XML documents as .NET's ``XmlDocument`` holds them: parsed from text, written back as text.

White space between tags is dropped, CDATA and comments are kept, an element remembers whether it
was written as ``<a/>``. Document types are read, entities are not: one that is declared is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape

from hybridmandate.orchestration.expressions.errors import FunctionFault

DEEPEST = 120
"""How deeply elements may be nested."""
_ATTRIBUTE_ESCAPES = {'"': "&quot;", "\n": "&#xA;", "\r": "&#xD;", "\t": "&#x9;"}
_DECLARED_VERSION = "1.0"


@dataclass(slots=True)
class Piece:
    """A node without children; ``kind`` is ``#text``, ``#cdata-section``, ``#comment`` or
    ``?name`` of a processing instruction."""

    kind: str
    text: str


@dataclass(slots=True)
class Element:
    """An element; ``closed`` says that it was written as one tag (``<a/>``)."""

    name: str
    attributes: dict[str, str]
    children: list[Element | Piece] = field(default_factory=list)
    closed: bool = False


@dataclass(slots=True)
class Document:
    """A document: its declaration and document type, as JSON shows them, and its nodes."""

    declaration: dict[str, str] = field(default_factory=dict)
    doctype: dict[str, str] = field(default_factory=dict)
    children: list[Element | Piece] = field(default_factory=list)

    @property
    def root(self) -> Element:
        """The one element. :raises FunctionFault: when there is none, or several."""
        found = [each for each in self.children if isinstance(each, Element)]
        if len(found) != 1:
            raise FunctionFault("The value must have exactly one root element", argument=1)
        return found[0]


def parse_xml(text: str) -> Document:
    """The document of a text.

    :raises FunctionFault: when it is not well-formed XML 1.0, declares entities, or is too deep.
    """
    reader = _Reader(text.removeprefix("\ufeff"))
    try:
        return reader.read()
    except (expat.ExpatError, UnicodeEncodeError) as wrong:
        raise _not_xml(str(wrong), text) from wrong


def _not_xml(reason: str, text: str) -> FunctionFault:
    return FunctionFault(
        f"The value is not valid XML: {reason[:200]}", argument=1, expected="XML", value=text
    )


class _Reader:
    """Builds the document from expat's events."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._document = Document()
        self._open: list[Element] = []
        self._scopes: list[Mapping[str, str]] = [{"xml": "", "": ""}]
        self._cdata = False
        self._subset_at: int | None = None

    def read(self) -> Document:
        # The text is Unicode already, so an encoding that the declaration names means nothing here.
        parser = self._parser = expat.ParserCreate(encoding="utf-8")
        parser.buffer_text = True
        parser.ordered_attributes = True
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EndDoctypeDeclHandler = self._doctype_end
        parser.EntityDeclHandler = self._entity
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.StartCdataSectionHandler = self._cdata_start
        parser.EndCdataSectionHandler = self._cdata_end
        parser.CommentHandler = lambda text: self._piece("#comment", text)
        parser.ProcessingInstructionHandler = lambda name, text: self._piece(f"?{name}", text)
        self._data = self._text.encode("utf-8")
        parser.Parse(self._data, True)
        return self._document

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if version != _DECLARED_VERSION:
            raise _not_xml(f"version {version} is not {_DECLARED_VERSION}", self._text)
        found = {"@version": version}
        if encoding is not None:
            found["@encoding"] = encoding
        if standalone >= 0:
            found["@standalone"] = "yes" if standalone else "no"
        self._document.declaration = found

    def _doctype(self, name: str, system: str | None, public: str | None, subset: int) -> None:
        found = {"@name": name, "@public": public, "@system": system}
        self._document.doctype = {key: text for key, text in found.items() if text}
        if subset:
            self._subset_at = self._data.index(b"[", self._parser.CurrentByteIndex) + 1

    def _doctype_end(self) -> None:
        if self._subset_at is None:
            return
        end = self._data.rindex(b"]", self._subset_at, self._parser.CurrentByteIndex + 1)
        subset = self._data[self._subset_at : end].decode("utf-8").replace("\r\n", "\n")
        if subset:
            self._document.doctype["@internalSubset"] = subset

    def _entity(self, *declared: Any) -> None:
        raise _not_xml(f"the entity '{declared[0]}' is declared", self._text)

    def _start(self, name: str, attributes: list[str]) -> None:
        if len(self._open) >= DEEPEST:
            raise _not_xml(f"it is nested deeper than {DEEPEST} levels", self._text)
        pairs = dict(zip(attributes[::2], attributes[1::2], strict=True))
        self._check_prefixes(name, pairs)
        element = Element(name, pairs)
        self._siblings().append(element)
        self._open.append(element)

    def _check_prefixes(self, name: str, attributes: dict[str, str]) -> None:
        declared = {
            key.partition(":")[2]: uri for key, uri in attributes.items() if is_declaration(key)
        }
        scope = {**self._scopes[-1], **declared} if declared else self._scopes[-1]
        self._scopes.append(scope)
        for each in (name, *attributes):
            prefix, colon, _ = each.partition(":")
            if colon and prefix not in scope and not is_declaration(each):
                raise _not_xml(f"the prefix '{prefix}' is not declared", self._text)

    def _end(self, name: str) -> None:
        element = self._open.pop()
        self._scopes.pop()
        # expat tells the end of <a/> right behind that tag, that of <a></a> before the second one.
        at = self._parser.CurrentByteIndex
        element.closed = not element.children and self._data[at - 2 : at] == b"/>"

    def _characters(self, text: str) -> None:
        if self._cdata:
            self._open[-1].children.append(Piece("#cdata-section", text))
        elif text.strip(" \t\r\n"):
            self._piece("#text", text)

    def _cdata_start(self) -> None:
        self._cdata = True

    def _cdata_end(self) -> None:
        self._cdata = False

    def _piece(self, kind: str, text: str) -> None:
        self._siblings().append(Piece(kind, text))

    def _siblings(self) -> list[Element | Piece]:
        return self._open[-1].children if self._open else self._document.children


def is_declaration(attribute: str) -> bool:
    """Whether an attribute declares a namespace."""
    return attribute == "xmlns" or attribute.startswith("xmlns:")


def document_text(document: Document) -> str:
    """The document as ``OuterXml`` writes it. :raises FunctionFault: for text no node can hold."""
    parts: list[str] = []
    if document.declaration:
        inside = "".join(f' {key[1:]}="{text}"' for key, text in document.declaration.items())
        parts.append(f"<?xml{inside}?>")
    if document.doctype:
        parts.append(_doctype_text(document.doctype))
    for each in document.children:
        _write(each, parts)
    return "".join(parts)


def element_text(element: Element) -> str:
    """The element as ``OuterXml`` writes it."""
    parts: list[str] = []
    _write(element, parts)
    return "".join(parts)


def _doctype_text(doctype: dict[str, str]) -> str:
    text = f"<!DOCTYPE {doctype['@name']}"
    system = doctype.get("@system")
    if "@public" in doctype:
        text += f' PUBLIC "{doctype["@public"]}" "{system or ""}"'
    elif system:
        text += f' SYSTEM "{system}"'
    if "@internalSubset" in doctype:
        text += f" [{doctype['@internalSubset']}]"
    return f"{text}>"


def _write(node: Element | Piece, parts: list[str]) -> None:
    if isinstance(node, Piece):
        parts.append(_piece_text(node))
        return
    parts.append(f"<{node.name}")
    parts.extend(
        f' {key}="{escape(text, _ATTRIBUTE_ESCAPES)}"' for key, text in node.attributes.items()
    )
    if not node.children:
        parts.append(" />" if node.closed else f"></{node.name}>")
        return
    parts.append(">")
    for child in node.children:
        _write(child, parts)
    parts.append(f"</{node.name}>")


def _piece_text(piece: Piece) -> str:
    if piece.kind == "#text":
        return escape(piece.text)
    if piece.kind == "#comment":
        return f"<!--{piece.text}-->"
    if piece.kind == "#cdata-section":
        if "]]>" in piece.text:
            raise FunctionFault("A CDATA section cannot hold ']]>'", argument=1)
        return f"<![CDATA[{piece.text}]]>"
    return f"<{piece.kind} {piece.text}?>"


_NAME_START = r"A-Za-z_\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02FF\u0370-\u037D\u037F-\u1FFF"
_NOT_IN_NAME = re.compile(
    rf"[^{_NAME_START}\u200C-\uD7FF\uF900-\uFFFD0-9.\-\u00B7]|_(?=x[0-9A-F]{{4}}_)"
)
_NOT_FIRST = re.compile(rf"^[^{_NAME_START}\u200C-\uD7FF\uF900-\uFFFD]")


def encoded_name(name: str) -> str:
    """A local name with what no name can hold as ``_x0020_`` (``XmlConvert.EncodeLocalName``)."""
    first = _NOT_FIRST.sub(_escaped, name)
    head = len(first) - len(name) + 1
    return first[:head] + _NOT_IN_NAME.sub(_escaped, first[head:]) if name else ""


def _escaped(found: re.Match[str]) -> str:
    return f"_x{ord(found.group()):04X}_"
