"""json-to-xml: a JSON body becomes XML (json-to-xml-policy page)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
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
from hybridmandate.governance.gateway.values import text_of

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]")
_XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"


@policy("json-to-xml", sections=frozenset(Section) - {Section.BACKEND})
class JsonToXml(Policy):
    """With consider-accept-header the body is converted only when the caller asks for XML."""

    def __init__(self, reader: ElementReader) -> None:
        self._apply = reader.choice_value("apply", ("always", "content-type-json"))
        self._accept = reader.flag_value("consider-accept-header", True)
        reader.flag("parse-date", True)
        self._separator = reader.value("namespace-separator", "_")
        self._prefix = reader.value("namespace-prefix", "")
        self._attributes = reader.value("attribute-block-name", "")
        self._on_request = reader.preparation.section is Section.INBOUND

    async def act(self, exchange: Exchange) -> None:
        message: Request | Response = exchange.request if self._on_request else exchange.response
        if self._apply.get(exchange) != "always" and "json" not in (
            message.headers.get("content-type") or ""
        ):
            return
        if self._accept.get(exchange) and "xml" not in (
            exchange.request.headers.get("accept") or ""
        ):
            return
        content = await message.body.buffer()
        try:
            value = json.loads(content)
        except ValueError as error:
            raise PolicyError(500, "JsonToXmlFailure", "The body is not JSON.") from error
        names = XmlNames(
            text_of(self._separator.get(exchange)),
            text_of(self._prefix.get(exchange)),
            text_of(self._attributes.get(exchange)),
        )
        message.body.replace(etree.tostring(names.document(value), encoding="utf-8"))
        message.headers.set("Content-Type", ["text/xml"])


class XmlNames:
    """How members become elements, attributes and namespace declarations.

    A member whose name begins with ``prefix`` declares a namespace; ``separator`` stands between
    a declared prefix and a local name; members of the object named ``attributes`` become
    attributes of the element around it. An empty text switches the rule off. ``@name``
    and ``#text`` are read as Json.NET reads them: what xml-to-json wrote comes back.
    """

    def __init__(self, separator: str, prefix: str, attributes: str) -> None:
        self._separator = separator
        self._prefix = prefix
        self._attributes = attributes

    def document(self, value: Any) -> etree._Element:
        """An object with one member gives that root element, anything else ``<Document>``."""
        if isinstance(value, dict) and len(value) == 1:
            (name, inner) = next(iter(value.items()))
            if not isinstance(inner, list):
                return self._element(None, name, inner)
        whole = value if isinstance(value, dict) else {"item": value}
        return self._element(None, "Document", whole)

    def _element(self, parent: etree._Element | None, name: str, value: Any) -> etree._Element:
        declared: Any = self._declarations(value)
        outer = {} if parent is None else parent.nsmap
        tag = self._qualified(name, {**outer, **declared}, default=True)
        if parent is None:
            element = etree.Element(tag, nsmap=declared)
        else:
            element = etree.SubElement(parent, tag, nsmap=declared)
        self._fill(element, value)
        return element

    def _declarations(self, value: Any) -> dict[str | None, str]:
        found: dict[str | None, str] = {}
        if not self._prefix or not isinstance(value, dict):
            return found
        for name, address in value.items():
            if isinstance(address, str) and address and name.startswith(self._prefix):
                rest = name[len(self._prefix) :].removeprefix(self._separator).removeprefix(":")
                found[_name(rest) if rest else None] = address
        return found

    def _fill(self, element: etree._Element, value: Any) -> None:
        if isinstance(value, list):
            for each in value:
                self._element(element, "item", each)
            return
        if not isinstance(value, dict):
            element.text = _text(value) or None
            return
        for name, inner in value.items():
            if self._prefix and name.startswith(self._prefix) and isinstance(inner, str):
                continue
            if self._attributes and name == self._attributes and isinstance(inner, dict):
                for key, text in inner.items():
                    element.set(self._qualified(key, element.nsmap, default=False), _text(text))
                continue
            if name.startswith("@") and not isinstance(inner, dict | list):
                element.set(self._qualified(name[1:], element.nsmap, default=False), _text(inner))
                continue
            if name == "#text":
                element.text = _text(inner)
                continue
            for each in inner if isinstance(inner, list) else [inner]:
                self._element(element, name, each)

    def _qualified(self, name: str, known: Mapping[str | None, str], *, default: bool) -> str:
        """``{namespace}local`` where the name has a prefix that is declared here."""
        if self._separator and self._separator in name:
            prefix, _, local = name.partition(self._separator)
            address = _XML_NAMESPACE if prefix == "xml" else known.get(prefix)
            if address is not None and local:
                return f"{{{address}}}{_name(local)}"
        if default and None in known:
            return f"{{{known[None]}}}{_name(name)}"
        return _name(name)


def _name(text: str) -> str:
    """An XML name; signs that may not stand in one are written as ``_xHHHH_``."""
    name = _NOT_IN_NAMES.sub(lambda match: f"_x{ord(match[0]):04X}_", text)
    return name if name[:1].isalpha() or name[:1] == "_" else f"_{name}"


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return "".join(sign for sign in text if sign >= " " or sign in "\t\n\r")
