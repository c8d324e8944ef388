"""return-response: end the pipeline with a response of one's own (return-response-policy page)."""

from __future__ import annotations

from hybridmandate.governance.gateway.errors import PolicyError, ResponseReady
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.expression_context import response_of
from hybridmandate.governance.gateway.messages import Body, HeaderMap, Response
from hybridmandate.governance.gateway.policies.set_body import BodyChange
from hybridmandate.governance.gateway.policies.set_header import HeaderChange
from hybridmandate.governance.gateway.policies.set_status import StatusChange
from hybridmandate.governance.gateway.registry import ElementReader, Policy, policy


@policy("return-response")
class ReturnResponse(Policy):
    """200 with an empty body unless the children or a stored response say otherwise."""

    def __init__(self, reader: ElementReader) -> None:
        self._variable = reader.optional_literal("response-variable-name")
        status = reader.child("set-status")
        self._status = None if status is None else StatusChange(status)
        self._headers = [HeaderChange(each) for each in reader.children("set-header")]
        body = reader.child("set-body")
        self._body = None if body is None else BodyChange(body, on_request=False)

    def act(self, exchange: Exchange) -> None:
        response = self._start(exchange)
        if self._status is not None:
            self._status.apply(exchange, response)
        for change in self._headers:
            change.apply(exchange, response.headers)
        if self._body is not None:
            response.body = Body(self._body.content(exchange, b""))
        exchange.response = response
        raise ResponseReady

    def _start(self, exchange: Exchange) -> Response:
        if self._variable is None:
            return Response(200, "OK", HeaderMap(), Body())
        stored = response_of(exchange.variables.get(self._variable))
        if stored is None:
            raise PolicyError(
                500,
                "ExpressionValueEvaluationFailure",
                f"Variable {self._variable} does not hold a response.",
            )
        return stored
