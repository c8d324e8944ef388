"""The HTTP action: any address, without a token unless the host was given one for it.

``authentication`` of type ``ActiveDirectoryOAuth`` takes its token from the host's token sources by
audience. A client secret in a definition is never sent anywhere; an audience without a source is
refused (requirement P6).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from hybridmandate.identity.principal import TokenSource
from hybridmandate.orchestration.connectors.http_pages import all_pages
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import ServiceSession, content_bytes
from hybridmandate.orchestration.engine import Answer


class HttpAction:
    """Sends HTTP actions; one session per origin and audience."""

    def __init__(self, tokens: Mapping[str, TokenSource], ca_file: str | None) -> None:
        self._tokens = dict(tokens)
        self._ca_file = ca_file
        self._sessions: dict[tuple[str, str], ServiceSession] = {}

    async def close(self) -> None:
        """Close the connections."""
        for session in self._sessions.values():
            await session.close()

    async def send(self, request: Mapping[str, Any], call: OperationCall) -> Answer:
        """Send one attempt of an HTTP action."""
        audience = _audience(request.get("authentication"))
        if audience is None:
            return Answer.refused(f"authentication of '{request['uri']}' is not supported here")
        if audience and audience not in self._tokens:
            return Answer.refused(f"there is no token source for '{audience}'")
        session = self._session(str(request["uri"]), audience)
        body = request.get("body")
        headers = {str(k).lower(): str(v) for k, v in (request.get("headers") or {}).items()}
        data = None
        if body is not None:
            data, kind = content_bytes(body)
            headers.setdefault("content-type", kind)
        address, method = str(request["uri"]), str(request["method"]).upper()
        query = {str(k): str(v) for k, v in (request.get("queries") or {}).items()}
        answer = await session.send(
            method, address, call=call, headers=headers, query=query, data=data
        )
        if call.pagination is None or method != "GET":
            return answer

        async def follow(link: str) -> Answer:
            # What the action sends along is for its own address: the session refuses another one.
            return await session.send("GET", link, call=call, headers=headers)

        return await all_pages(answer, address, call.pagination, follow)

    async def read(self, request: Mapping[str, Any], location: str, correlation: str) -> Answer:
        """Read a location that an HTTP action's answer named."""
        audience = _audience(request.get("authentication")) or ""
        session = self._session(str(request["uri"]), audience)
        return await session.send("GET", location, correlation_id=correlation)

    def _session(self, address: str, audience: str) -> ServiceSession:
        parts = urlsplit(address)
        origin = f"{parts.scheme}://{parts.netloc}"
        key = (origin, audience)
        if key not in self._sessions:
            self._sessions[key] = ServiceSession(
                origin,
                tokens=self._tokens[audience] if audience else None,
                resource=audience,
                ca_file=self._ca_file,
            )
        return self._sessions[key]


def _audience(authentication: Any) -> str | None:
    """The audience of a token, '' for none, None for a kind that is not supported."""
    if not authentication:
        return ""
    if not isinstance(authentication, Mapping):
        return None
    if authentication.get("type") != "ActiveDirectoryOAuth":
        return None
    return str(authentication.get("audience") or "") or None
