"""The seam to back ends and services: HTTP over TCP or a Unix socket, bodies streamed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote, urlsplit


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


@dataclass(slots=True)
class Incoming:
    """A response whose body may still be on the wire; ``close`` ends it and frees the connection.

    ``content`` is the whole body where all of it came with the headers: then nothing has to be read
    or closed. It is None otherwise.
    """

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: AsyncIterator[bytes]
    close: Callable[[], None]
    content: bytes | None = None


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
