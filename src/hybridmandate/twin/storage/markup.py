"""XML of the storage services: bodies written as text, bodies read without entities."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


class MarkupInvalid(Exception):
    """A body is no XML, or has a document type, which the services do not take."""


def leaf(name: str, value: object) -> str:
    """An element with text."""
    return f"<{name}>{escape(str(value))}</{name}>"


def branch(name: str, inner: str, **attributes: str) -> str:
    """An element with markup inside."""
    given = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<{name}{given}>{inner}</{name}>"


def document(name: str, inner: str, **attributes: str) -> bytes:
    """A whole answer."""
    head = '<?xml version="1.0" encoding="utf-8"?>'
    return f"{head}{branch(name, inner, **attributes)}".encode()


def parsed(body: bytes) -> etree._Element:
    """The root element of a request body. :raises MarkupInvalid: when it cannot be read."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise MarkupInvalid(str(error)) from None
    if isinstance(root.getroottree().docinfo.internalDTD, etree.DTD):
        raise MarkupInvalid("a document type is not taken")
    return root


def writable(text: str) -> bool:
    """Whether a text can stand in an XML document."""
    return _NOT_XML.search(text) is None


def http_date(epoch: float) -> str:
    """A time as the services write it: RFC 1123, whole seconds, GMT."""
    return format_datetime(datetime.fromtimestamp(int(epoch), UTC), usegmt=True)
