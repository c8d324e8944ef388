"""xml-to-json: an XML body becomes JSON (xml-to-json-policy page).

The page does not show the two forms. ``direct`` is written as Json.NET writes XML
(newtonsoft.com, "Converting between JSON and XML"): ``@name`` for attributes, ``#text`` for text
beside others, prefixes kept. ``javascript-friendly`` has no such signs: attributes stand under
their own names, text beside others under ``$t``, and ``$`` stands between prefix and name.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lxml import etree

from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.messages import Request, Response
from hybridmandate.governance.gateway.registry import (
    ElementReader,
    Policy,
    Section,
    policy,
)


@policy("xml-to-json", sections=frozenset(Section) - {Section.BACKEND})
class XmlToJson(Policy):
    """External entities and document types are not resolved."""

    def __init__(self, reader: ElementReader) -> None:
        self._kind = reader.choice_value("kind", tuple(_FORMS))
        self._apply = reader.choice_value("apply", ("always", "content-type-xml"))
        self._accept = reader.flag_value("consider-accept-header", True)
        self._arrays = reader.flag_value("always-array-child-elements", False)
        self._on_request = reader.preparation.section is Section.INBOUND

    async def act(self, exchange: Exchange) -> None:
        message: Request | Response = exchange.request if self._on_request else exchange.response
        if self._apply.get(exchange) != "always" and "xml" not in (
            message.headers.get("content-type") or ""
        ):
            return
        if self._accept.get(exchange) and "json" not in (
            exchange.request.headers.get("accept") or ""
        ):
            return
        content = await message.body.buffer()
        parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
        try:
            root = etree.fromstring(content, parser)
        except etree.XMLSyntaxError as error:
            raise PolicyError(500, "XmlToJsonFailure", "The body is not XML.") from error
        form = _FORMS[self._kind.get(exchange)]
        name, value = form.member(root, arrays=self._arrays.get(exchange))
        message.body.replace(json.dumps({name: value}, ensure_ascii=False).encode())
        message.headers.set("Content-Type", ["application/json"])


@dataclass(frozen=True, slots=True)
class _Form:
    """The signs of one ``kind``: before attributes, for text beside others, behind prefixes."""

    attribute: str
    text: str
    colon: str

    def member(self, element: etree._Element, *, arrays: bool) -> tuple[str, Any]:
        """The name and value that an element becomes."""
        return self._name(element.tag, element), self._value(element, arrays)

    def _value(self, element: etree._Element, arrays: bool) -> Any:
        members: dict[str, Any] = {}
        parent = element.getparent()
        outer = {} if parent is None else parent.nsmap
        for prefix, address in element.nsmap.items():
            if outer.get(prefix) != address:
                name = "xmlns" if prefix is None else f"xmlns{self.colon}{prefix}"
                members[f"{self.attribute}{name}"] = address
        for key, text in element.attrib.items():
            members[f"{self.attribute}{self._name(key, element)}"] = text
        for child in element.iterchildren(tag=etree.Element):
            name, value = self.member(child, arrays=arrays)
            _add(members, name, [value] if arrays and name not in members else value)
        pieces = [element.text, *(child.tail for child in element)]
        text = "".join(each for each in pieces if each and each.strip())
        if not members:
            return text or None
        if text:
            members[self.text] = text
        return members

    def _name(self, tag: Any, element: etree._Element) -> str:
        """The name with the prefix that the document gives it."""
        parts = etree.QName(tag)
        if not parts.namespace:
            return str(parts.localname)
        if tag == element.tag:
            prefix = element.prefix
        else:
            known = ((p, uri) for p, uri in element.nsmap.items() if p is not None)
            prefix = next((p for p, uri in known if uri == parts.namespace), "xml")
        return f"{prefix}{self.colon}{parts.localname}" if prefix else str(parts.localname)


_FORMS = {
    "javascript-friendly": _Form("", "$t", "$"),
    "direct": _Form("@", "#text", ":"),
}


def _add(members: dict[str, Any], name: str, value: Any) -> None:
    if name not in members:
        members[name] = value
    elif isinstance(members[name], list):
        members[name].append(value)
    else:
        members[name] = [members[name], value]
