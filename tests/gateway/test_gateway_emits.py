"""K1: whatever goes wrong in the gateway leaves it as a failure type of the table, nothing else.

What can go wrong is read from the source: every ``PolicyError`` that any module raises, with its
status, reason and the policy that it stands in. Each is put through the baseline's on-error.
"""

from __future__ import annotations

import ast
import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from gateway_edge import CORRELATION, POLICIES

import hybridmandate.governance.gateway as package
from hybridmandate.contracts import FAILURES, FailureType, Outcome
from hybridmandate.governance.gateway.configuration import ApiEntry
from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.layout import baseline_folder, load_layout
from hybridmandate.governance.gateway.messages import Body, HeaderMap, Request, Url
from hybridmandate.governance.gateway.registry import POLICIES as REGISTERED
from hybridmandate.governance.gateway.server import GatewayApp, create_app
from hybridmandate.governance.gateway.settings import GatewaySettings

SOURCE = Path(package.__file__).parent


class Raised(NamedTuple):
    """A ``PolicyError`` of the source: its reason, None when an expression makes it."""

    module: str
    reason: str | None


def raised() -> Iterator[Raised]:
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id == "PolicyError":
                yield Raised(file.stem, _text(node.args[1]))
            elif node.func.id == "refusal" and file.stem in ("safety", "request_body"):
                yield Raised(
                    file.stem, next(_text(k.value) for k in node.keywords if k.arg == "reason")
                )


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


REASONS = sorted({each.reason for each in raised() if each.reason is not None})
STATUSES = (400, 401, 403, 404, 408, 410, 413, 415, 418, 429, 431, 500, 502, 503, 504)


class NoIdentity:
    async def token(self, resource: str) -> str:
        raise AssertionError("on-error asks for no token")


class Evidence:
    def record(self, record: object) -> None:
        """Not looked at here."""


@pytest.fixture(name="app", scope="module")
def _app() -> GatewayApp:
    names = """openid-config-url tenant-id issuer-v1 issuer-v2 gateway-audience
        internal-audience execution-backend data-backend"""
    values = dict.fromkeys(names.split(), "http://x.example")
    configuration = load_layout(POLICIES, baseline=baseline_folder(), named_values=values)
    return create_app(GatewaySettings(), configuration, lambda _: NoIdentity(), Evidence())


def left(app: GatewayApp, error: PolicyError, section: str = "inbound") -> Exchange:
    """The exchange after a call that ended with this error."""
    url = Url("http", "x.example", 80, "/x", "")
    headers = HeaderMap([("x-correlation-id", CORRELATION)])
    request = Request("POST", url, url, headers, Body(), "127.0.0.1", {})
    nowhere = ApiEntry(id="", name="", path="", service_url=None, operations=())
    exchange = Exchange(app.services, request, api=nowhere, operation=None)
    error.section = section
    asyncio.run(app.gateway.pipeline.refuse(exchange, error))
    return exchange


def judged(exchange: Exchange) -> FailureType:
    """The failure type of an answer whose whole form is that of a refusal."""
    outcome = Outcome.model_validate(json.loads(exchange.response.body.content or b""))
    assert outcome.failure is not None
    assert outcome.correlation_id == CORRELATION
    assert exchange.response.status == FAILURES[outcome.failure.type].http_status
    assert outcome.failure.retryable is FAILURES[outcome.failure.type].retryable
    return outcome.failure.type


def test_the_source_was_read() -> None:
    assert len(REASONS) > 25
    assert {"RateLimitExceeded", "PathInvalid", "OperationNotFound", "Timeout"} <= set(REASONS)


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_of_the_source_leaves_as_a_failure_type(app: GatewayApp, reason: str) -> None:
    sources = ["", "gateway", "authorization", *REGISTERED]
    for source in sources:
        error = PolicyError(400, reason, f"about {reason}", source=source)
        assert judged(left(app, error)) in FailureType


@pytest.mark.parametrize("status", STATUSES)
def test_whatever_status_a_policy_chose_the_type_sets_it(app: GatewayApp, status: int) -> None:
    for source in REGISTERED:
        assert judged(left(app, PolicyError(status, "Unheard", "x", source=source))) in FailureType


EXPECTED = {
    ("validate-jwt", "TokenExpired"): FailureType.UNAUTHORIZED,
    ("authorization", "SubscriptionKeyInvalid"): FailureType.UNAUTHORIZED,
    ("ip-filter", "CallerIpNotAllowed"): FailureType.FORBIDDEN,
    ("check-header", "HeaderNotFound"): FailureType.MALFORMED_REQUEST,
    ("gateway", "PathInvalid"): FailureType.MALFORMED_REQUEST,
    ("gateway", "HeadersTooLarge"): FailureType.MALFORMED_REQUEST,
    ("configuration", "OperationNotFound"): FailureType.NOT_FOUND,
    ("gateway", "RequestBodyTooLarge"): FailureType.PAYLOAD_TOO_LARGE,
    ("validate-content", "SizeLimit"): FailureType.PAYLOAD_TOO_LARGE,
    ("validate-content", "JsonBody"): FailureType.MALFORMED_REQUEST,
    ("validate-odata-request", "OData"): FailureType.MALFORMED_REQUEST,
    ("jsonp", "CallbackParameterInvalid"): FailureType.MALFORMED_REQUEST,
    ("validate-content", "JsonSchema"): FailureType.VALIDATION_ERROR,
    ("validate-content", "UnspecifiedContentType"): FailureType.UNSUPPORTED_MEDIA_TYPE,
    ("validate-parameters", "Parameter"): FailureType.VALIDATION_ERROR,
    ("rate-limit-by-key", "RateLimitExceeded"): FailureType.THROTTLED,
    ("limit-concurrency", "ConcurrencyLimitExceeded"): FailureType.THROTTLED,
    ("quota-by-key", "QuotaExceeded"): FailureType.QUOTA_EXCEEDED,
    ("forward-request", "Timeout"): FailureType.TIMEOUT,
    ("forward-request", "BackendConnectionFailure"): FailureType.DOWNSTREAM_UNAVAILABLE,
    ("authentication-managed-identity", "ManagedIdentityTokenFailure"): (
        FailureType.DOWNSTREAM_UNAVAILABLE
    ),
    ("get-authorization-context", "AuthorizationContextFailure"): (
        FailureType.DOWNSTREAM_UNAVAILABLE
    ),
    ("llm-content-safety", "ContentSafetyViolation"): FailureType.FORBIDDEN,
    ("set-variable", "ExpressionValueEvaluationFailure"): FailureType.INTERNAL_ERROR,
}


@pytest.mark.parametrize(("source", "reason"), EXPECTED)
def test_a_reason_leaves_as_the_type_that_a_flow_can_route_on(
    app: GatewayApp, source: str, reason: str
) -> None:
    exchange = left(app, PolicyError(400, reason, "x", source=source))
    assert judged(exchange) is EXPECTED[source, reason]


def test_a_defect_of_ours_tells_nothing_of_the_inside(app: GatewayApp) -> None:
    exchange = left(
        app, PolicyError(500, "ExpressionValueEvaluationFailure", "secret", source="set-body")
    )
    assert judged(exchange) is FailureType.INTERNAL_ERROR
    assert b"secret" not in (exchange.response.body.content or b"")
