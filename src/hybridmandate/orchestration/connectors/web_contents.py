"""HTTP with Entra ID (``shared_webcontents``): a request to one base address with the
connection's own token.

The base address and the resource belong to the connection, not to the action: an address on
another origin is refused before a token leaves. Source: learn.microsoft.com/connectors/webcontents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hybridmandate.orchestration.connectors.connector import Connector, Handler
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import as_content, content_bytes
from hybridmandate.orchestration.engine import Answer

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
_OWN_HEADERS = frozenset({"authorization", "host", "content-length"})


class WebContentsConnector(Connector):
    """Requests to a service that Entra ID guards."""

    api_name = "shared_webcontents"

    async def invoke(self, call: OperationCall) -> Answer:
        """InvokeHttp: method, url, headers and body stand under ``request``."""
        asked = call.nested("request")
        method = str(asked.get("method") or "").upper()
        if method not in _METHODS:
            raise ValueError(f"InvokeHttp needs request/method, one of {', '.join(_METHODS)}")
        headers = {str(k).lower(): str(v) for k, v in (asked.get("headers") or {}).items()}
        given = sorted(_OWN_HEADERS & headers.keys())
        if given:
            raise ValueError(f"the connection sets the header '{given[0]}', an action may not")
        data = None
        if asked.get("body") not in (None, ""):
            data, kind = content_bytes(asked["body"])
            if isinstance(asked["body"], str):
                kind = "application/json"
            headers.setdefault("content-type", kind)
        return await self.session.send(
            method, _path(asked.get("url")), call=call, headers=headers, data=data
        )

    async def content(self, call: OperationCall) -> Answer:
        """GetFileContent: the bytes at ``path``."""
        path = _path(call.required("path"))
        return await self.session.send("GET", path, call=call, decode=as_content)

    operations: ClassVar[Mapping[str, Handler]] = {
        "InvokeHttp": invoke,
        "GetFileContent": content,
    }


def _path(url: object) -> str:
    text = str(url or "")
    if not text:
        raise ValueError("InvokeHttp needs request/url")
    return text if "://" in text or text.startswith("/") else f"/{text}"
