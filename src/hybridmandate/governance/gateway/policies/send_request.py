"""send-request and send-one-way-request: call another service (their policy pages)."""

from __future__ import annotations

import asyncio
import base64

from hybridmandate.governance.gateway.backend_route import Route, RoutedTransport
from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.expression_context import shown_response
from hybridmandate.governance.gateway.messages import HOP_BY_HOP, Body, HeaderMap, Response
from hybridmandate.governance.gateway.policies.authentication_certificate import ClientCertificate
from hybridmandate.governance.gateway.policies.proxy import ProxyChoice
from hybridmandate.governance.gateway.policies.set_body import BodyChange
from hybridmandate.governance.gateway.policies.set_header import HeaderChange
from hybridmandate.governance.gateway.registry import ElementReader, Policy, policy
from hybridmandate.governance.gateway.transport import (
    Outgoing,
    Transport,
    TransportFailure,
    TransportTimeout,
    parse_base_url,
)
from hybridmandate.governance.gateway.values import Constant, integer_of, text_of
from hybridmandate.identity.principal import TokenUnavailable

_MAX_ANSWER_BYTES = 4 * 1024 * 1024
_NOT_SENT = HOP_BY_HOP | {"content-length"}


class OwnRequest:
    """The request that the children describe; ``mode`` copy starts from the current one."""

    def __init__(self, reader: ElementReader) -> None:
        self._mode = reader.choice_value("mode", ("new", "copy"), "new")
        self._timeout = reader.number_value("timeout", 60, least=1)
        url = reader.child("set-url")
        if url is None and isinstance(self._mode, Constant) and self._mode.value == "new":
            reader.refuse(f"<{reader.name}> with mode new needs <set-url>")
        self._url = None if url is None else url.content()
        method = reader.child("set-method")
        self._method = None if method is None else method.content()
        self._headers = [HeaderChange(each) for each in reader.children("set-header")]
        body = reader.child("set-body")
        self._body = None if body is None else BodyChange(body, on_request=True)
        self._identity = reader.child("authentication-managed-identity")
        if self._identity is not None:
            self._resource = self._identity.value("resource")
            self._client = self._identity.optional_literal("client-id")
        basic = reader.child("authentication-basic")
        self._basic = None if basic is None else (basic.value("username"), basic.value("password"))
        certificate = reader.child("authentication-certificate")
        self._certificate = None if certificate is None else ClientCertificate(certificate)
        proxy = reader.child("proxy")
        self._proxy = None if proxy is None else ProxyChoice(proxy)

    def transport(self, exchange: Exchange) -> Transport:
        """The gateway's, or one of its own where a certificate or proxy is asked for."""
        if self._certificate is None and self._proxy is None:
            return exchange.services.transport
        certificate = self._certificate
        return RoutedTransport(
            Route(
                certificate=None if certificate is None else certificate.get(exchange),
                proxy=None if self._proxy is None else self._proxy.get(exchange),
                authorities=() if certificate is None else certificate.authorities(),
            )
        )

    async def outgoing(self, exchange: Exchange) -> Outgoing:
        """The request, ready to be sent."""
        request = exchange.request
        headers = HeaderMap()
        content = b""
        copies = self._mode.get(exchange) == "copy"
        if copies:
            headers = request.headers.copy()
            headers.remove("host")
            content = await request.body.buffer() if not request.body.taken else b""
        for change in self._headers:
            change.apply(exchange, headers)
        await self._authenticate(exchange, headers)
        if self._body is not None:
            content = self._body.content(exchange, content)
        method = request.method if copies else "GET"
        if self._method is not None:
            method = text_of(self._method.get(exchange)).strip().upper()
        target, socket = self._target(exchange)
        return Outgoing(
            method=method,
            url=target,
            headers=[each for each in headers.lines() if each[0].lower() not in _NOT_SENT],
            body=content or None,
            timeout=float(integer_of(self._timeout.get(exchange))),
            socket=socket,
        )

    def _target(self, exchange: Exchange) -> tuple[str, str | None]:
        if self._url is None:
            return str(exchange.request.url), exchange.backend.socket if exchange.backend else None
        text = text_of(self._url.get(exchange)).strip()
        location, question, query = text.partition("?")
        try:
            base = parse_base_url(location)
        except ValueError as error:
            raise PolicyError(500, "BackendConnectionFailure", str(error)) from error
        slash = "/" if location.endswith("/") and base.socket is None else ""
        return f"{base.url}{slash}{question}{query}", base.socket

    async def _authenticate(self, exchange: Exchange, headers: HeaderMap) -> None:
        if self._identity is not None:
            source = exchange.services.tokens(self._client)
            try:
                token = await source.token(text_of(self._resource.get(exchange)))
            except TokenUnavailable as error:
                raise PolicyError(500, "ManagedIdentityTokenFailure", str(error)) from error
            headers.set("Authorization", [f"Bearer {token}"])
        if self._basic is not None:
            user, password = (text_of(each.get(exchange)) for each in self._basic)
            pair = base64.b64encode(f"{user}:{password}".encode()).decode()
            headers.set("Authorization", [f"Basic {pair}"])


@policy("send-request")
class SendRequest(Policy):
    """The answer goes into a variable; with ignore-error a failure leaves null there."""

    def __init__(self, reader: ElementReader) -> None:
        self._variable = reader.value("response-variable-name")
        self._ignore = reader.flag("ignore-error", False)
        self._request = OwnRequest(reader)

    async def act(self, exchange: Exchange) -> None:
        name = text_of(self._variable.get(exchange))
        try:
            outgoing = await self._request.outgoing(exchange)
            response = await answer(self._request.transport(exchange), outgoing)
            exchange.variables[name] = shown_response(response)
        except TransportFailure as error:
            if self._ignore:
                exchange.variables[name] = None
                return
            raise PolicyError(500, failure_reason(error), f"The request failed: {error}") from error


@policy("send-one-way-request")
class SendOneWayRequest(Policy):
    """Fire and forget: the pipeline does not wait, and a failure is not seen."""

    def __init__(self, reader: ElementReader) -> None:
        self._request = OwnRequest(reader)

    async def act(self, exchange: Exchange) -> None:
        outgoing = await self._request.outgoing(exchange)
        transport = self._request.transport(exchange)
        task = asyncio.create_task(self._send(exchange, transport, outgoing))
        exchange.services.background.add(task)
        task.add_done_callback(exchange.services.background.discard)

    @staticmethod
    async def _send(exchange: Exchange, transport: Transport, outgoing: Outgoing) -> None:
        try:
            await answer(transport, outgoing)
        except TransportFailure as error:
            exchange.services.telemetry("one-way-request.failed", "", {"error": str(error)[:200]})


def failure_reason(error: TransportFailure) -> str:
    """The reason that LastError gives for a request that failed."""
    return "Timeout" if isinstance(error, TransportTimeout) else "BackendConnectionFailure"


async def answer(transport: Transport, outgoing: Outgoing) -> Response:
    """The whole response of another service.

    :raises TransportFailure: when it does not answer or its body is too large or late.
    """
    incoming = await transport.send(outgoing)
    content = bytearray()
    try:
        async with asyncio.timeout(outgoing.timeout):
            async for chunk in incoming.body:
                content += chunk
                if len(content) > _MAX_ANSWER_BYTES:
                    raise TransportFailure("the answer is larger than 4 MiB")
    except TimeoutError as error:
        raise TransportTimeout("the answer did not arrive in time") from error
    finally:
        incoming.close()
    headers = HeaderMap(each for each in incoming.headers if each[0].lower() not in HOP_BY_HOP)
    return Response(incoming.status, incoming.reason, headers, Body(bytes(content)))
