"""The pipeline: inbound, backend, outbound; any error jumps to on-error.

Source: learn.microsoft.com/azure/api-management/api-management-error-handling-policies. Pure: it
acts on an exchange, whose services are passed in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hybridmandate.governance.gateway.csharp import LastError
from hybridmandate.governance.gateway.errors import PolicyError, ResponseReady, StoredResponse
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.messages import Body, HeaderMap, Response
from hybridmandate.governance.gateway.preparation import Sections
from hybridmandate.governance.gateway.registry import Section
from hybridmandate.governance.gateway.steps import Step, Steps

PHRASES: Mapping[int, str] = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Resource Not Found",
    408: "Request Timeout",
    413: "Payload Too Large",
    415: "Unsupported Media Type",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The four sections that stand for one operation, base scopes included."""

    inbound: Steps
    backend: Steps
    outbound: Steps
    on_error: Steps
    cors: tuple[Step, ...]
    cross_domain: Step | None

    @classmethod
    def of(cls, sections: Sections) -> Pipeline:
        """A pipeline of inherited sections."""
        inbound = sections[Section.INBOUND]
        return cls(
            inbound=Steps(inbound),
            backend=Steps(sections[Section.BACKEND]),
            outbound=Steps(sections[Section.OUTBOUND]),
            on_error=Steps(sections[Section.ON_ERROR]),
            cors=tuple(each for each in inbound if each.name == "cors"),
            cross_domain=_first(inbound, "cross-domain"),
        )

    async def run(self, exchange: Exchange) -> None:
        """Take a call through the sections; ``exchange.response`` is what the caller gets."""
        try:
            waiting = self.inbound.act(exchange)
            if waiting is not None:
                await waiting
            waiting = self.backend.act(exchange)
            if waiting is not None:
                await waiting
            for callback in exchange.on_response:
                await callback(exchange)
            waiting = self.outbound.act(exchange)
            if waiting is not None:
                await waiting
        except StoredResponse as stored:
            await self._go_on(exchange, stored)
        except ResponseReady:
            pass
        except PolicyError as error:
            await self.fail(exchange, error)
        self._end(exchange)

    async def _go_on(self, exchange: Exchange, stored: StoredResponse) -> None:
        """Run outbound after the policy that stored the response, or after what holds it."""
        steps = self.outbound.steps
        for number, step in enumerate(steps, start=1):
            holds = f"{stored.path}/".startswith(f"{step.path}/")
            if holds and step.scope == stored.scope:
                steps = steps[number:]
                break
        else:
            return
        try:
            await Steps(steps).run(exchange)
        except ResponseReady:
            pass
        except PolicyError as error:
            await self.fail(exchange, error)

    async def refuse(self, exchange: Exchange, error: PolicyError) -> None:
        """A call that failed before its first policy goes straight to on-error.

        The address of a cross-domain file belongs to no API: there that policy answers.
        """
        if self.cross_domain is not None and error.reason == "OperationNotFound":
            try:
                self.cross_domain.act(exchange)
            except ResponseReady:
                self._end(exchange)
                return
        await self.fail(exchange, error)
        self._end(exchange)

    async def answer_preflight(self, exchange: Exchange) -> bool:
        """Let cors alone answer a preflight: the first of those in scope that knows its origin.

        One that terminates unmatched requests is the last that is asked. False when no cors policy
        stands directly in inbound.
        """
        if not self.cors:
            return False
        try:
            for each in self.cors:
                each.act(exchange)
            exchange.response = Response(200, "OK", HeaderMap(), Body())
        except ResponseReady:
            pass
        except PolicyError as error:
            await self.fail(exchange, error)
        self._end(exchange)
        return True

    async def fail(self, exchange: Exchange, error: PolicyError) -> None:
        """Make the default error response, then let on-error change it."""
        exchange.answered_by = error.source
        exchange.last_error = LastError(
            source=error.source,
            reason=error.reason,
            message=error.message,
            section=error.section or Section.INBOUND.value,
            scope=error.scope,
            path=error.path,
            policy_id=error.policy_id,
        )
        if not error.keep_response:
            exchange.let_go_of_response()
            exchange.response = default_error(exchange, error)
        try:
            await self.on_error.run(exchange)
        except ResponseReady:
            pass
        except PolicyError as second:
            exchange.answered_by = second.source
            exchange.response = default_error(exchange, second)

    def _end(self, exchange: Exchange) -> None:
        for callback in exchange.at_end:
            try:
                callback(exchange)
            except PolicyError as error:
                exchange.services.telemetry(
                    "policy.increment-failed", error.reason, {"message": error.message[:200]}
                )
        for name, value in exchange.answer_headers:
            exchange.response.headers.set(name, [value])


def _first(steps: Sequence[Step], name: str) -> Step | None:
    return next((each for each in steps if each.name == name), None)


def default_error(exchange: Exchange, error: PolicyError) -> Response:
    """The response that API Management gives when on-error leaves it alone.

    A failure of the gateway's own (500) tells nothing but an activity id.
    """
    if error.status == 500:
        content = {
            "statusCode": 500,
            "message": "Internal server error",
            "activityId": exchange.id,
        }
    else:
        told = error.message if error.public is None else error.public
        content = {"statusCode": error.status, "message": told}
    headers = HeaderMap([("Content-Type", "application/json")])
    for name, value in error.headers:
        headers.set(name, [value])
    body = Body(json.dumps(content, ensure_ascii=False).encode())
    return Response(error.status, PHRASES.get(error.status, ""), headers, body)
