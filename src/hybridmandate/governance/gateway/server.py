"""The gateway as an ASGI application: no framework on the hot path, bodies streamed both ways."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from ssl import PEM_cert_to_DER_cert, SSLContext
from typing import Any

from hybridmandate.evidence.record import Record, Recorder, Tier
from hybridmandate.governance.gateway.backends import Backends
from hybridmandate.governance.gateway.cache import Cache, ProcessCache
from hybridmandate.governance.gateway.call_record import call_record
from hybridmandate.governance.gateway.configuration import ApiEntry, Configuration, OperationEntry
from hybridmandate.governance.gateway.counters import Counters, ProcessCounters
from hybridmandate.governance.gateway.errors import PolicyDocumentError, PolicyError
from hybridmandate.governance.gateway.exchange import Exchange, Services
from hybridmandate.governance.gateway.gateway import Gateway, ServedApi, ServedOperation
from hybridmandate.governance.gateway.http_pool import HttpPool
from hybridmandate.governance.gateway.messages import (
    SMALL_BYTES,
    Body,
    HeaderMap,
    Request,
    Url,
)
from hybridmandate.governance.gateway.pipeline import Pipeline
from hybridmandate.governance.gateway.request_body import RequestBody
from hybridmandate.governance.gateway.routing import Match
from hybridmandate.governance.gateway.safety import check_headers, check_path
from hybridmandate.governance.gateway.settings import GatewaySettings
from hybridmandate.governance.gateway.signing_keys import SigningKeys
from hybridmandate.governance.gateway.transport import (
    BaseUrl,
    Transport,
    TransportFailure,
)
from hybridmandate.governance.gateway.verified_tokens import VerifiedTokens
from hybridmandate.identity.principal import TokenSource

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_NOWHERE = ApiEntry(id="", name="", path="", service_url=None, operations=())
_NO_BODY_STATUSES = frozenset({204, 304})


def create_app(
    settings: GatewaySettings,
    configuration: Configuration,
    tokens: Callable[[str | None], TokenSource],
    recorder: Recorder,
    *,
    tls: SSLContext | None = None,
    transport: Transport | None = None,
    counters: Counters | None = None,
    cache: Cache | None = None,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    randomness: Callable[[], float] = random.random,
) -> GatewayApp:
    """The gateway for one configuration.

    ``tokens`` gives the source of the gateway's own tokens by client id (None: its own identity);
    ``tls`` verifies https back ends and issuers. ``clock`` gives seconds since the epoch.

    :raises PolicyDocumentError: for whatever API Management would reject at deployment.
    """
    gateway = Gateway(configuration)
    sender = transport or HttpPool(tls=tls)

    def telemetry(kind: str, name: str, detail: Mapping[str, Any]) -> None:
        recorder.record(
            Record(
                time_ns=int(clock() * 1e9),
                tier=Tier.GATEWAY,
                kind=kind,
                subject=name,
                detail=detail,
            )
        )

    services = Services(
        clock=clock,
        random=randomness,
        sleep=sleep,
        transport=sender,
        tokens=tokens,
        counters=counters or ProcessCounters(clock),
        cache=cache or ProcessCache(clock),
        keys=SigningKeys(sender, clock, refetch_after=settings.key_refetch_seconds),
        verified=VerifiedTokens(),
        backends=Backends(configuration.backends, clock),
        telemetry=telemetry,
        region=settings.region,
        service_name=settings.service_name,
    )
    return GatewayApp(settings, gateway, services, recorder)


class GatewayApp:
    """The ASGI application; ``reload`` replaces what it serves while it runs."""

    def __init__(
        self,
        settings: GatewaySettings,
        gateway: Gateway,
        services: Services,
        recorder: Recorder,
    ) -> None:
        self.settings = settings
        self.gateway = gateway
        self.services = services
        self._recorder = recorder

    def reload(self, configuration: Configuration) -> PolicyDocumentError | None:
        """Serve another configuration from the next call on; a bad one leaves all as it is.

        Calls that are under way end with the policies that they began with. Counters, caches and
        circuits of back ends that did not change live on. What happened becomes evidence
        (``policy.reloaded``, ``policy.reload-refused``); the reason of a refusal is returned.
        """
        try:
            gateway = Gateway(configuration)
        except PolicyDocumentError as error:
            self.keep(error)
            return error
        self.services.backends = self.services.backends.renewed(configuration.backends)
        self.gateway = gateway
        self.services.telemetry("policy.reloaded", "", {"apis": len(configuration.apis)})
        return None

    def keep(self, error: PolicyDocumentError) -> None:
        """Note that a new configuration could not be used, and that the one at hand stays."""
        self.services.telemetry(
            "policy.reload-refused",
            error.file,
            {"line": error.line, "column": error.column, "reason": error.reason[:500]},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            if path in ("/health/live", "/health/ready"):
                await _send_plain(send, 200, b'{"status":"ok"}')
                return
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1002})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                for task in list(self.services.background):
                    task.cancel()
                await self.services.transport.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        time_ns = int(self.services.clock() * 1e9)
        exchange, pipeline, error, body = self._route(scope, receive)
        broke: str | None = None
        try:
            if error is not None:
                await pipeline.refuse(exchange, error)
            else:
                await self._run(exchange, pipeline, body)
            await _read_small(exchange)
            await self._answer(exchange, scope["method"], send)
        except TransportFailure as failure:
            broke = str(failure)
            raise
        except asyncio.CancelledError:
            broke = "the caller went away"
            if not body.caller_left:
                raise
        finally:
            exchange.let_go_of_response()
            exchange.bytes_in = body.received
            for callback in exchange.after_sent:
                callback(exchange)
            duration = (time.perf_counter() - started) * 1000
            self._recorder.record(
                call_record(exchange, time_ns=time_ns, duration_ms=duration, broke=broke)
            )

    async def _run(self, exchange: Exchange, pipeline: Pipeline, body: RequestBody) -> None:
        watch = body.watch_caller(self.settings.disconnect_after)
        try:
            if exchange.preflight and await pipeline.answer_preflight(exchange):
                return
            await pipeline.run(exchange)
        finally:
            watch.stop()

    def _route(
        self, scope: Scope, receive: Receive
    ) -> tuple[Exchange, Pipeline, PolicyError | None, RequestBody]:
        """Everything that is decided before the first policy; an error goes to on-error."""
        body = RequestBody(receive, self.settings.max_body_bytes, self.settings.body_timeout)
        request = self._request(scope, body)
        exchange = Exchange(self.services, request, api=_NOWHERE, operation=None)
        body.exchange = exchange
        pipeline = self.gateway.pipeline
        try:
            raw = scope.get("raw_path") or scope["path"].encode()
            path = check_path(raw.split(b"?", 1)[0])
            check_headers(
                scope["headers"],
                most_bytes=self.settings.max_header_bytes,
                most_count=self.settings.max_header_count,
            )
            found = self.gateway.find_api(path, request)
            if found is None:
                raise _no_operation()
            api, rest = found
            exchange.api = api.entry
            pipeline = api.pipeline
            match = self._operation(exchange, api, rest)
            served = match.target
            exchange.operation = served.entry
            request.matched_parameters = dict(match.parameters)
            exchange.backend = api.backend
            _point_at(request.url, api.backend, rest)
            pipeline = self._subscribed(exchange, api, served)
            self._limit_body(exchange, body)
        except PolicyError as error:
            return exchange, pipeline, error, body
        return exchange, pipeline, None, body

    @staticmethod
    def _operation(exchange: Exchange, api: ServedApi, rest: str) -> Match[ServedOperation]:
        request = exchange.request
        match = api.operations.find(request.method, rest)
        if match is not None:
            return match
        wanted = request.headers.get("access-control-request-method")
        if request.method == "OPTIONS" and wanted is not None and "origin" in request.headers:
            match = api.operations.find(wanted.upper(), rest)
            if match is not None:
                exchange.preflight = True
                return match
        raise _no_operation()

    def _subscribed(self, exchange: Exchange, api: ServedApi, served: ServedOperation) -> Pipeline:
        request = exchange.request
        header = api.entry.subscription_key_header
        key = request.headers.get(header)
        if key is None and request.url.raw_query:
            key = next(iter(request.url.query.get(api.entry.subscription_key_query, ())), None)
        if exchange.preflight:
            return served.pipelines[None]
        exchange.subscription = self.gateway.subscribe(api.entry, key)
        exchange.product = self.gateway.product(api.entry, exchange.subscription)
        request.headers.remove(header)
        product = exchange.product.id if exchange.product is not None else None
        return served.pipelines[product]

    def _limit_body(self, exchange: Exchange, body: RequestBody) -> None:
        operation: OperationEntry | None = exchange.operation
        body.limit = self.settings.body_limit(
            exchange.api.id, operation.id if operation is not None else None
        )
        declared = exchange.request.headers.get("content-length")
        if declared is not None and int(declared) > body.limit:
            raise body.too_large()

    def _request(self, scope: Scope, body: RequestBody) -> Request:
        headers = HeaderMap()
        has_body = False
        for name, value in scope["headers"]:
            headers.add(name.decode("latin-1"), value.decode("latin-1"))
            if name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
                has_body = True
        if not has_body:
            body.has_none()
        host, _, port = (headers.get("host") or "localhost").partition(":")
        scheme = scope.get("scheme", "http")
        number = int(port) if port.isdigit() else (443 if scheme == "https" else 80)
        raw = scope.get("raw_path") or scope["path"].encode()
        query = scope["query_string"].decode("latin-1")
        path = raw.split(b"?", 1)[0].decode("latin-1")
        client = scope.get("client")
        address = client[0] if client else "127.0.0.1"
        if self.settings.client_address_header is not None:
            address = headers.get(self.settings.client_address_header) or address
            headers.remove(self.settings.client_address_header)
        return Request(
            method=scope["method"],
            url=Url(scheme, host, number, path, query),
            original_url=Url(scheme, host, number, path, query),
            headers=headers,
            body=Body(None, body.stream()) if has_body else Body(),
            client_ip=address,
            matched_parameters={},
            client_certificate=_client_certificate(scope),
        )

    async def _answer(self, exchange: Exchange, method: str, send: Send) -> None:
        response = exchange.response
        content = response.body.content
        bare = method == "HEAD" or response.status in _NO_BODY_STATUSES or response.status < 200
        headers = [
            (name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace"))
            for name, value in response.headers.lines()
            if content is None or name.lower() != "content-length"
        ]
        if content is not None and not bare:
            headers.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        if bare or content is not None:
            sent = b"" if bare or content is None else content
            exchange.bytes_out = len(sent)
            await send({"type": "http.response.body", "body": sent})
            return
        assert response.body.stream is not None
        await _stream(exchange, response.body.stream, send)


async def _read_small(exchange: Exchange) -> None:
    """Read a response of small declared size at once; the failure type of an error is in it."""
    response = exchange.response
    if response.body.content is None:
        length = response.headers.get("content-length") or ""
        if length.isdigit() and int(length) <= SMALL_BYTES:
            await response.body.buffer()


async def _stream(exchange: Exchange, stream: AsyncIterator[bytes], send: Send) -> None:
    async for chunk in stream:
        exchange.bytes_out += len(chunk)
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _send_plain(send: Send, status: int, content: bytes) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _client_certificate(scope: Scope) -> bytes | None:
    """What the caller showed in TLS (ASGI TLS extension), as DER."""
    tls = scope.get("extensions", {}).get("tls")
    if not tls or not tls["client_cert_chain"]:
        return None
    return PEM_cert_to_DER_cert(tls["client_cert_chain"][0])


def _no_operation() -> PolicyError:
    return PolicyError(
        404,
        "OperationNotFound",
        "Unable to match incoming request to an operation.",
        public="Resource not found",
        source="configuration",
    )


def _point_at(url: Url, backend: BaseUrl | None, rest: str) -> None:
    """The URL that policies see: the operation's path at the back end."""
    url.path = rest
    if backend is None:
        return
    scheme, _, place = backend.url.partition("://")
    host, _, port = place.split("/", 1)[0].partition(":")
    url.scheme, url.host = scheme, host
    url.port = int(port) if port.isdigit() else (443 if scheme == "https" else 80)
