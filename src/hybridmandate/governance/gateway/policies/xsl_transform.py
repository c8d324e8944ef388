"""xsl-transform: an XSL stylesheet applied to the body (xsl-transform-policy page)."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import quoteattr

from lxml import etree

from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.messages import Request, Response
from hybridmandate.governance.gateway.registry import ElementReader, Policy, Section, policy
from hybridmandate.governance.gateway.values import text_of

_SHEETS = ("xsl:stylesheet", "xsl:transform")


@policy("xsl-transform", sections=frozenset({Section.INBOUND, Section.OUTBOUND}))
class XslTransform(Policy):
    """XSLT 1.0 by libxslt, without network and files: ``document()``, imports, entities fail."""

    def __init__(self, reader: ElementReader) -> None:
        self._parameters = [
            (each.literal("name"), each.content()) for each in reader.children("parameter")
        ]
        sheets = [each for name in _SHEETS for each in reader.children(name)]
        if len(sheets) != 1:
            reader.refuse("<xsl-transform> needs exactly one <xsl:stylesheet> or <xsl:transform>")
        self._on_request = reader.preparation.section is Section.INBOUND
        self._transform = _compiled(sheets[0])

    async def act(self, exchange: Exchange) -> None:
        message: Request | Response = exchange.request if self._on_request else exchange.response
        content = await message.body.buffer()
        parameters: dict[str, Any] = {
            name: etree.XSLT.strparam(text_of(value.get(exchange)))
            for name, value in self._parameters
        }
        try:
            document = etree.fromstring(content, _parser())
            result = self._transform(document, **parameters)
        except (etree.XMLSyntaxError, etree.XSLTError, ValueError) as error:
            raise PolicyError(
                500, "XslTransformFailure", "The body could not be transformed."
            ) from error
        message.body.replace(bytes(result))


def _compiled(sheet: ElementReader) -> etree.XSLT:
    """The stylesheet, from its attributes and the markup that the document's reader kept."""
    attributes = "".join(
        f" {name}={quoteattr(sheet.required_attribute(name).value)}"
        for name in sheet.element.attributes
    )
    text = f"<{sheet.name}{attributes}>{sheet.literal_content()}</{sheet.name}>"
    try:
        return etree.XSLT(
            etree.fromstring(text.encode(), _parser()),
            access_control=etree.XSLTAccessControl.DENY_ALL,  # type: ignore[attr-defined]
        )
    except (etree.XMLSyntaxError, etree.XSLTParseError) as error:
        sheet.refuse(f"the stylesheet cannot be used: {error}")


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
