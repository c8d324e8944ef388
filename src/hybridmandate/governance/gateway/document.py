"""Policy documents as a tree of elements with positions, read from raw or well-formed text.

A strict XML parser cannot be used: it rejects raw documents, and of well-formed ones it turns line
breaks in attributes into spaces, so that a ``//`` comment swallows the rest of the code. Entities
are decoded where the value is XML; inside raw expressions the text is kept as it stands.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape

from hybridmandate.governance.gateway.csharp_text import (
    expression_end,
    is_whole_expression,
    starts_expression,
)
from hybridmandate.governance.gateway.errors import PolicyDocumentError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]*")
_ENTITY = re.compile(r"&(?:quot|apos|lt|gt|amp|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});")
MAX_DOCUMENT_CHARACTERS = 512 * 1024
"""API Management's limit of a policy document is 512 KiB (service limits page)."""
_MAX_DEPTH = 64


@dataclass(slots=True)
class Text:
    """A value with the place where it starts; ``line`` and ``column`` count from 1."""

    value: str
    line: int
    column: int


@dataclass(slots=True)
class Element:
    """An element: attributes in order, child elements, and its own text."""

    name: str
    line: int
    column: int
    attributes: dict[str, Text] = field(default_factory=dict)
    children: list[Element] = field(default_factory=list)
    text: Text | None = None

    def child(self, name: str) -> Element | None:
        """The first child of that name."""
        return next((each for each in self.children if each.name == name), None)

    def walk(self) -> Iterator[Element]:
        """This element and all below it, in document order."""
        yield self
        for each in self.children:
            yield from each.walk()


def parse_document(text: str, file: str) -> Element:
    """The root element of a document.

    :raises PolicyDocumentError: with line and column where the text cannot be read.
    """
    return _Reader(text.removeprefix("\ufeff"), file).document()


def decode_entities(text: str) -> str:
    """The five entities of XML and character references decoded; a bare ``&`` stays."""
    return _ENTITY.sub(lambda match: unescape(match[0]), text) if "&" in text else text


class _Reader:
    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.at = 0
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def document(self) -> Element:
        if len(self.text) > MAX_DOCUMENT_CHARACTERS:
            raise self._error(0, "the document is larger than 512 KiB")
        self._skip_misc()
        if not self.text.startswith("<", self.at):
            raise self._error(self.at, "a policy document starts with an element")
        root = self._element(0)
        self._skip_misc()
        if self.at < len(self.text):
            raise self._error(self.at, "there is text behind the root element")
        return root

    def _position(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def _error(self, offset: int, reason: str) -> PolicyDocumentError:
        return PolicyDocumentError(self.file, *self._position(offset), reason)

    def _skip_space(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def _skip_misc(self) -> None:
        """White space, comments and the XML declaration; a document type is refused."""
        while True:
            self._skip_space()
            if self.text.startswith("<!--", self.at):
                self._skip_to("-->", "a comment does not end", after=4)
            elif self.text.startswith("<?", self.at):
                self._skip_to("?>", "a processing instruction does not end")
            elif self.text.startswith("<!DOCTYPE", self.at):
                raise self._error(self.at, "a document type is not allowed in a policy document")
            else:
                return

    def _skip_to(self, closing: str, reason: str, *, after: int = 0) -> None:
        """Behind ``closing``, which stands ``after`` characters from here or later."""
        end = self.text.find(closing, self.at + after)
        if end < 0:
            raise self._error(self.at, reason)
        self.at = end + len(closing)

    def _name(self, what: str) -> str:
        match = _NAME.match(self.text, self.at)
        if match is None:
            raise self._error(self.at, f"{what} is expected here")
        self.at = match.end()
        return match[0]

    def _element(self, depth: int) -> Element:
        if depth > _MAX_DEPTH:
            raise self._error(self.at, f"elements are nested deeper than {_MAX_DEPTH}")
        start = self.at
        self.at += 1
        element = Element(self._name("an element name"), *self._position(start))
        while True:
            self._skip_space()
            if self.text.startswith("/>", self.at):
                self.at += 2
                return element
            if self.text.startswith(">", self.at):
                self.at += 1
                self._content(element, depth)
                return element
            if self.at >= len(self.text):
                raise self._error(start, f"<{element.name}> does not end")
            self._attribute(element)

    def _attribute(self, element: Element) -> None:
        start = self.at
        name = self._name(f"an attribute of <{element.name}>, '>' or '/>'")
        self._skip_space()
        if not self.text.startswith("=", self.at):
            raise self._error(self.at, f"attribute '{name}' has no value: '=' is expected")
        self.at += 1
        self._skip_space()
        quote = self.text[self.at : self.at + 1]
        if quote not in ('"', "'"):
            raise self._error(self.at, f"the value of attribute '{name}' must be quoted")
        self.at += 1
        begin = self.at
        value = self._attribute_value(name, quote)
        if name in element.attributes:
            raise self._error(start, f"attribute '{name}' stands twice in <{element.name}>")
        element.attributes[name] = Text(value, *self._position(begin))

    def _attribute_value(self, name: str, quote: str) -> str:
        begin = self.at
        end = self.text.find(quote, begin)
        if end < 0:
            raise self._error(begin, f"the value of attribute '{name}' does not end")
        plain = self.text[begin:end]
        decoded = decode_entities(plain)
        if not starts_expression(decoded) or is_whole_expression(decoded):
            self.at = end + 1
            return decoded
        lead = len(plain) - len(plain.lstrip())
        stop = expression_end(self.text, begin + lead)
        if stop is None:
            raise self._error(begin, f"the expression in attribute '{name}' does not end")
        close = stop
        while self.text[close : close + 1].isspace():
            close += 1
        if self.text[close : close + 1] != quote:
            raise self._error(
                close, f"{quote} is expected behind the expression in attribute '{name}'"
            )
        self.at = close + 1
        return self.text[begin:stop]

    def _content(self, element: Element, depth: int) -> None:
        pieces: list[str] = []
        begin: int | None = None
        while True:
            if self.at >= len(self.text):
                raise PolicyDocumentError(
                    self.file, element.line, element.column, f"<{element.name}> is never closed"
                )
            if self.text.startswith("</", self.at):
                self._close(element)
                break
            if self.text.startswith("<!--", self.at):
                self._skip_to("-->", "a comment does not end", after=4)
            elif self.text.startswith("<![CDATA[", self.at):
                begin = self.at + 9 if begin is None else begin
                pieces.append(self._cdata())
            elif self.text.startswith("<?", self.at):
                self._skip_to("?>", "a processing instruction does not end")
            elif self.text.startswith("<", self.at) and element.name not in _RAW_CONTENT:
                element.children.append(self._element(depth + 1))
            elif self.text.startswith("<", self.at):
                begin = self.at if begin is None else begin
                pieces.append(self._markup(element))
            else:
                begin = self.at if begin is None else begin
                pieces.append(self._text(element))
        self._keep_text(element, "".join(pieces), begin)

    def _keep_text(self, element: Element, text: str, begin: int | None) -> None:
        if begin is None or not text.strip():
            return
        if element.children:
            raise self._error(begin, f"<{element.name}> cannot hold both text and elements")
        if starts_expression(text):
            lead = len(text) - len(text.lstrip())
            element.text = Text(text.strip(), *self._position(begin + lead))
        else:
            element.text = Text(text, *self._position(begin))

    def _close(self, element: Element) -> None:
        start = self.at
        self.at += 2
        name = self._name("the name of a closing tag")
        self._skip_space()
        if name != element.name:
            raise self._error(
                start, f"</{name}> closes <{element.name}> of line {element.line}: names differ"
            )
        if not self.text.startswith(">", self.at):
            raise self._error(self.at, f"'>' is expected behind </{name}")
        self.at += 1

    def _cdata(self) -> str:
        start = self.at + 9
        self._skip_to("]]>", "a CDATA section does not end")
        return self.text[start : self.at - 3]

    def _text(self, element: Element) -> str:
        begin = self.at
        end = self.text.find("<", begin)
        end = len(self.text) if end < 0 else end
        plain = self.text[begin:end]
        decoded = decode_entities(plain)
        if not starts_expression(decoded) or is_whole_expression(decoded):
            self.at = end
            return decoded
        lead = len(plain) - len(plain.lstrip())
        stop = expression_end(self.text, begin + lead)
        if stop is None:
            raise self._error(begin + lead, f"the expression in <{element.name}> does not end")
        self.at = stop
        return self.text[begin:stop]

    def _markup(self, element: Element) -> str:
        """Markup inside a body literal (XML or Liquid text), kept exactly as it is written."""
        begin = self.at
        end = self.text.find(f"</{element.name}", begin)
        if end < 0:
            raise self._error(begin, f"<{element.name}> is never closed")
        self.at = end
        return self.text[begin:end]


_RAW_CONTENT = frozenset({"set-body", "xsl:stylesheet", "xsl:transform"})
