"""Connections to back ends and services, kept and used again; one pool for each place."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from hybridmandate.governance.gateway.http_connection import HttpConnection
from hybridmandate.governance.gateway.transport import (
    Incoming,
    Outgoing,
    TransportFailure,
    TransportTimeout,
)

Place = tuple[str, str, int]
Address = tuple[str, Place]
"""What goes into ``Host``, and where to connect: scheme, host, port."""
_MOST_ADDRESSES = 1000
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


class HttpPool:
    """HTTP/1.1 over TCP, TLS and Unix sockets.

    ``tls`` verifies https (a context with the local CA); None is the system's own. At most
    ``connections`` requests wait for the answer of one place, more of them queue within their
    time-out. An idle connection older than ``idle_seconds`` is not used again. ``read_timeout`` is
    seconds between two pieces of a response's body.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        connections: int = 256,
        idle_seconds: float = 30.0,
        read_timeout: float = 300.0,
    ) -> None:
        self._tls = tls
        self._limit = connections
        self._idle_seconds = idle_seconds
        self._read_timeout = read_timeout
        self._idle: dict[Place, list[tuple[float, HttpConnection]]] = {}
        self._open: dict[Place, asyncio.Semaphore] = {}
        self._addresses: dict[str, Address] = {}

    async def send(self, outgoing: Outgoing) -> Incoming:
        """The response as soon as its headers are there.

        :raises TransportTimeout: when they are late. :raises TransportFailure: otherwise.
        """
        origin, target = _cut(outgoing.url)
        address = self._addresses.get(origin)
        if address is None:
            address = _address(origin)
            if len(self._addresses) < _MOST_ADDRESSES:
                self._addresses[origin] = address
        authority, (scheme, host, port) = address
        place = (f"{scheme}+{outgoing.socket or ''}", host, port)
        chunked = outgoing.body is not None and not isinstance(outgoing.body, bytes)
        chunked = chunked and not any(n.lower() == "content-length" for n, _ in outgoing.headers)
        head = _head(outgoing, authority, target, chunked=chunked)
        room = self._open.get(place)
        if room is None:
            room = self._open[place] = asyncio.Semaphore(self._limit)
        try:
            async with asyncio.timeout(outgoing.timeout):
                async with room:
                    return await self._exchange(place, outgoing, head, chunked=chunked)
        except TimeoutError as error:
            raise TransportTimeout(
                f"no response within {outgoing.timeout:g} s from {outgoing.socket or host}"
            ) from error
        except (OSError, ssl.SSLError) as error:
            raise TransportFailure(f"{outgoing.socket or host}: {error}") from error

    async def close(self) -> None:
        """End idle connections."""
        for idle in self._idle.values():
            for _, connection in idle:
                connection.close()
        self._idle.clear()

    async def _exchange(
        self, place: Place, outgoing: Outgoing, head: bytes, *, chunked: bool
    ) -> Incoming:
        body: bytes | AsyncIterator[bytes] | None = outgoing.body
        connection = self._kept(place)
        again = outgoing.method in _IDEMPOTENT and (body is None or isinstance(body, bytes))
        if connection is not None:
            try:
                return await self._on(connection, outgoing, head, body, chunked=chunked)
            except TransportFailure:
                # The other side may have closed an idle connection at this very moment.
                if not again or connection.begun:
                    raise
        connection = await self._connect(place, outgoing)
        return await self._on(connection, outgoing, head, body, chunked=chunked)

    @staticmethod
    async def _on(
        connection: HttpConnection,
        outgoing: Outgoing,
        head: bytes,
        body: bytes | AsyncIterator[bytes] | None,
        *,
        chunked: bool,
    ) -> Incoming:
        try:
            return await connection.send(outgoing.method, head, body, chunked=chunked)
        except BaseException:
            connection.close()
            raise

    def _kept(self, place: Place) -> HttpConnection | None:
        idle = self._idle.get(place)
        oldest = asyncio.get_running_loop().time() - self._idle_seconds
        while idle:
            since, connection = idle.pop()
            if connection.usable and since >= oldest:
                return connection
            connection.close()
        return None

    async def _connect(self, place: Place, outgoing: Outgoing) -> HttpConnection:
        loop = asyncio.get_running_loop()

        def release(connection: HttpConnection) -> None:
            self._idle.setdefault(place, []).append((loop.time(), connection))

        def make() -> HttpConnection:
            return HttpConnection(release, self._read_timeout)

        if outgoing.socket is not None:
            if not hasattr(loop, "create_unix_connection"):
                raise TransportFailure("this system has no Unix sockets: name the back end by port")
            _, connection = await loop.create_unix_connection(make, outgoing.socket)
            return connection
        context: ssl.SSLContext | None = None
        if place[0].startswith("https"):
            context = self._tls or ssl.create_default_context()
        _, connection = await loop.create_connection(make, place[1], place[2], ssl=context)
        return connection


def _cut(url: str) -> tuple[str, str]:
    """Origin and target (path and query) of an absolute URL, the fragment left out."""
    begin = url.find("//") + 2
    place = url.find("/", begin)
    query = url.find("?", begin)
    end = min(each for each in (place, query, len(url)) if each >= 0)
    target = url[end:].partition("#")[0]
    return url[:end], target if target.startswith("/") else f"/{target}"


def _address(origin: str) -> Address:
    """Where an origin is. User information in it is not sent."""
    parts = urlsplit(origin)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts.netloc.rpartition("@")[2], (parts.scheme, parts.hostname or "localhost", port)


def _head(outgoing: Outgoing, host: str, target: str, *, chunked: bool) -> bytes:
    """Request line and headers. :raises TransportFailure: for signs that would break them."""
    lines = [f"{outgoing.method} {target} HTTP/1.1"]
    names = {name.lower() for name, _ in outgoing.headers}
    if "host" not in names:
        lines.append(f"host: {host}")
    lines.extend(f"{name}: {value}" for name, value in outgoing.headers)
    if chunked:
        lines.append("transfer-encoding: chunked")
    elif isinstance(outgoing.body, bytes):
        lines.append(f"content-length: {len(outgoing.body)}")
    elif outgoing.body is None and outgoing.method not in ("GET", "HEAD", "OPTIONS", "DELETE"):
        lines.append("content-length: 0")
    text = "\r\n".join(lines)
    if text.count("\r") != len(lines) - 1 or text.count("\n") != len(lines) - 1 or "\0" in text:
        raise TransportFailure("a header or the address of the request holds a line break")
    if " " in target:
        raise TransportFailure("the address of the request holds a space")
    return f"{text}\r\n\r\n".encode("latin-1", "replace")
