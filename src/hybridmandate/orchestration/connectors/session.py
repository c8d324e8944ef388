"""HTTP for connectors: one base address, one principal, one set of trusted CAs.

Every answer becomes an :class:`Answer`, also those that never came. A token is sent to the base
address only: a location on another origin is refused.
"""

from __future__ import annotations

import base64
import json
import ssl
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp

from hybridmandate.contracts import headers as names
from hybridmandate.contracts import traceparent
from hybridmandate.identity.principal import TokenSource, TokenUnavailable
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.engine import Answer

Decode = Callable[[bytes, str], Any]
CALL_SECONDS = 120.0
"""How long an outbound synchronous call may take (limits page)."""
MAX_BODY_BYTES = 100 * 1024 * 1024
"""The largest message (limits page: 100 MB)."""


class ServiceSession:
    """Sends a connector's requests with the connection's own tokens."""

    def __init__(
        self,
        base_address: str,
        *,
        tokens: TokenSource | None,
        resource: str,
        ca_file: str | None = None,
        call_seconds: float = CALL_SECONDS,
    ) -> None:
        self._base = base_address.rstrip("/")
        self._origin = _origin(self._base)
        self._tokens = tokens
        self._resource = resource
        self._tls = ssl.create_default_context(cafile=ca_file) if ca_file else None
        self._timeout = aiohttp.ClientTimeout(total=call_seconds)
        self._client: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def send(
        self,
        method: str,
        path: str,
        *,
        call: OperationCall | None = None,
        correlation_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        json_body: Any = None,
        data: bytes | None = None,
        decode: Decode | None = None,
    ) -> Answer:
        """Send a request to a path of the base address, or to an absolute address on its origin.

        ``decode`` makes the answer's body of its bytes and media type, by default :func:`decoded`.
        """
        address = urljoin(f"{self._base}/", path) if "://" in path else f"{self._base}{path}"
        if _origin(address) != self._origin:
            return Answer.refused(f"'{address}' is not on {self._origin}: no token is sent there")
        known = call.correlation_id if call else correlation_id
        sent = {**_tracing(known, call), **(headers or {})}
        try:
            if self._tokens is not None:
                sent["authorization"] = f"Bearer {await self._tokens.token(self._resource)}"
        except TokenUnavailable as error:
            message = f"no token for {self._resource}: {error}"
            return Answer.unreachable(message) if error.transient else Answer.refused(message)
        if json_body is not None:
            data = json.dumps(json_body, ensure_ascii=False).encode()
            sent.setdefault("content-type", "application/json")
        return await self._exchange(method, address, sent, query, data, decode or decoded)

    async def _exchange(
        self,
        method: str,
        address: str,
        headers: Mapping[str, str],
        query: Mapping[str, str] | None,
        data: bytes | None,
        decode: Decode,
    ) -> Answer:
        client = self._opened()
        tls = self._tls if self._tls is not None else True
        try:
            async with client.request(
                method,
                address,
                headers=headers,
                params=query,
                data=data,
                ssl=tls,
                allow_redirects=False,
            ) as response:
                body = await _bounded(response.content)
                if body is None:
                    return Answer.refused(f"the answer of {address} is over {MAX_BODY_BYTES} bytes")
                shown = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status, shown, decode(body, response.content_type))
        except TimeoutError:
            return Answer.timed_out(f"{method} {address} did not answer in time")
        except aiohttp.ClientError as error:
            return Answer.unreachable(f"{method} {address}: {type(error).__name__}: {error}")

    def _opened(self) -> aiohttp.ClientSession:
        if self._client is None or self._client.closed:
            self._client = aiohttp.ClientSession(timeout=self._timeout)
        return self._client


def decoded(body: bytes, content_type: str) -> Any:
    """A body as flows see it: JSON as a value, text as text, the rest as a ``$content`` object."""
    if not body:
        return None
    kind = content_type.lower()
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return json.loads(body)
        except ValueError:
            return body.decode("utf-8", "replace")
    if kind.startswith("text/"):
        return body.decode("utf-8", "replace")
    return as_content(body, content_type)


def as_content(body: bytes, content_type: str) -> dict[str, str]:
    """Bytes as flows carry them: media type and base64."""
    content = base64.b64encode(body).decode("ascii")
    return {"$content-type": content_type, "$content": content}


def file_answer(answer: Answer) -> Answer:
    """An answer that was read by :func:`as_content`; an error as the service says it."""
    if answer.fault is not None or answer.status < 300 or answer.body is None:
        return answer
    return replace(answer, body=decoded(*content_bytes(answer.body)))


async def _bounded(stream: aiohttp.StreamReader) -> bytes | None:
    """The whole body, None when it is over the limit."""
    body = bytearray()
    async for chunk in stream.iter_any():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


def content_bytes(value: Any) -> tuple[bytes, str]:
    """Bytes and media type of a body that a flow gives: ``$content`` object, text, or JSON.

    :raises ValueError: when the ``$content`` is not base64.
    """
    if isinstance(value, Mapping) and "$content" in value:
        kind = str(value.get("$content-type") or "application/octet-stream")
        return base64.b64decode(str(value["$content"]), validate=True), kind
    if isinstance(value, str):
        return value.encode(), "text/plain; charset=utf-8"
    return json.dumps(value, ensure_ascii=False).encode(), "application/json"


def _tracing(correlation_id: str | None, call: OperationCall | None) -> dict[str, str]:
    if correlation_id is None:
        return {}
    sent = {
        names.CORRELATION_ID: correlation_id,
        names.TRACEPARENT: traceparent(correlation_id, call.idempotency_key if call else "read"),
    }
    if call is not None:
        sent[names.IDEMPOTENCY_KEY] = call.idempotency_key
        sent["client-request-id"] = str(uuid.uuid5(uuid.NAMESPACE_URL, call.idempotency_key))
    return sent


def _origin(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    return parts.scheme.lower(), parts.netloc.lower()
