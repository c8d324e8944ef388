"""redirect-content-urls: links in a body point through the gateway (its policy page)."""

from __future__ import annotations

import re

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.messages import Request, Response
from hybridmandate.governance.gateway.registry import ElementReader, Policy, Section, policy

_END_OF_BASE = rb"(?![A-Za-z0-9:_~%-]|\.[A-Za-z0-9])"
"""A base address ends here: ``http://b.example`` is no part of ``http://b.example.org``."""


@policy("redirect-content-urls", sections=frozenset({Section.INBOUND, Section.OUTBOUND}), once=True)
class RedirectContentUrls(Policy):
    """In outbound addresses of the back end become the gateway's; in inbound the other way round.

    Headers are left alone, as the page says. A compressed body is left alone too.
    """

    def __init__(self, reader: ElementReader) -> None:
        self._on_request = reader.preparation.section is Section.INBOUND

    async def act(self, exchange: Exchange) -> None:
        if exchange.backend is None:
            return
        message: Request | Response = exchange.request if self._on_request else exchange.response
        if "content-encoding" in message.headers or message.body.taken:
            return
        original = exchange.request.original_url
        path = exchange.api.path.strip("/")
        ours = f"{original.scheme}://{original.authority}{'/' + path if path else ''}".encode()
        theirs = exchange.backend.url.encode()
        sought, other = (ours, theirs) if self._on_request else (theirs, ours)
        content = await message.body.buffer()
        if sought in content:
            message.body.replace(re.sub(re.escape(sought) + _END_OF_BASE, lambda _: other, content))
