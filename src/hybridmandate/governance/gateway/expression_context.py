"""What expressions see of a call: ``context`` over the live messages of an exchange."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

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


class LiveRequest(csharp.Request):
    """The request of a call; what few expressions look at is made when one does."""

    __slots__ = ("_request", "url_made")

    def __init__(self, exchange: Exchange) -> None:
        request = exchange.request
        self._request = request
        self.url_made = False
        self.method = request.method
        self.headers = request.headers
        self.body = None
        self.ip_address = request.client_ip
        self.certificate = request.client_certificate
        self.id = exchange.id

    def __getattr__(self, name: str) -> Any:
        if name == "url":
            self.url = _url(self._request.url)
            self.url_made = True
            return self.url
        if name == "original_url":
            self.original_url = _url(self._request.original_url)
            return self.original_url
        if name == "matched_parameters":
            self.matched_parameters = self._request.matched_parameters
            return self.matched_parameters
        raise AttributeError(name)


class CallContext(csharp.PolicyContext):
    """The context of a call; what few expressions look at is made when one does."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange) -> None:
        services = exchange.services
        self._exchange = exchange
        self.request = LiveRequest(exchange)
        self.response = None
        self.clock = services.clock
        self.random = services.random
        self.variables = exchange.variables
        self.request_id = exchange.id
        self.started = exchange.started
        self.last_error = None
        self.user = None
        self.tracing = False
        self.new_guid = uuid.uuid4

    def __getattr__(self, name: str) -> Any:
        make = _PARTS.get(name)
        if make is None:
            raise AttributeError(name)
        part = make(self._exchange)
        setattr(self, name, part)
        return part


def _api(exchange: Exchange) -> csharp.Api:
    api = exchange.api
    return csharp.Api(
        api.id,
        api.name,
        api.path,
        api.revision,
        api.version,
        service_url=_service_url(exchange.backend),
        is_current_revision=api.current,
        subscription_key_names=csharp.SubscriptionKeyNames(
            api.subscription_key_header, api.subscription_key_query
        ),
        workspace=_workspace(exchange),
    )


def _workspace(exchange: Exchange) -> csharp.Workspace | None:
    api = exchange.api
    return None if api.workspace is None else csharp.Workspace(api.workspace, api.workspace_name)


def _operation(exchange: Exchange) -> csharp.Operation | None:
    found = exchange.operation
    if found is None:
        return None
    return csharp.Operation(found.id, found.method, found.name, found.url_template)


def _product(exchange: Exchange) -> csharp.Product | None:
    found = exchange.product
    if found is None:
        return None
    return csharp.Product(
        found.id,
        found.name,
        approval_required=found.approval_required,
        subscription_required=found.subscription_required,
        state="Published" if found.published else "NotPublished",
        workspace=_workspace(exchange),
    )


def _subscription(exchange: Exchange) -> csharp.Subscription | None:
    found = exchange.subscription
    if found is None:
        return None
    primary, secondary = (*found.keys, "", "")[:2]
    return csharp.Subscription(found.id, found.name, primary, primary, secondary)


def _deployment(exchange: Exchange) -> csharp.Deployment:
    services = exchange.services
    return csharp.Deployment(
        region=services.region,
        service_id=services.service_name,
        service_name=services.service_name,
        certificates=services.certificates,
    )


def _backend(exchange: Exchange) -> Callable[[], csharp.Backend | None]:
    def named() -> csharp.Backend | None:
        id = exchange.backend_id
        if id is None:
            return None
        return csharp.Backend(exchange.picked_backend or id, exchange.services.backends.is_pool(id))

    return named


def _trace(exchange: Exchange) -> Callable[[str], None]:
    tell = exchange.services.telemetry
    return lambda message: tell("policy.trace", "context", {"message": message})


_PARTS: Final[Mapping[str, Callable[[Exchange], Any]]] = {
    "api": _api,
    "backend": _backend,
    "deployment": _deployment,
    "operation": _operation,
    "product": _product,
    "subscription": _subscription,
    "trace": _trace,
    "workspace": _workspace,
}


def new_context(exchange: Exchange) -> CallContext:
    """The context of a call; :func:`refresh` brings it up to date before each evaluation."""
    return CallContext(exchange)


def refresh(context: csharp.PolicyContext, exchange: Exchange) -> None:
    """Bring what policies may have changed into the context."""
    request, seen = exchange.request, context.request
    seen.method = request.method
    if not isinstance(seen, LiveRequest) or seen.url_made:
        url, shown = request.url, seen.url
        shown.path = url.path
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
