"""Connections to back ends and services, kept and used again; one pool for each place."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from urllib.parse import urlsplit

from hybridmandate.governance.gateway.http_connection import HttpConnection
from hybridmandate.governance.gateway.transport import (
    Incoming,
    Outgoing,
    TransportFailure,
    TransportTimeout,
)

_MOST_PLACES = 1000
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
        self._places: dict[tuple[str, str | None], _Place] = {}

    async def send(self, outgoing: Outgoing) -> Incoming:
        """The response as soon as its headers are there.

        :raises TransportTimeout: when they are late. :raises TransportFailure: otherwise.
        """
        origin, target = _cut(outgoing.url)
        place = self._places.get((origin, outgoing.socket)) or self._place(origin, outgoing.socket)
        body = outgoing.body
        chunked = not (
            body is None or isinstance(body, bytes) or _names("content-length", outgoing.headers)
        )
        head = _head(outgoing, place.authority, target, chunked=chunked)
        try:
            if place.room.enter():
                return await self._exchange(place, outgoing, head, chunked=chunked)
            async with asyncio.timeout(outgoing.timeout):
                await place.room.turn()
                return await self._exchange(place, outgoing, head, chunked=chunked)
        except (TimeoutError, TransportTimeout) as error:
            raise TransportTimeout(
                f"no response within {outgoing.timeout:g} s from {outgoing.socket or place.host}"
            ) from error
        except OSError as error:
            raise TransportFailure(f"{outgoing.socket or place.host}: {error}") from error

    async def close(self) -> None:
        """End idle connections."""
        for place in self._places.values():
            place.close_idle()

    def _place(self, origin: str, socket: str | None) -> _Place:
        if len(self._places) >= _MOST_PLACES:
            self._places.pop(next(iter(self._places))).retire()
        place = self._places[(origin, socket)] = _Place(origin, socket, self._limit)
        return place

    async def _exchange(
        self, place: _Place, outgoing: Outgoing, head: bytes, *, chunked: bool
    ) -> Incoming:
        """Send in the room of the place, and leave it."""
        try:
            connection = self._kept(place)
            if connection is not None:
                try:
                    return await connection.send(outgoing, head, chunked=chunked)
                except TransportTimeout:
                    raise
                except TransportFailure:
                    # The other side may have closed an idle connection at this very moment.
                    body = outgoing.body
                    is_at_hand = body is None or isinstance(body, bytes)
                    again = outgoing.method in _IDEMPOTENT and is_at_hand
                    if not again or connection.begun:
                        raise
            async with asyncio.timeout(outgoing.timeout):
                connection = await self._connect(place)
                return await connection.send(outgoing, head, chunked=chunked)
        finally:
            place.room.leave()

    def _kept(self, place: _Place) -> HttpConnection | None:
        oldest = asyncio.get_running_loop().time() - self._idle_seconds
        while place.idle:
            since, connection = place.idle.pop()
            if connection.usable and since >= oldest:
                return connection
            connection.close()
        return None

    async def _connect(self, place: _Place) -> HttpConnection:
        loop = asyncio.get_running_loop()

        def make() -> HttpConnection:
            return HttpConnection(place.release, self._read_timeout)

        if place.socket is not None:
            if not hasattr(loop, "create_unix_connection"):
                raise TransportFailure("this system has no Unix sockets: name the back end by port")
            _, connection = await loop.create_unix_connection(make, place.socket)
            return connection
        context: ssl.SSLContext | None = None
        if place.scheme == "https":
            context = self._tls or ssl.create_default_context()
        _, connection = await loop.create_connection(make, place.host, place.port, ssl=context)
        return connection


class _Place:
    """Where connections go: a scheme, host and port, or a socket, and what is open there."""

    __slots__ = ("_retired", "authority", "host", "idle", "port", "room", "scheme", "socket")

    def __init__(self, origin: str, socket: str | None, limit: int) -> None:
        parts = urlsplit(origin)
        self.scheme = parts.scheme
        self.host = parts.hostname or "localhost"
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.authority = parts.netloc.rpartition("@")[2]
        """What goes into ``Host``; user information is not sent."""
        self.socket = socket
        self.room = _Room(limit)
        self.idle: list[tuple[float, HttpConnection]] = []
        self._retired = False

    def release(self, connection: HttpConnection) -> None:
        """A connection may carry the next request."""
        if self._retired:
            connection.close()
        else:
            self.idle.append((connection.loop.time(), connection))

    def close_idle(self) -> None:
        """End the connections that carry nothing."""
        while self.idle:
            self.idle.pop()[1].close()

    def retire(self) -> None:
        """No further request goes this way; those that are under way end."""
        self._retired = True
        self.close_idle()


class _Room:
    """So many may be inside at a time; who comes when it is full waits in line.

    A semaphore whose usual case, that there is room, waits for nothing.
    """

    __slots__ = ("_free", "_line")

    def __init__(self, size: int) -> None:
        self._free = size
        self._line: deque[asyncio.Future[None]] = deque()

    def enter(self) -> bool:
        """Enter, if there is room; while anybody stands in line there is none."""
        if self._free == 0:
            return False
        self._free -= 1
        return True

    async def turn(self) -> None:
        """Stand in line, and enter."""
        waiter = asyncio.get_running_loop().create_future()
        self._line.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                # Both happened at once: whoever gives up passes its turn on.
                self.leave()
            raise

    def leave(self) -> None:
        """Make room: for the first in line, if anybody still waits."""
        while self._line:
            waiter = self._line.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1


def _cut(url: str) -> tuple[str, str]:
    """Origin and target (path and query) of an absolute URL, the fragment left out."""
    begin = url.find("//") + 2
    place = url.find("/", begin)
    query = url.find("?", begin)
    if place < 0 or 0 <= query < place:
        place = len(url) if query < 0 else query
    target = url[place:]
    if "#" in target:
        target = target[: target.index("#")]
    return url[:place], target if target.startswith("/") else f"/{target}"


def _names(name: str, headers: list[tuple[str, str]]) -> bool:
    """Whether a header of this name (lower case) is among them."""
    size = len(name)
    return name in [each.lower() for each, _ in headers if len(each) == size]


def _head(outgoing: Outgoing, host: str, target: str, *, chunked: bool) -> bytes:
    """Request line and headers. :raises TransportFailure: for signs that would break them."""
    headers, body = outgoing.headers, outgoing.body
    begin = f"{outgoing.method} {target} HTTP/1.1\r\n"
    breaks = len(headers) + 2
    if not _names("host", headers):
        begin = f"{begin}host: {host}\r\n"
        breaks += 1
    end = "\r\n"
    if chunked:
        end = "transfer-encoding: chunked\r\n\r\n"
    elif isinstance(body, bytes):
        end = f"content-length: {len(body)}\r\n\r\n"
    elif body is None and outgoing.method not in ("GET", "HEAD", "OPTIONS", "DELETE"):
        end = "content-length: 0\r\n\r\n"
    breaks += end.count("\n") - 1
    text = "".join([begin, *[f"{name}: {value}\r\n" for name, value in headers], end])
    if text.count("\r") != breaks or text.count("\n") != breaks or "\0" in text:
        raise TransportFailure("a header or the address of the request holds a line break")
    if " " in target:
        raise TransportFailure("the address of the request holds a space")
    return text.encode("latin-1", "replace")
