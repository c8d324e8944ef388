"""xml-to-json: an XML body becomes JSON (xml-to-json-policy page)."""

from __future__ import annotations

import json
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
    """``direct`` keeps attributes as ``@name``; ``javascript-friendly`` drops the sign.

    External entities and document types are not resolved.
    """

    def __init__(self, reader: ElementReader) -> None:
        kind = reader.choice("kind", ("javascript-friendly", "direct"))
        self._sign = "@" if kind == "direct" else ""
        self._always = reader.choice("apply", ("always", "content-type-xml")) == "always"
        self._accept = reader.flag("consider-accept-header", True)
        self._arrays = reader.flag("always-array-child-elements", False)
        self._on_request = reader.preparation.section is Section.INBOUND

    async def act(self, exchange: Exchange) -> None:
        message: Request | Response = exchange.request if self._on_request else exchange.response
        if not self._always and "xml" not in (message.headers.get("content-type") or ""):
            return
        if self._accept and "json" not in (exchange.request.headers.get("accept") or ""):
            return
        content = await message.body.buffer()
        parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
        try:
            root = etree.fromstring(content, parser)
        except etree.XMLSyntaxError as error:
            raise PolicyError(500, "XmlToJsonFailure", "The body is not XML.") from error
        document = {_name(root.tag): self._value(root)}
        message.body.replace(json.dumps(document, ensure_ascii=False).encode())
        message.headers.set("Content-Type", ["application/json"])

    def _value(self, element: etree._Element) -> Any:
        members: dict[str, Any] = {
            f"{self._sign}{_name(key)}": text for key, text in element.attrib.items()
        }
        children = [each for each in element if isinstance(each.tag, str)]
        for child in children:
            self._add(members, _name(child.tag), self._value(child))
        text = (element.text or "").strip()
        if not members:
            return text if text else None
        if text:
            members["#text" if self._sign else "$t"] = text
        return members

    def _add(self, members: dict[str, Any], name: str, value: Any) -> None:
        if name not in members:
            members[name] = [value] if self._arrays else value
        elif isinstance(members[name], list):
            members[name].append(value)
        else:
            members[name] = [members[name], value]


def _name(tag: Any) -> str:
    return str(etree.QName(tag).localname)
