"""'Send a Microsoft Graph HTTP request', which several connectors of Office have.

The address is one of Microsoft Graph, or its path; it goes to the connection's own address. Source:
learn.microsoft.com/connectors/teams ('Send a Microsoft Graph HTTP request').
"""

from __future__ import annotations

from urllib.parse import urlsplit

from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import ServiceSession, content_bytes
from hybridmandate.orchestration.engine import Answer

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
GRAPH = "graph.microsoft.com"


async def graph_request(session: ServiceSession, call: OperationCall) -> Answer:
    """Send it. :raises ValueError: for another method, or an address that is not Graph's."""
    method = str(call.parameters.get("Method") or "").upper()
    if method not in METHODS:
        raise ValueError(f"{call.operation_id} needs Method, one of {', '.join(METHODS)}")
    path = _path(str(call.required("Uri")))
    headers = {"content-type": str(call.parameters.get("ContentType") or "application/json")}
    data = None
    if call.parameters.get("Body") not in (None, ""):
        data, _ = content_bytes(call.parameters["Body"])
    return await session.send(method, path, call=call, headers=headers, data=data)


def _path(uri: str) -> str:
    parts = urlsplit(uri)
    path = parts.path if parts.path.startswith("/") else f"/{parts.path}"
    own = not parts.netloc or parts.netloc.lower() == GRAPH
    if not own or not path.startswith(("/v1.0/", "/beta/")):
        raise ValueError(f"Uri must be an address of Microsoft Graph: '{uri[:100]}'")
    return f"{path}?{parts.query}" if parts.query else path
