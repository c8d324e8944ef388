"""A call before its first policy: its request, and the API, operation and product it is for."""

from __future__ import annotations

from dataclasses import dataclass

from hybridmandate.governance.gateway.call import Call
from hybridmandate.governance.gateway.configuration import ApiEntry
from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange, Services
from hybridmandate.governance.gateway.gateway import Gateway, ServedApi, ServedOperation
from hybridmandate.governance.gateway.messages import Body, HeaderMap, Request, Url
from hybridmandate.governance.gateway.pipeline import Pipeline
from hybridmandate.governance.gateway.request_body import RequestBody, too_large
from hybridmandate.governance.gateway.routing import Match, query_template
from hybridmandate.governance.gateway.safety import check_headers, check_path
from hybridmandate.governance.gateway.settings import GatewaySettings

_NOWHERE = ApiEntry(id="", name="", path="", service_url=None, operations=())


@dataclass(slots=True)
class Arrival:
    """A call that is ready to run. ``error`` is why it is refused before its first policy: it goes
    to the on-error section of the scope that it got to."""

    exchange: Exchange
    pipeline: Pipeline
    body: RequestBody
    error: PolicyError | None = None


def arrive(call: Call, gateway: Gateway, services: Services, settings: GatewaySettings) -> Arrival:
    """Decide everything that is decided before the first policy."""
    body = RequestBody(call, settings.max_body_bytes, settings.pace)
    request = _request(call, body, settings)
    exchange = Exchange(services, request, api=_NOWHERE, operation=None)
    body.exchange = exchange
    arrival = Arrival(exchange, gateway.pipeline, body)
    try:
        path = check_path(call.head.path)
        check_headers(
            call.head.headers,
            most_bytes=settings.max_header_bytes,
            most_count=settings.max_header_count,
        )
        found = gateway.find_api(path, request)
        if found is None:
            raise _no_operation()
        api, rest = found
        exchange.api = api.entry
        arrival.pipeline = api.pipeline
        match = _operation(exchange, api, rest)
        served = match.target
        exchange.operation = served.entry
        request.matched_parameters = _parameters(match, request)
        exchange.backend = api.backend
        _point_at(request.url, api, rest)
        arrival.pipeline = _subscribed(exchange, gateway, api, served)
        _limit(body, request, settings.body_limit(api.entry.id, served.entry.id))
    except PolicyError as error:
        arrival.error = error
    return arrival


def _request(call: Call, body: RequestBody, settings: GatewaySettings) -> Request:
    head = call.head
    headers = HeaderMap.received(head.headers)
    caller_host = headers.get("host")
    host, _, port = (caller_host or "localhost").partition(":")
    number = int(port) if port.isdigit() else (443 if head.scheme == "https" else 80)
    path = head.path.decode("latin-1")
    address = head.client
    if settings.client_address_header is not None:
        address = headers.get(settings.client_address_header) or address
        headers.remove(settings.client_address_header)
    return Request(
        method=head.method,
        url=Url(head.scheme, host, number, path, head.query),
        original_url=Url(head.scheme, host, number, path, head.query),
        headers=headers,
        body=Body(call.content) if call.content is not None else Body(None, body.stream()),
        client_ip=address,
        matched_parameters={},
        client_certificate=head.certificate,
        caller_host=caller_host,
    )


def _operation(exchange: Exchange, api: ServedApi, rest: str) -> Match[ServedOperation]:
    request = exchange.request
    match = api.operations.find(request.method, rest)
    wanted = request.headers.get("access-control-request-method")
    if request.method != "OPTIONS" or wanted is None or "origin" not in request.headers:
        if match is None:
            raise _no_operation()
        return match
    if match is not None and match.target.entry.method == "OPTIONS":
        return match
    # Without an operation for the method it asks for, cors of any other on the path answers.
    asked = api.operations.find(wanted.upper(), rest) or api.operations.find_any(rest)
    if asked is not None and asked.target.pipelines[None].cors:
        exchange.preflight = True
        return asked
    if match is None:
        raise _no_operation()
    return match


def _parameters(match: Match[ServedOperation], request: Request) -> dict[str, str]:
    """The values of the template's parameters, those of its query too."""
    found = dict(match.parameters)
    template = match.target.entry.url_template
    if "?" in template:
        query = request.url.query
        for name, parameter in query_template(template).items():
            if name in query:
                found[parameter] = query[name][0]
    return found


def _subscribed(
    exchange: Exchange, gateway: Gateway, api: ServedApi, served: ServedOperation
) -> Pipeline:
    request = exchange.request
    header = api.entry.subscription_key_header
    key = request.headers.get(header)
    if key is None and request.url.raw_query:
        key = next(iter(request.url.query.get(api.entry.subscription_key_query, ())), None)
    if exchange.preflight:
        return served.pipelines[None]
    exchange.subscription = gateway.subscribe(api.entry, key)
    exchange.product = gateway.product(api.entry, exchange.subscription)
    product = exchange.product.id if exchange.product is not None else None
    return served.pipelines[product]


def _limit(body: RequestBody, request: Request, most: int) -> None:
    body.limit = most
    declared = request.headers.get("content-length")
    if body.received > most or (declared is not None and int(declared) > most):
        raise too_large(most)


def _no_operation() -> PolicyError:
    return PolicyError(
        404,
        "OperationNotFound",
        "Unable to match incoming request to an operation.",
        public="Resource not found",
        source="configuration",
    )


def _point_at(url: Url, api: ServedApi, rest: str) -> None:
    """The URL that policies see: the operation's path at the back end."""
    url.path = rest
    if api.origin is not None:
        url.scheme, url.host, url.port = api.origin
