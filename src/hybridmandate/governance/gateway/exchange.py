"""One call on its way through the pipeline: messages, variables, and the services around it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hybridmandate.governance.gateway.backends import Backends
from hybridmandate.governance.gateway.cache import Cache
from hybridmandate.governance.gateway.configuration import (
    ApiEntry,
    OperationEntry,
    ProductEntry,
    Subscription,
)
from hybridmandate.governance.gateway.counters import Counters
from hybridmandate.governance.gateway.csharp import (
    Budget,
    Certificate,
    Jwt,
    LastError,
    PolicyContext,
    Run,
)
from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.expression_context import new_context, refresh
from hybridmandate.governance.gateway.json_web_token import CompactToken
from hybridmandate.governance.gateway.messages import Body, HeaderMap, Request, Response
from hybridmandate.governance.gateway.random_ids import RandomIds
from hybridmandate.governance.gateway.signing_keys import SigningKeys
from hybridmandate.governance.gateway.transport import BaseUrl, Transport
from hybridmandate.governance.gateway.verified_tokens import VerifiedTokens
from hybridmandate.identity.principal import TokenSource

if TYPE_CHECKING:
    from hybridmandate.governance.gateway.policy_trace import PolicyTrace
    from hybridmandate.governance.gateway.steps import Step


@dataclass(slots=True)
class Services:
    """What policies may use of the outside world, passed in by whoever makes the gateway.

    ``clock`` gives seconds since the epoch, ``random`` numbers in [0, 1), ``sleep`` waits seconds.
    ``telemetry`` takes (kind, name, detail) of trace, emit-metric, log-to-eventhub and the like.
    ``tokens`` gives the gateway's own tokens by client id (None: its system identity).
    """

    clock: Callable[[], float]
    random: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    transport: Transport
    tokens: Callable[[str | None], TokenSource]
    counters: Counters
    cache: Cache
    keys: SigningKeys
    verified: VerifiedTokens
    backends: Backends
    telemetry: Callable[[str, str, Mapping[str, Any]], None]
    running: dict[str, int] = field(default_factory=dict)
    background: set[Any] = field(default_factory=set)
    region: str = "local"
    service_name: str = "gateway"
    certificates: Mapping[str, Certificate] = field(default_factory=dict)
    """``context.Deployment.Certificates`` of the configuration that is served."""
    ids: RandomIds = field(default_factory=RandomIds)
    trace: PolicyTrace | None = None
    """What notes every policy that runs; None in a gateway that serves callers."""


class Exchange:
    """The state of one call. Policies read and change it; nothing else holds state of a call."""

    __slots__ = (
        "after_sent",
        "answer_headers",
        "answered_by",
        "api",
        "at_end",
        "backend",
        "backend_called",
        "backend_id",
        "backend_id_scope",
        "bytes_in",
        "bytes_out",
        "cache_key",
        "client_failure",
        "counted",
        "id",
        "last_error",
        "on_response",
        "opened",
        "operation",
        "picked_backend",
        "preflight",
        "principal",
        "product",
        "request",
        "response",
        "run",
        "services",
        "started",
        "subscription",
        "variables",
    )

    def __init__(
        self,
        services: Services,
        request: Request,
        *,
        api: ApiEntry,
        operation: OperationEntry | None,
        backend: BaseUrl | None = None,
    ) -> None:
        self.services = services
        self.request = request
        self.response = Response(200, "OK", HeaderMap(), Body())
        self.variables: dict[str, Any] = {}
        self.api = api
        self.operation = operation
        self.product: ProductEntry | None = None
        self.subscription: Subscription | None = None
        self.backend = backend
        self.backend_id: str | None = None
        self.backend_id_scope = ""
        """The scope whose policy named the back end."""
        self.picked_backend = ""
        self.backend_called = False
        self.preflight = False
        self.last_error: LastError | None = None
        self.client_failure: PolicyError | None = None
        self.answered_by: str | None = None
        """The policy or step that ended the call early, for the evidence."""
        self.at_end: list[Callable[[Exchange], None]] = []
        """Called when the pipeline has ended, before the response is sent."""
        self.after_sent: list[Callable[[Exchange], None]] = []
        """Called when the response has been sent."""
        self.on_response: list[Callable[[Exchange], Awaitable[None]]] = []
        self.answer_headers: list[tuple[str, str]] = []
        self.opened: list[Callable[[], None]] = []
        """What closes the responses of back ends."""
        self.counted: set[str] = set()
        self.cache_key: str | None = None
        self.principal: str | None = None
        """Object id of the caller whose token was verified."""
        self.bytes_in = 0
        self.bytes_out = 0
        self.started = services.clock()
        self.id = services.ids.new()
        self.run = Run(new_context(self), Budget())
        """The one run of all expressions of this call: ``context``, and what they may use together.

        Those that read only variables, request headers and the like may use it as it stands.
        """

    @property
    def context(self) -> PolicyContext:
        """``context`` of expressions, as the call is now."""
        context: PolicyContext = self.run_now().context
        return context

    def run_now(self) -> Run:
        """The run with its context brought up to date."""
        refresh(self.run.context, self)
        return self.run

    def end(self) -> None:
        """The call is over: let go of what refers back to it.

        So all of it is freed at once: left to the collector of cycles, each call would be made in
        memory that the processor's caches do not hold.
        """
        del self.run

    @staticmethod
    def jwt(token: CompactToken) -> Jwt:
        """A verified token as expressions read it."""
        if token.shown is None:
            token.shown = Jwt(dict(token.header), dict(token.claims), token.raw)
        shown: Jwt = token.shown
        return shown

    def answer_header(self, name: str, value: str) -> None:
        """A header for whatever response the call ends with."""
        self.answer_headers.append((name, value))

    def when_response(self, callback: Callable[[Exchange], Awaitable[None]]) -> None:
        """Something to do when the back end has answered, before outbound policies."""
        self.on_response.append(callback)

    def let_go_of_response(self) -> None:
        """Close what an earlier attempt opened, so that its connection is free again."""
        while self.opened:
            self.opened.pop()()

    def raise_client_failure(self) -> None:
        """Raise what went wrong on the caller's side while its body was streamed, if anything."""
        if self.client_failure is not None:
            raise self.client_failure

    def original_location(self) -> str:
        """Scheme, host and path that the caller asked for, without the query."""
        url = self.request.original_url
        return f"{url.scheme}://{url.authority}{url.path}"

    async def have_bodies(self, step: Step) -> None:
        """Read the bodies that a step's expressions look at; a body that is gone stays gone."""
        if step.reads_request_body and not self.request.body.taken:
            await self.request.body.buffer()
        if step.reads_response_body and not self.response.body.taken:
            await self.response.body.buffer()
