"""What LastError says, and what the caller reads, when a policy or a step before it fails.

Source: api-management-error-handling-policies (predefined errors for built-in steps and policies),
and the validation policies' error reference.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from test_gateway_policies import case

from hybridmandate.governance.gateway.conformance import run_all

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
FIELDS = ("Source", "Reason", "Message", "Section", "Scope", "Path", "PolicyId")
TELL = "".join(
    f"<set-header name='X-{name}'><value>@(context.LastError.{name} ?? \"\")</value></set-header>"
    for name in FIELDS
)
FAILING = "<set-variable name='x' value='@(int.Parse(\"a\"))'/>"
UNREADABLE = "Expression evaluation failed. The input string 'a' was not in a correct format."
POST = {"method": "POST", "headers": {"Content-Type": "application/json"}}
LIMITS = "unspecified-content-type-action='prevent' max-size='9' size-exceeded-action='prevent'"
HIDDEN = "The request could not be processed due to an internal error. Contact the API owner."


def token(**claims: Any) -> dict[str, Any]:
    return {"jwt": {"alg": "HS256", "key_b64": KEY, "claims": {"exp_in": 60, **claims}}}


def validate_jwt(more: str = "", attributes: str = "") -> str:
    return (
        f"<validate-jwt header-name='Authorization' {attributes}><issuer-signing-keys>"
        f"<key>{KEY}</key></issuer-signing-keys>{more}</validate-jwt>"
    )


def scope(inbound: str) -> str:
    return (
        f"<policies><inbound><base/>{inbound}</inbound><backend><base/></backend>"
        "<outbound><base/></outbound><on-error><base/></on-error></policies>"
    )


TABLE: list[tuple[str, int, str, dict[str, Any]]] = [
    (
        "check-header|HeaderNotFound|Header X-A was not found in the request. Access denied.|"
        "inbound|api|check-header[1]|mine",
        401,
        "No",
        {
            "inbound": "<check-header id='mine' name='X-A' failed-check-httpcode='401' "
            "failed-check-error-message='No' ignore-case='true'/>"
        },
    ),
    (
        "check-header|HeaderValueNotAllowed|Header X-A value of b is not allowed. Access denied.|"
        "inbound|api|check-header[1]|",
        403,
        "No",
        {
            "inbound": "<check-header name='X-A' failed-check-httpcode='403' "
            "failed-check-error-message='No' ignore-case='true'><value>a</value></check-header>",
            "request": {"headers": {"X-A": "b"}},
        },
    ),
    (
        "validate-jwt|TokenNotPresent|JWT not present.|inbound|api|validate-jwt[1]|",
        401,
        "JWT not present.",
        {"inbound": validate_jwt()},
    ),
    (
        "validate-jwt|TokenNotPresent|JWT not present.|inbound|api|validate-jwt[1]|",
        403,
        "Go away",
        {
            "inbound": validate_jwt(
                attributes="failed-validation-httpcode='403' "
                "failed-validation-error-message='Go away'"
            )
        },
    ),
    (
        "validate-jwt|TokenClaimNotFound|JWT token is missing the following claims: a, b. "
        "Access denied.|inbound|api|validate-jwt[1]|",
        401,
        "JWT token is missing the following claims: a, b. Access denied.",
        {
            "inbound": validate_jwt(
                "<required-claims><claim name='a'/><claim name='b'/></required-claims>"
            ),
            "request": token(),
        },
    ),
    (
        "validate-jwt|TokenClaimValueNotAllowed|Claim b value of 2 is not allowed. Access denied.|"
        "inbound|api|validate-jwt[1]|",
        401,
        "Claim b value of 2 is not allowed. Access denied.",
        {
            "inbound": validate_jwt(
                "<required-claims><claim name='b'><value>@((1).ToString())</value></claim>"
                "</required-claims>"
            ),
            "request": token(b="2"),
        },
    ),
    (
        "ip-filter|CallerIpNotAllowed|Caller IP address 192.0.2.7 is not allowed. Access denied.|"
        "inbound|api|ip-filter[1]|",
        403,
        "Caller IP address 192.0.2.7 is not allowed. Access denied.",
        {
            "inbound": "<ip-filter action='allow'><address>192.0.2.1</address></ip-filter>",
            "request": {"ip": "192.0.2.7"},
        },
    ),
    (
        "jsonp|CallbackParameterInvalid|Value of callback parameter cb is not a valid JavaScript "
        "identifier.|outbound|api|jsonp[1]|",
        400,
        "Value of callback parameter cb is not a valid JavaScript identifier.",
        {
            "outbound": "<jsonp callback-parameter-name='cb'/>",
            "request": {"path": "/api/items?cb=a-b"},
        },
    ),
    (
        "validate-content|SizeLimit|Request's body is 12 bytes long and it exceeds the configured "
        "limit of 9 bytes.|inbound|api|validate-content[1]|",
        400,
        "Request's body is 12 bytes long and it exceeds the configured limit of 9 bytes.",
        {
            "inbound": f"<validate-content {LIMITS}/>",
            "request": {**POST, "body": '{"a": "bcd"}'},
        },
    ),
    (
        "validate-content|UnspecifiedContentType|Unspecified content type application/json is not "
        "allowed.|inbound|api|validate-content[1]|",
        400,
        "Unspecified content type application/json is not allowed.",
        {"inbound": f"<validate-content {LIMITS}/>", "request": {**POST, "body": "{}"}},
    ),
    (
        "validate-headers|UnspecifiedHeader|Unspecified header x-s is not allowed.|outbound|api|"
        "validate-headers[1]|",
        502,
        HIDDEN,
        {
            "outbound": "<validate-headers specified-header-action='ignore' "
            "unspecified-header-action='@(\"prevent\")'/>",
            "back_end": {"headers": {"X-S": "1"}},
        },
    ),
    (
        "validate-status-code|UnspecifiedStatusCode|Response status code 201 is not allowed.|"
        "outbound|api|validate-status-code[1]|",
        502,
        HIDDEN,
        {
            "outbound": "<validate-status-code unspecified-status-code-action='prevent'/>",
            "back_end": {"status": 201},
        },
    ),
    (
        f"set-variable|ExpressionValueEvaluationFailure|{UNREADABLE}|inbound|api|"
        "choose[1]/when[1]/set-variable[1]|",
        500,
        "Internal server error",
        {"inbound": f"<choose><when condition='@(true)'>{FAILING}</when></choose>"},
    ),
    (
        f"set-variable|ExpressionValueEvaluationFailure|{UNREADABLE}|inbound|operation|"
        "set-variable[1]|",
        500,
        "Internal server error",
        {"scopes": {"operation": scope(FAILING)}},
    ),
    (
        f"set-variable|ExpressionValueEvaluationFailure|{UNREADABLE}|outbound|api|set-variable[1]|",
        500,
        "Internal server error",
        {"outbound": FAILING},
    ),
    (
        "forward-request|BackendConnectionFailure|The back end could not be reached.|backend|"
        "global|forward-request[1]|",
        500,
        "Internal server error",
        {"back_end": {"refuse": True}},
    ),
    (
        "configuration|OperationNotFound|Unable to match incoming request to an operation.|"
        "inbound|||",
        404,
        "Resource not found",
        {"operation": {"method": "GET", "urlTemplate": "/other"}},
    ),
    (
        "authorization|SubscriptionKeyNotFound|Access denied due to missing subscription key. Make "
        "sure to include subscription key when making requests to this API.|inbound|||",
        401,
        "Access denied due to missing subscription key. Make sure to include subscription key "
        "when making requests to this API.",
        {"subscription_required": True},
    ),
]


@pytest.mark.parametrize(
    ("told", "status", "message", "more"), TABLE, ids=[row[0].split("|")[1] for row in TABLE]
)
async def test_last_error_and_the_default_answer(
    told: str, status: int, message: str, more: dict[str, Any]
) -> None:
    values = dict(zip(FIELDS, told.split("|"), strict=True))
    expect = {
        "status": status,
        "headers": {f"X-{name}": value for name, value in values.items()},
        "body_json_subset": {"statusCode": status, "message": message},
    }
    [(_, passed, why)] = await run_all([case(json.dumps(values), expect, on_error=TELL, **more)])
    assert passed, why
