"""Another way to the back end of one call: with a client certificate, or through a proxy.

Only what ``forward-request`` sends goes this way; requests of ``send-request`` keep theirs.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import httpx

from hybridmandate.governance.gateway.certificate_store import StoredCertificate
from hybridmandate.governance.gateway.transport import (
    Incoming,
    Outgoing,
    Transport,
    TransportFailure,
    TransportTimeout,
)

if TYPE_CHECKING:
    from hybridmandate.governance.gateway.exchange import Exchange

_BODY_SECONDS = 300.0


@dataclass(slots=True)
class ToBackend(Outgoing):
    """A request to the back end, not to another service."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A forward proxy: its http or https URL, and credentials if it asks for them."""

    url: str
    username: str | None = None
    password: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """How a request goes out; ``authorities`` are trusted beside the system's own."""

    certificate: StoredCertificate | None = None
    proxy: Proxy | None = None
    authorities: tuple[StoredCertificate, ...] = ()


class RoutedTransport:
    """A transport that sends requests by a route; each has a connection of its own."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self._closing: set[asyncio.Task[None]] = set()

    async def send(self, outgoing: Outgoing) -> Incoming:
        """The response as soon as its headers are there.

        :raises TransportTimeout: when they are late. :raises TransportFailure: otherwise.
        """
        client = self._client(outgoing)
        try:
            async with asyncio.timeout(outgoing.timeout):
                response = await client.send(
                    client.build_request(
                        outgoing.method,
                        outgoing.url,
                        headers=outgoing.headers,
                        content=outgoing.body,
                    ),
                    stream=True,
                )
        except (TimeoutError, httpx.TimeoutException) as error:
            await client.aclose()
            raise TransportTimeout("the response headers did not arrive in time") from error
        except (httpx.HTTPError, ssl.SSLError, OSError) as error:
            await client.aclose()
            raise TransportFailure(str(error) or type(error).__name__) from error
        except asyncio.CancelledError:
            await client.aclose()
            raise

        def close() -> None:
            task = asyncio.ensure_future(client.aclose())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

        return Incoming(
            response.status_code,
            response.reason_phrase,
            list(response.headers.multi_items()),
            _pieces(response),
            close,
        )

    async def close(self) -> None:
        """Wait for connections that are being closed."""
        await asyncio.gather(*self._closing)

    def _client(self, outgoing: Outgoing) -> httpx.AsyncClient:
        proxy = None
        if self.route.proxy is not None:
            user, password = self.route.proxy.username, self.route.proxy.password
            auth = None if user is None else (user, password or "")
            proxy = httpx.Proxy(self.route.proxy.url, auth=auth)
        socket = outgoing.socket
        return httpx.AsyncClient(
            verify=tls_context(self.route),
            proxy=proxy,
            transport=None if socket is None else httpx.AsyncHTTPTransport(uds=socket),
            timeout=httpx.Timeout(_BODY_SECONDS),
            trust_env=False,
            follow_redirects=False,
        )


class BackendTransport:
    """What goes to the back end takes a route of its own, all else the usual one."""

    def __init__(self, usual: Transport, routed: RoutedTransport) -> None:
        self.usual = usual
        self.routed = routed

    async def send(self, outgoing: Outgoing) -> Incoming:
        """As the transport that the request belongs to."""
        chosen: Transport = self.routed if isinstance(outgoing, ToBackend) else self.usual
        return await chosen.send(outgoing)

    async def close(self) -> None:
        """The usual transport belongs to the gateway and stays open."""
        await self.routed.close()


def present_certificate(
    exchange: Exchange,
    certificate: StoredCertificate,
    authorities: tuple[StoredCertificate, ...] = (),
) -> None:
    """From now on this call's back end is shown the certificate."""
    _take(exchange, replace(_route(exchange), certificate=certificate, authorities=authorities))


def use_proxy(exchange: Exchange, proxy: Proxy) -> None:
    """From now on this call's back end is reached through the proxy."""
    _take(exchange, replace(_route(exchange), proxy=proxy))


def _route(exchange: Exchange) -> Route:
    current = exchange.services.transport
    return current.routed.route if isinstance(current, BackendTransport) else Route()


def _take(exchange: Exchange, route: Route) -> None:
    """The call gets services of its own, equal to the gateway's but for the transport."""
    current = exchange.services.transport
    usual = current.usual if isinstance(current, BackendTransport) else current
    exchange.services = replace(
        exchange.services, transport=BackendTransport(usual, RoutedTransport(route))
    )


def tls_context(route: Route) -> ssl.SSLContext:
    """Verifies the other side, and shows the route's certificate where it has one.

    :raises TransportFailure: when certificate and key do not belong together.
    """
    context = ssl.create_default_context()
    for each in route.authorities:
        context.load_verify_locations(cadata=each.pem().decode())
    if route.certificate is not None:
        with _as_file(route.certificate.pem()) as path:
            try:
                context.load_cert_chain(path)
            except ssl.SSLError as error:
                raise TransportFailure(f"the client certificate cannot be used: {error}") from error
    return context


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """OpenSSL reads keys from files only: one that nobody else can read, gone at the end."""
    handle, path = tempfile.mkstemp()
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        yield path
    finally:
        os.unlink(path)  # noqa: PTH108


async def _pieces(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body as it came over the wire, compressed or not."""
    try:
        async for piece in response.aiter_raw():
            yield piece
    except httpx.HTTPError as error:
        raise TransportFailure(str(error) or type(error).__name__) from error
