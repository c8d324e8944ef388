"""'Send an HTTP request to SharePoint': a request to a site's own REST interface.

The address stands below the site: ``_api/web/lists/…``. Another one is refused before a token is
sent. Without Accept the answer is verbose, under ``d``, as the connector gives it. Source:
learn.microsoft.com/sharepoint/dev/business-apps/power-automate/guidance/
working-with-send-sp-http-request.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import ServiceSession, content_bytes
from hybridmandate.orchestration.engine import Answer

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_OWN_HEADERS = frozenset({"authorization", "host", "content-length"})
_VERBOSE = "application/json;odata=verbose"


async def send_request(session: ServiceSession, site: str, call: OperationCall) -> Answer:
    """Send it. :raises ValueError: for a method, an address or a header that may not be sent."""
    asked = call.nested("parameters")
    method = str(asked.get("method") or "").upper()
    if method not in METHODS:
        raise ValueError(f"HttpRequest needs parameters/method, one of {', '.join(METHODS)}")
    path = str(asked.get("uri") or "").lstrip("/")
    if not path.lower().startswith("_api/") or ".." in path.partition("?")[0].split("/"):
        raise ValueError(f"parameters/uri must be below the site's '_api/': '{path[:100]}'")
    headers = _headers(asked.get("headers"))
    data = None
    if asked.get("body") not in (None, ""):
        data, kind = content_bytes(asked["body"])
        if isinstance(asked["body"], str):
            kind = _VERBOSE
        headers.setdefault("content-type", kind)
    address = f"/sites/{quote(site)}/{path}"
    return await session.send(method, address, call=call, headers=headers, data=data)


def _headers(given: Any) -> dict[str, str]:
    headers = {str(k).lower(): str(v) for k, v in (given or {}).items()}
    refused = sorted(_OWN_HEADERS & headers.keys())
    if refused:
        raise ValueError(f"the connection sets the header '{refused[0]}', an action may not")
    headers.setdefault("accept", _VERBOSE)
    return headers
