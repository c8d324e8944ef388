"""The gateway as an application behind its doors: bodies streamed both ways, evidence of each call.

Calls come through a door of our own (:mod:`.door`), or from any ASGI server.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from ssl import SSLContext
from typing import Any

from hybridmandate.contracts import FailureType
from hybridmandate.evidence.record import Record, Recorder, Tier
from hybridmandate.governance.gateway.answering import answer
from hybridmandate.governance.gateway.arrival import Arrival, arrive
from hybridmandate.governance.gateway.asgi_call import AsgiCall, Receive, Scope, Send
from hybridmandate.governance.gateway.backends import Backends
from hybridmandate.governance.gateway.cache import Cache, ProcessCache
from hybridmandate.governance.gateway.call import AnswerInvalid, Call, CallerLeft
from hybridmandate.governance.gateway.call_record import call_record
from hybridmandate.governance.gateway.configuration import Configuration
from hybridmandate.governance.gateway.counters import Counters, ProcessCounters
from hybridmandate.governance.gateway.door import Refusal
from hybridmandate.governance.gateway.errors import PolicyDocumentError, PolicyError
from hybridmandate.governance.gateway.exchange import Services
from hybridmandate.governance.gateway.gateway import Gateway
from hybridmandate.governance.gateway.http_pool import HttpPool
from hybridmandate.governance.gateway.pace import TooSlow
from hybridmandate.governance.gateway.settings import GatewaySettings
from hybridmandate.governance.gateway.shown_certificates import ShownCertificates
from hybridmandate.governance.gateway.signing_keys import SigningKeys
from hybridmandate.governance.gateway.transport import Transport, TransportFailure
from hybridmandate.governance.gateway.verified_tokens import VerifiedTokens
from hybridmandate.identity.principal import TokenSource

CALLER_LEFT = "the caller went away"
_HEALTH = frozenset({b"/health/live", b"/health/ready"})
_HEALTHY = b'{"status":"ok"}'
_HEALTH_LINES = (("content-type", "application/json"), ("content-length", str(len(_HEALTHY))))


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
        certificates=ShownCertificates(configuration.named_values),
    )
    return GatewayApp(settings, gateway, services, recorder)


class GatewayApp:
    """What serves calls; ``reload`` replaces what it serves while it runs."""

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
        self.services.certificates = ShownCertificates(configuration.named_values)
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
        """Serve as an ASGI application."""
        if scope["type"] == "http":
            await self.serve(AsgiCall(scope, receive, send))
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

    async def serve(self, call: Call) -> None:
        """Take a call through its policies and answer it; what becomes of it is evidence."""
        if call.head.path in _HEALTH:
            waiting = call.answer(200, "OK", _HEALTH_LINES, _HEALTHY)
            if waiting is not None:
                await waiting
            return
        started = time.perf_counter()
        time_ns = int(self.services.clock() * 1e9)
        arrival = arrive(call, self.gateway, self.services, self.settings)
        exchange = arrival.exchange
        broke: str | None = None
        try:
            await self._run(arrival, call)
            await self._answer(arrival, call)
        except (TransportFailure, TooSlow) as failure:
            broke = str(failure)
            call.cut_off()
        except CallerLeft:
            broke = CALLER_LEFT
        except asyncio.CancelledError:
            broke = CALLER_LEFT
            if not call.is_left:
                raise
        except Exception as defect:
            broke = f"defect: {type(defect).__name__}"
            raise
        finally:
            exchange.let_go_of_response()
            exchange.bytes_in = arrival.body.received
            for callback in exchange.after_sent:
                callback(exchange)
            duration = (time.perf_counter() - started) * 1000
            self._recorder.record(
                call_record(exchange, time_ns=time_ns, duration_ms=duration, broke=broke)
            )
            exchange.end()

    def refused_at_door(self, refusal: Refusal, client: str) -> None:
        """Note a request that did not become a call: nobody knows whose it was."""
        self._recorder.record(
            Record(
                time_ns=int(self.services.clock() * 1e9),
                tier=Tier.GATEWAY,
                kind="door.refused",
                subject=refusal.reason,
                outcome="refused",
                failure_type=FailureType.MALFORMED_REQUEST.value,
                detail={"status": refusal.status, "client": client},
            )
        )

    async def _run(self, arrival: Arrival, call: Call) -> None:
        exchange, pipeline = arrival.exchange, arrival.pipeline
        if arrival.error is not None:
            await pipeline.refuse(exchange, arrival.error)
            return
        call.watch(self.settings.disconnect_after)
        try:
            if not (exchange.preflight and await pipeline.answer_preflight(exchange)):
                await pipeline.run(exchange)
        finally:
            call.stop_watching()

    async def _answer(self, arrival: Arrival, call: Call) -> None:
        exchange = arrival.exchange
        try:
            await answer(exchange, call, self.settings.pace)
        except AnswerInvalid as error:
            fault = PolicyError(500, "ResponseInvalid", str(error), source="gateway")
            await arrival.pipeline.refuse(exchange, fault)
            await answer(exchange, call, self.settings.pace)
