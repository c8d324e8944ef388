"""forward-request: send the request to the back end (forward-request-policy page)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urljoin

from hybridmandate.governance.gateway.backend_route import ToBackend
from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.messages import (
    HOP_BY_HOP,
    SMALL_BYTES,
    Body,
    HeaderMap,
    Response,
)
from hybridmandate.governance.gateway.registry import ElementReader, Policy, Section, policy
from hybridmandate.governance.gateway.transport import (
    BaseUrl,
    Incoming,
    Outgoing,
    TransportFailure,
    TransportTimeout,
)
from hybridmandate.governance.gateway.values import integer_of

MAX_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NOT_SENT = HOP_BY_HOP | {"host", "content-length", "expect"}


@policy("forward-request", sections=frozenset({Section.BACKEND}))
class ForwardRequest(Policy):
    """``timeout`` (seconds) waits for the response's headers; bodies are streamed both ways.

    ``http-version`` is accepted and HTTP/1.1 is used: the back ends here are one hop away.
    """

    def __init__(self, reader: ElementReader) -> None:
        if reader.has("timeout") and reader.has("timeout-ms"):
            reader.refuse("<forward-request> takes timeout or timeout-ms, not both")
        self._milliseconds = reader.has("timeout-ms")
        name = "timeout-ms" if self._milliseconds else "timeout"
        self._timeout = reader.number_value(name, 300, least=0)
        reader.number_value("continue-timeout", 0)
        reader.choice("http-version", ("1", "2", "2or1"), "1")
        self._redirects = reader.flag_value("follow-redirects", False)
        self._buffer_request = reader.flag("buffer-request-body", False)
        reader.flag("buffer-response", True)
        self._fail = reader.flag("fail-on-error-status-code", False)

    async def act(self, exchange: Exchange) -> None:
        if self._buffer_request:
            await exchange.request.body.buffer()
        timeout = float(integer_of(self._timeout.get(exchange)))
        redirects = MAX_REDIRECTS if self._redirects.get(exchange) else 0
        await forward(exchange, timeout / 1000 if self._milliseconds else timeout, redirects)
        if self._fail and exchange.response.status >= 400:
            raise PolicyError(
                exchange.response.status,
                "BackendStatusCode",
                f"The back end answered {exchange.response.status}.",
                keep_response=True,
            )


async def forward(exchange: Exchange, seconds: float, redirects: int) -> None:
    """Send the request as it stands and make the answer the response of the call.

    :raises PolicyError: Timeout, BackendConnectionFailure or ClientConnectionFailure.
    """
    if exchange.request.body.content is None:
        await _read_small(exchange)
    base, headers, extra_query = _target(exchange)
    exchange.let_go_of_response()
    outgoing = ToBackend(
        method=exchange.request.method,
        url=_url(base, exchange, extra_query),
        headers=headers,
        body=_body(exchange, headers),
        timeout=seconds,
        socket=base.socket,
    )
    exchange.backend_called = True
    try:
        incoming = await _send(exchange, outgoing, redirects)
    except TransportFailure as error:
        if exchange.backend_id is not None:
            exchange.services.backends.report(exchange.backend_id, None)
        exchange.raise_client_failure()
        if isinstance(error, TransportTimeout):
            raise PolicyError(504, "Timeout", "The back end did not answer in time.") from error
        raise PolicyError(
            500, "BackendConnectionFailure", "The back end could not be reached."
        ) from error
    if exchange.backend_id is not None:
        exchange.services.backends.report(exchange.picked_backend, incoming.status)
    whole = incoming.content
    exchange.response = Response(
        incoming.status,
        incoming.reason,
        HeaderMap.without(HOP_BY_HOP, incoming.headers),
        Body(whole) if whole is not None else Body(None, incoming.body),
    )
    if whole is None:
        exchange.opened.append(incoming.close)


async def _send(exchange: Exchange, outgoing: Outgoing, redirects: int) -> Incoming:
    """The answer, after so many redirects at most; a streamed body cannot be sent again."""
    incoming = await exchange.services.transport.send(outgoing)
    for _ in range(redirects):
        location = next((v for n, v in incoming.headers if n.lower() == "location"), None)
        if incoming.status not in _REDIRECTS or location is None:
            break
        if outgoing.body is not None and not isinstance(outgoing.body, bytes):
            break
        incoming.close()
        outgoing.url = urljoin(outgoing.url, location)
        if incoming.status == 303:
            outgoing.method, outgoing.body = "GET", None
        incoming = await exchange.services.transport.send(outgoing)
    return incoming


async def _read_small(exchange: Exchange) -> None:
    """Read a body of small declared size at once: cheaper than streaming it."""
    body = exchange.request.body
    declared = exchange.request.headers.get("content-length")
    if body.taken or declared is None:
        return
    if int(declared) <= SMALL_BYTES:
        await body.buffer()


def _target(
    exchange: Exchange,
) -> tuple[BaseUrl, list[tuple[str, str]], dict[str, tuple[str, ...]]]:
    request = exchange.request
    headers = request.headers.lines(_NOT_SENT)
    host = request.headers.get("host")
    if host is not None and host != request.caller_host:
        headers.append(("Host", host))
    if exchange.backend_id is not None:
        entry, base = exchange.services.backends.pick(exchange.backend_id)
        exchange.picked_backend = entry.id
        for name, values in entry.headers.items():
            headers = [each for each in headers if each[0].lower() != name.lower()]
            headers.extend((name, value) for value in values)
        return base, headers, dict(entry.query)
    if exchange.backend is None:
        raise PolicyError(
            500, "BackendConnectionFailure", "The API has no service URL and no back end was set."
        )
    return exchange.backend, headers, {}


def _url(base: BaseUrl, exchange: Exchange, extra: dict[str, tuple[str, ...]]) -> str:
    url = exchange.request.url
    query = url.raw_query
    if extra:
        merged = {**url.query, **{name: list(values) for name, values in extra.items()}}
        url.set_query(merged)
        query = url.raw_query
    return f"{base.url}{url.path}?{query}" if query else f"{base.url}{url.path}"


def _body(
    exchange: Exchange, headers: list[tuple[str, str]]
) -> bytes | AsyncIterator[bytes] | None:
    body = exchange.request.body
    if body.content is not None:
        if not body.content and exchange.request.method in ("GET", "HEAD", "DELETE", "OPTIONS"):
            return None
        return body.content
    if body.taken:
        raise PolicyError(
            500,
            "BackendConnectionFailure",
            "The request body was streamed and is gone: set buffer-request-body to send it again.",
        )
    body.taken = True
    declared = exchange.request.headers.get("content-length")
    if declared is not None:
        headers.append(("Content-Length", declared))
    return body.stream
