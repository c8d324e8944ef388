"""What expressions see of a call: ``context`` over the live messages of an exchange."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from hybridmandate.governance.gateway import csharp
from hybridmandate.governance.gateway.messages import Body, HeaderMap, Response, Url
from hybridmandate.governance.gateway.transport import BaseUrl

if TYPE_CHECKING:
    from hybridmandate.governance.gateway.exchange import Exchange


class LiveQuery:
    """The query of a URL, as it is when an expression looks."""

    __slots__ = ("_url",)

    def __init__(self, url: Url) -> None:
        self._url = url

    def values(self, name: str) -> Sequence[str]:
        """The values of a parameter; names are compared without case."""
        query = self._url.query
        found = query.get(name)
        if found is not None:
            return found
        lowered = name.lower()
        return next((each for key, each in query.items() if key.lower() == lowered), ())

    def names(self) -> Iterable[str]:
        """The parameters in the order in which they came."""
        return self._url.query


class LiveBody:
    """A body that has been read; taking it without preserving it leaves nothing to send."""

    __slots__ = ("body",)

    def __init__(self, body: Body) -> None:
        self.body = body

    def read(self) -> bytes | None:
        """The bytes, None when there are none at hand."""
        return self.body.content or None

    def consume(self) -> None:
        """The content is gone."""
        self.body.replace(b"")


def new_context(exchange: Exchange) -> csharp.PolicyContext:
    """The context of a call; :func:`refresh` brings it up to date before each evaluation."""
    services, api, operation = exchange.services, exchange.api, exchange.operation
    request = exchange.request
    subscription, product = exchange.subscription, exchange.product
    return csharp.PolicyContext(
        request=csharp.Request(
            method=request.method,
            url=_url(request.url),
            original_url=_url(request.original_url),
            headers=request.headers,
            body=None,
            ip_address=request.client_ip,
            matched_parameters=request.matched_parameters,
            certificate=request.client_certificate,
            id=exchange.id,
        ),
        clock=services.clock,
        random=services.random,
        variables=exchange.variables,
        api=csharp.Api(
            api.id,
            api.name,
            api.path,
            api.revision,
            api.version,
            service_url=_service_url(exchange.backend),
        ),
        operation=None
        if operation is None
        else csharp.Operation(
            operation.id, operation.method, operation.name, operation.url_template
        ),
        product=None if product is None else csharp.Product(product.id, product.name),
        subscription=None
        if subscription is None
        else csharp.Subscription(subscription.id, subscription.name, subscription.keys[0]),
        deployment=csharp.Deployment(
            region=services.region,
            service_id=services.service_name,
            service_name=services.service_name,
        ),
        request_id=exchange.id,
        started=exchange.started,
        trace=lambda message: services.telemetry("policy.trace", "context", {"message": message}),
    )


def refresh(context: csharp.PolicyContext, exchange: Exchange) -> None:
    """Bring what policies may have changed into the context."""
    request, seen = exchange.request, context.request
    url, shown = request.url, seen.url
    seen.method = request.method
    if shown.path is not url.path:
        shown.path = url.path
    if url.raw_query or shown.query_string:
        shown.query_string = f"?{url.raw_query}" if url.raw_query else ""
    body = request.body
    if seen.body is None or not (body.content or body.stream):
        seen.body = _shown_body(body)
    response, told = exchange.response, context.response
    if told is None or told.headers is not response.headers:
        context.response = shown_response(response)
    else:
        told.status_code, told.status_reason = response.status, response.reason
        given = response.body
        if given.content or given.stream is not None:
            if not isinstance(told.body, LiveBody) or told.body.body is not given:
                told.body = LiveBody(given)
        else:
            told.body = None
    context.last_error = exchange.last_error


def shown_response(response: Response) -> csharp.Response:
    """A response as ``IResponse``; its headers and body stay live."""
    return csharp.Response(
        response.status, response.reason, response.headers, _shown_body(response.body)
    )


def response_of(value: object) -> Response | None:
    """The response behind an ``IResponse`` in a variable, as a copy that may be changed."""
    if not isinstance(value, csharp.Response) or not isinstance(value.headers, HeaderMap):
        return None
    content = value.body.read() if value.body is not None else None
    return Response(
        value.status_code, value.status_reason, value.headers.copy(), Body(content or b"")
    )


def _shown_body(body: Body) -> LiveBody | None:
    return LiveBody(body) if body.content or body.stream is not None else None


def _url(url: Url) -> csharp.Url:
    query = f"?{url.raw_query}" if url.raw_query else ""
    return csharp.Url(url.scheme, url.host, url.port, url.path, LiveQuery(url), query)


def _service_url(base: BaseUrl | None) -> csharp.Url | None:
    if base is None:
        return None
    scheme, _, place = base.url.partition("://")
    authority, slash, path = place.partition("/")
    host, _, port = authority.partition(":")
    number = int(port) if port.isdigit() else (443 if scheme == "https" else 80)
    return csharp.Url(scheme, host, number, slash + path or "/", csharp.MappingValues({}))
