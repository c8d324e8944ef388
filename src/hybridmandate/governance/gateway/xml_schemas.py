"""XML Schema documents for validate-content: XML bodies, and what stands in a SOAP envelope.

Entities are not resolved, nothing is fetched, and bodies are bounded by ``max-size`` before.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from lxml import etree

from hybridmandate.governance.gateway.contract_check import MAX_FAULTS

_SOAP = ("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")


class XmlSchemaUnreadable(Exception):
    """A text that is no XML Schema document."""


class XmlSchema:
    """A compiled schema."""

    def __init__(self, text: str) -> None:
        """:raises XmlSchemaUnreadable: when the text is no schema."""
        try:
            self._schema = etree.XMLSchema(etree.fromstring(text.encode(), _parser()))
        except (etree.XMLSyntaxError, etree.XMLSchemaParseError) as error:
            raise XmlSchemaUnreadable(str(error)) from error

    def violations(self, element: etree._Element) -> Iterator[str]:
        """What is wrong with an element, one sentence each, at most ``MAX_FAULTS``."""
        if not self._schema.validate(element):
            entries: Any = self._schema.error_log
            for entry in islice(entries, MAX_FAULTS):
                yield entry.message


def read_xml(body: bytes) -> etree._Element | None:
    """The root element of a body, or None when it is not well-formed or declares a DTD."""
    try:
        root = etree.fromstring(body, _parser())
    except etree.XMLSyntaxError:
        return None
    declares = root.getroottree().docinfo.internalDTD is not None
    return None if declares else root


def soap_content(root: etree._Element) -> list[etree._Element] | None:
    """The elements in the body of a SOAP 1.1 or 1.2 envelope, or None when it is no envelope."""
    for namespace in _SOAP:
        if root.tag == f"{{{namespace}}}Envelope":
            body = root.find(f"{{{namespace}}}Body")
            return None if body is None else [each for each in body if isinstance(each.tag, str)]
    return None


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False)
