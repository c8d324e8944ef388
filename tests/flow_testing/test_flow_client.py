"""`hybridmandate.flows`: Python starts a flow as an authenticated principal, or not at all."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from hybridmandate.contracts import FailureType, Refused
from hybridmandate.flows import FLOW_SERVICE_AUDIENCE, trigger, trigger_address
from hybridmandate.identity.principal import TokenUnavailable

ADDRESS = "https://flows.example/flows/Intake/triggers/manual"
CORRELATION = "0f8fad5b-d9cb-469f-a165-70867728950e"


class Tokens:
    def __init__(self, fault: TokenUnavailable | None = None) -> None:
        self.asked: list[str] = []
        self._fault = fault

    async def token(self, resource: str) -> str:
        self.asked.append(resource)
        if self._fault is not None:
            raise self._fault
        return "own-token"


async def send(answer: Any, tokens: Tokens | None = None, **parts: Any) -> Any:
    def handle(request: httpx.Request) -> httpx.Response:
        return answer(request) if callable(answer) else answer

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
        given = {"correlation_id": CORRELATION, "http": http, **parts}
        address = given.pop("address", ADDRESS)
        return await trigger(address, {"a": 1}, tokens=tokens or Tokens(), **given)


async def test_the_call_carries_token_correlation_and_key() -> None:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"done": True})

    tokens = Tokens()
    answer = await send(handle, tokens, idempotency_key="once")
    assert (answer.status, answer.body) == (200, {"done": True})
    (request,) = seen
    assert request.headers["authorization"] == "Bearer own-token"
    assert request.headers["x-correlation-id"] == CORRELATION
    assert request.headers["idempotency-key"] == "once"
    assert json.loads(request.content) == {"a": 1}
    assert tokens.asked == [FLOW_SERVICE_AUDIENCE]


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ({"address": f"{ADDRESS}?sp=%2Ftriggers&sig=abc"}, FailureType.MALFORMED_REQUEST),
        ({"correlation_id": "x y"}, FailureType.MALFORMED_REQUEST),
        (
            {"tokens": Tokens(TokenUnavailable("off", transient=True))},
            FailureType.DOWNSTREAM_UNAVAILABLE,
        ),
        ({"tokens": Tokens(TokenUnavailable("no", transient=False))}, FailureType.UNAUTHORIZED),
    ],
)
async def test_nothing_is_sent_without_a_token_or_with_a_signature(
    parts: dict[str, Any], kind: FailureType
) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        raise AssertionError("a request left the process")

    with pytest.raises(Refused) as refused:
        await send(handle, **parts)
    assert refused.value.type is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ReadTimeout("slow"), FailureType.TIMEOUT),
        (httpx.ConnectError("away"), FailureType.DOWNSTREAM_UNAVAILABLE),
    ],
)
async def test_no_answer_is_a_failure_with_a_type(error: Exception, kind: FailureType) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(Refused) as refused:
        await send(handle)
    assert refused.value.type is kind


@pytest.mark.parametrize(
    ("status", "kind"), [(401, FailureType.UNAUTHORIZED), (403, FailureType.FORBIDDEN)]
)
async def test_a_refusal_is_a_failure_with_a_type(status: int, kind: FailureType) -> None:
    with pytest.raises(Refused) as refused:
        await send(httpx.Response(status, text="not you"))
    assert refused.value.type is kind


def test_a_trigger_has_an_address_without_a_signature() -> None:
    assert trigger_address("http://localhost:1/", "My flow") == (
        "http://localhost:1/flows/My%20flow/triggers/manual"
    )
