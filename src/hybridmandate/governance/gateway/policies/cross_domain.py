"""cross-domain: the policy file that Flash and Silverlight ask for (cross-domain-policy page)."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from hybridmandate.governance.gateway.document import Element
from hybridmandate.governance.gateway.errors import ResponseReady
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.messages import Body, HeaderMap, Response
from hybridmandate.governance.gateway.registry import INBOUND, ElementReader, Policy, policy

_PATH = "/crossdomain.xml"


@policy("cross-domain", sections=INBOUND, once=True)
class CrossDomain(Policy):
    """A GET of ``/crossdomain.xml`` is answered with the file; any other call goes on."""

    def __init__(self, reader: ElementReader) -> None:
        file = reader.required_child("cross-domain-policy").take_whole()
        self._content = f'<?xml version="1.0"?>\n{written(file)}'.encode()

    def act(self, exchange: Exchange) -> None:
        request = exchange.request
        if request.method != "GET" or _PATH not in (request.original_url.path, request.url.path):
            return
        headers = HeaderMap([("Content-Type", "text/x-cross-domain-policy")])
        exchange.response = Response(200, "OK", headers, Body(self._content))
        raise ResponseReady


def written(element: Element) -> str:
    """An element as XML text."""
    attributes = "".join(
        f" {name}={quoteattr(text.value)}" for name, text in element.attributes.items()
    )
    inner = "".join(written(each) for each in element.children)
    if element.text is not None:
        inner = escape(element.text.value)
    return f"<{element.name}{attributes}>{inner}</{element.name}>"
