"""The seam to back ends and services: HTTP over TCP or a Unix socket, bodies streamed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from ssl import SSLContext
from typing import Protocol
from urllib.parse import unquote, urlsplit

import aiohttp
from multidict import CIMultiDict
from yarl import URL


class TransportFailure(Exception):
    """The other side did not answer: refused, reset, unreachable, or broke the protocol."""


class TransportTimeout(TransportFailure):
    """The response headers did not arrive in time."""


@dataclass(slots=True)
class Outgoing:
    """A request to send. ``url`` is absolute; ``socket`` a Unix socket path to use for it.

    ``timeout`` is seconds until the response headers must have arrived.
    """

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes | AsyncIterator[bytes] | None
    timeout: float
    socket: str | None = None
    follow_redirects: bool = False


@dataclass(slots=True)
class Incoming:
    """A response whose body is still on the wire; ``close`` ends it and frees the connection."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: AsyncIterator[bytes]
    close: Callable[[], None]


class Transport(Protocol):
    """Sends requests."""

    async def send(self, outgoing: Outgoing) -> Incoming:
        """The response as soon as its headers are there.

        :raises TransportTimeout: when they are late. :raises TransportFailure: otherwise.
        """

    async def close(self) -> None:
        """End idle connections."""


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """Where a back end is: the URL that paths are appended to, and a Unix socket if any."""

    url: str
    socket: str | None = None


def parse_base_url(text: str) -> BaseUrl:
    """A back end's base URL.

    Besides ``http`` and ``https``: ``http+unix:///abs/path/name.sock``, the socket's whole path, or
    ``http+unix://%2Fabs%2Fname.sock/base`` when a base path must follow.

    :raises ValueError: when the text is no absolute URL of these schemes.
    """
    parts = urlsplit(text.strip())
    if parts.scheme == "http+unix":
        if parts.netloc:
            return BaseUrl(f"http://localhost{parts.path.rstrip('/')}", unquote(parts.netloc))
        if not parts.path:
            raise ValueError(f"'{text}' names no socket: write http+unix:///path/name.sock")
        return BaseUrl("http://localhost", unquote(parts.path))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"'{text}' is no absolute http or https URL")
    path = parts.path.rstrip("/")
    return BaseUrl(f"{parts.scheme}://{parts.netloc}{path}")


class HttpTransport:
    """aiohttp with connection reuse; one pool for TCP and one for each Unix socket.

    ``tls`` verifies https back ends (a context with the local CA); None is the system's own.
    """

    def __init__(
        self, *, tls: SSLContext | None = None, connections: int = 256, idle_seconds: float = 30.0
    ) -> None:
        self._tls = tls
        self._connections = connections
        self._idle_seconds = idle_seconds
        self._sessions: dict[str | None, aiohttp.ClientSession] = {}

    async def send(self, outgoing: Outgoing) -> Incoming:
        session = self._session(outgoing.socket)
        headers = CIMultiDict(outgoing.headers)
        try:
            async with asyncio.timeout(outgoing.timeout):
                response = await session.request(
                    outgoing.method,
                    URL(outgoing.url, encoded=True),
                    headers=headers,
                    data=outgoing.body,
                    allow_redirects=outgoing.follow_redirects,
                )
        except TimeoutError as error:
            raise TransportTimeout(
                f"no response within {outgoing.timeout:g} s from {_place(outgoing)}"
            ) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise TransportFailure(f"{_place(outgoing)}: {error}") from error
        return Incoming(
            status=response.status,
            reason=response.reason or "",
            headers=list(response.headers.items()),
            body=_chunks(response, outgoing),
            close=response.close,
        )

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    def _session(self, socket: str | None) -> aiohttp.ClientSession:
        session = self._sessions.get(socket)
        if session is None:
            session = self._sessions[socket] = aiohttp.ClientSession(
                connector=self._connector(socket),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                timeout=aiohttp.ClientTimeout(total=None, sock_read=300.0),
                raise_for_status=False,
            )
        return session

    def _connector(self, socket: str | None) -> aiohttp.BaseConnector:
        if socket is not None:
            return aiohttp.UnixConnector(
                socket, limit=self._connections, keepalive_timeout=self._idle_seconds
            )
        return aiohttp.TCPConnector(
            limit=self._connections,
            keepalive_timeout=self._idle_seconds,
            ssl=self._tls if self._tls is not None else True,
        )


def _place(outgoing: Outgoing) -> str:
    return outgoing.socket or outgoing.url.split("?", 1)[0]


async def _chunks(response: aiohttp.ClientResponse, outgoing: Outgoing) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise TransportFailure(f"{_place(outgoing)}: the response broke off: {error}") from error
    finally:
        response.release()
