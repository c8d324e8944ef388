"""json-to-xml: a JSON body becomes XML (json-to-xml-policy page)."""

from __future__ import annotations

import json
import re
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

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]")


@policy("json-to-xml", sections=frozenset(Section) - {Section.BACKEND})
class JsonToXml(Policy):
    """With consider-accept-header the body is converted only when the caller asks for XML.

    An object with one member gives that root element, anything else ``<Document>``.
    """

    def __init__(self, reader: ElementReader) -> None:
        self._always = reader.choice("apply", ("always", "content-type-json")) == "always"
        self._accept = reader.flag("consider-accept-header", True)
        reader.flag("parse-date", True)
        reader.literal("namespace-separator", "_")
        reader.literal("namespace-prefix", "xmlns")
        self._attributes = reader.literal("attribute-block-name", "")
        self._on_request = reader.preparation.section is Section.INBOUND

    async def act(self, exchange: Exchange) -> None:
        message: Request | Response = exchange.request if self._on_request else exchange.response
        if not self._always and "json" not in (message.headers.get("content-type") or ""):
            return
        if self._accept and "xml" not in (exchange.request.headers.get("accept") or ""):
            return
        content = await message.body.buffer()
        try:
            value = json.loads(content)
        except ValueError as error:
            raise PolicyError(500, "JsonToXmlFailure", "The body is not JSON.") from error
        message.body.replace(etree.tostring(self._document(value), encoding="utf-8"))
        message.headers.set("Content-Type", ["text/xml"])

    def _document(self, value: Any) -> etree._Element:
        if isinstance(value, dict) and len(value) == 1:
            (name, inner) = next(iter(value.items()))
            if not isinstance(inner, list):
                root = etree.Element(_name(name))
                self._fill(root, inner)
                return root
        root = etree.Element("Document")
        self._fill(root, value if isinstance(value, dict) else {"item": value})
        return root

    def _fill(self, element: etree._Element, value: Any) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                if name == self._attributes and isinstance(inner, dict):
                    for key, text in inner.items():
                        element.set(_name(key), _text(text))
                    continue
                for each in inner if isinstance(inner, list) else [inner]:
                    self._fill(etree.SubElement(element, _name(name)), each)
        elif isinstance(value, list):
            for each in value:
                self._fill(etree.SubElement(element, "item"), each)
        else:
            element.text = _text(value)


def _name(text: str) -> str:
    """An XML name; signs that may not stand in one are written as ``_xHHHH_``."""
    name = _NOT_IN_NAMES.sub(lambda match: f"_x{ord(match[0]):04X}_", text)
    return name if name[:1].isalpha() or name[:1] == "_" else f"_{name}"


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return "".join(sign for sign in text if sign >= " " or sign in "\t\n\r")
