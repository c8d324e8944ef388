"""Edges of single policies, each stated by its documentation page, through the real server."""

from __future__ import annotations

from typing import Any

import pytest

from hybridmandate.governance.gateway.conformance import run_all
from hybridmandate.governance.gateway.conformance_fixture import configuration_of
from hybridmandate.governance.gateway.errors import PolicyDocumentError
from hybridmandate.governance.gateway.gateway import Gateway

KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
KEYS = f"<issuer-signing-keys><key>{KEY}</key></issuer-signing-keys>"
UNSIGNED = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1IiwiZXhwIjo0MTAyNDQ0ODAwfQ."
"""A token with the algorithm none that expires in 2100."""
SUBSCRIBED = {"subscription_required": True, "subscription": {"id": "s", "key": "k"}}
WITH_KEY = {"headers": {"Ocp-Apim-Subscription-Key": "k"}}
PREFLIGHT = {
    "method": "OPTIONS",
    "headers": {"Origin": "https://a", "Access-Control-Request-Method": "PUT"},
}
PUT = {"method": "PUT", "urlTemplate": "/items"}
ITEM = {
    "method": "GET",
    "urlTemplate": "/items/{id}",
    "templateParameters": [{"name": "id", "type": "integer", "required": True}],
    "request": {"queryParameters": [{"name": "q", "type": "integer", "required": True}]},
    "responses": [
        {
            "statusCode": 200,
            "representations": [
                {"contentType": "application/json", "examples": {"default": {"value": {"a": 1}}}}
            ],
        }
    ],
}


def document(inbound: str = "", outbound: str = "", backend: str = "<base/>") -> str:
    return (
        f"<policies><inbound><base/>{inbound}</inbound><backend>{backend}</backend>"
        f"<outbound><base/>{outbound}</outbound><on-error><base/></on-error></policies>"
    )


def cors(origin: str, attributes: str = "", headers: str = "<header>*</header>") -> str:
    return (
        f"<cors {attributes}><allowed-origins><origin>{origin}</origin></allowed-origins>"
        f"<allowed-methods><method>PUT</method></allowed-methods>"
        f"<allowed-headers>{headers}</allowed-headers></cors>"
    )


def token(where: str = "header:Authorization", **claims: Any) -> dict[str, Any]:
    return {"alg": "HS256", "key_b64": KEY, "where": where, "claims": {"exp_in": 60, **claims}}


def quota(calls: int, period: int) -> str:
    return f"<quota-by-key calls='{calls}' renewal-period='{period}' counter-key='k'/>"


def rate(calls: int, period: int) -> str:
    return f"<rate-limit-by-key calls='{calls}' renewal-period='{period}' counter-key='k'/>"


def claim(value: str) -> str:
    return (
        f"<validate-jwt header-name='Authorization'>{KEYS}<required-claims>"
        f"<claim name='scp' separator=','>{value}</claim></required-claims></validate-jwt>"
    )


USED_80 = {
    "headers": {"Content-Type": "application/json"},
    "body": {"usage": {"prompt_tokens": 30, "completion_tokens": 50, "total_tokens": 80}},
}
CACHED = "<cache-lookup vary-by-developer='false' vary-by-developer-groups='false'/>"
TOLD = "<set-header name='{}' exists-action='append'><value>1</value></set-header>"
COUNTED = (
    "<cache-lookup-value key='k' variable-name='j'/><choose>"
    "<when condition='@(!context.Variables.ContainsKey(&quot;j&quot;))'>"
    "<set-variable name='j' value='@(new JArray())'/>"
    "<cache-store-value key='k' value='@((JArray)context.Variables[&quot;j&quot;])' duration='60'/>"
    '</when></choose><return-response><set-body>@{ var j = (JArray)context.Variables["j"]; '
    'j.Add("x"); return j.Count.ToString(); }</set-body></return-response>'
)
Row = tuple[str, str, dict[str, Any], dict[str, Any]]
TABLE: list[Row] = [
    (
        "two periods of one key are two limits: the short one holds",
        rate(2, 10) + rate(100, 60),
        {"repeat": 3},
        {"status": 429},
    ),
    (
        "two periods of one key are two limits: the long one holds",
        rate(100, 10) + rate(2, 60),
        {"repeat": 3},
        {"status": 429},
    ),
    (
        "two quotas of one key: the longer period holds",
        quota(100, 300) + quota(1, 86400),
        {"repeat": 2},
        {"status": 403},
    ),
    (
        "a second quota of a counted key judges by its own limit",
        quota(100, 3600) + quota(1, 3600),
        {"repeat": 2},
        {"status": 403},
    ),
    (
        "rate-limit may stand in each branch, and each counts for itself",
        "<choose><when condition='@(context.Request.Method == &quot;POST&quot;)'>"
        "<rate-limit calls='1' renewal-period='60'/></when><otherwise>"
        "<rate-limit calls='2' renewal-period='60'/></otherwise></choose>",
        {"request": WITH_KEY, "before": [{"method": "POST"}, {}], **SUBSCRIBED},
        {"status": 200},
    ),
    (
        "a key of several quotas is counted once a call",
        quota(2, 3600) + quota(2, 3600),
        {"repeat": 2},
        {"status": 200},
    ),
    (
        "a bandwidth that is not used up lets the next call pass",
        "<quota-by-key bandwidth='1' renewal-period='3600' counter-key='k'/>",
        {"repeat": 3},
        {"status": 200},
    ),
    (
        "a quota's period begins with the subscription",
        "<quota calls='1' renewal-period='3600'/>",
        {"request": WITH_KEY, "before": [{"then_advance_seconds": 3500}], **SUBSCRIBED},
        {"status": 403},
    ),
    (
        "a nested quota without a period has that of the quota around it",
        "<quota calls='9' renewal-period='3600'><api name='api' calls='1'/></quota>",
        {"request": WITH_KEY, "repeat": 2, **SUBSCRIBED},
        {"status": 403},
    ),
    (
        "a token in a header of its own may have its scheme before it",
        f"<validate-jwt header-name='X-Token' require-scheme='Other'>{KEYS}</validate-jwt>",
        {"request": {"jwt": token("header:X-Token")}},
        {"status": 200},
    ),
    (
        "without a source of keys a signed token is refused",
        "<validate-jwt header-name='Authorization' require-signed-tokens='false'/>",
        {"request": {"jwt": token()}},
        {"status": 401, "backend_called": False},
    ),
    (
        "without a source of keys an unsigned token passes where it may be unsigned",
        "<validate-jwt header-name='Authorization' require-signed-tokens='false'/>",
        {"request": {"headers": {"Authorization": f"Bearer {UNSIGNED}"}}},
        {"status": 200},
    ),
    (
        "a separator cuts every value of a claim",
        claim("<value>write</value><value>all</value>"),
        {"request": {"jwt": token(scp=["read,write", "all"])}},
        {"status": 200},
    ),
    (
        "space around a header's value is no part of it",
        "<set-header name='X-A'><value>  a b\n </value></set-header>",
        {},
        {"backend_request": {"headers": {"X-A": "a b"}}},
    ),
    (
        "a catch-all parameter keeps its slashes in rewrite-uri",
        "<rewrite-uri template='/p/{*rest}'/>",
        {
            "operation": {"method": "GET", "urlTemplate": "/files/{*rest}"},
            "request": {"path": "/api/files/a/b:c"},
        },
        {"backend_request": {"path": "/p/a/b:c"}},
    ),
    (
        "a back end that a scope around has named is not overridden by a URL",
        "<set-backend-service base-url='http://other.example'/>",
        {
            "backends": {"b": {"url": "http://named.example"}},
            "scopes": {
                "global": "<policies><inbound><set-backend-service backend-id='b'/></inbound>"
                "<backend><forward-request/></backend></policies>"
            },
        },
        {"backend_request": {"url": "http://named.example/items"}},
    ),
    (
        "in one scope a URL takes the place of a named back end",
        "<set-backend-service backend-id='b'/>"
        "<set-backend-service base-url='http://other.example'/>",
        {"backends": {"b": {"url": "http://named.example"}}},
        {"backend_request": {"url": "http://other.example/items"}},
    ),
    (
        "a preflight that wants a header which is not allowed gets no cors headers",
        cors("https://a", headers="<header>x-a</header>"),
        {
            "operation": PUT,
            "request": {
                **PREFLIGHT,
                "headers": {**PREFLIGHT["headers"], "Access-Control-Request-Headers": "x-a,x-b"},
            },
        },
        {"status": 200, "headers_absent": ["Access-Control-Allow-Origin"]},
    ),
    (
        "a preflight is answered by the cors of the scope that knows its origin",
        cors("https://a"),
        {
            "operation": PUT,
            "request": PREFLIGHT,
            "scopes": {"global": f"<policies><inbound>{cors('https://b')}</inbound></policies>"},
        },
        {"status": 200, "headers": {"Access-Control-Allow-Origin": "https://a"}},
    ),
    (
        "a cors that terminates unmatched requests is asked last",
        cors("https://a"),
        {
            "operation": PUT,
            "request": PREFLIGHT,
            "scopes": {
                "global": "<policies><inbound>"
                + cors("https://b", "terminate-unmatched-request='true'")
                + "</inbound></policies>"
            },
        },
        {"status": 200, "headers_absent": ["Access-Control-Allow-Origin"]},
    ),
    (
        "a preflight without cors finds no operation and needs no key to be refused",
        "",
        {"operation": PUT, "request": PREFLIGHT, **SUBSCRIBED},
        {"status": 404, "backend_called": False},
    ),
    (
        "an operation of every method leaves preflights to cors",
        cors("https://a"),
        {"request": PREFLIGHT},
        {"backend_called": False, "headers": {"Access-Control-Allow-Origin": "https://a"}},
    ),
    (
        "an operation of every method without cors asks a preflight for its key",
        "",
        {"request": PREFLIGHT, **SUBSCRIBED},
        {"status": 401, "backend_called": False},
    ),
    (
        "a hit of the cache goes on after cache-store",
        CACHED,
        {
            "repeat": 2,
            "outbound": TOLD.format("X-Before")
            + "<cache-store duration='60'/>"
            # What stands before is stored once, what stands after runs at each call.
            + TOLD.format("X-After"),
        },
        {"backend_calls": 1, "headers": {"X-Before": "1", "X-After": "1"}},
    ),
    (
        "a hit goes on after the choose that holds cache-store, and in the scopes around it",
        CACHED,
        {
            "repeat": 2,
            "outbound": "<choose><when condition='true'><cache-store duration='60'/>"
            + TOLD.format("X-Inside")
            + "</when></choose>"
            + TOLD.format("X-After"),
            "scopes": {"operation": document("", TOLD.format("X-Operation"))},
        },
        {
            "backend_calls": 1,
            "headers": {"X-After": "1", "X-Operation": "1"},
            "headers_absent": ["X-Inside"],
        },
    ),
    (
        "an error after a hit goes to on-error",
        CACHED,
        {
            "repeat": 2,
            "outbound": "<cache-store duration='60'/>"
            "<set-method>@(context.Variables[&quot;no&quot;].ToString())</set-method>",
        },
        {"status": 500, "backend_calls": 1},
    ),
    (
        "a value of the cache is each call's own: changing it changes no other",
        COUNTED,
        {"repeat": 4},
        {"body_equals": "1"},
    ),
    (
        "token variables are known before the model has answered",
        "<llm-token-limit counter-key='k' tokens-per-minute='100' estimate-prompt-tokens='false' "
        "token-quota='500' token-quota-period='Daily' tokens-consumed-variable-name='c' "
        "remaining-tokens-variable-name='r' remaining-quota-tokens-variable-name='q'/>"
        '<set-header name=\'X-Before\'><value>@(context.Variables["c"] + "|" + '
        'context.Variables["r"] + "|" + context.Variables["q"])</value></set-header>',
        {"repeat": 2, "backend": USED_80},
        {"backend_request": {"headers": {"X-Before": "0|20|420"}}},
    ),
    (
        "token quotas of one key over two periods stand side by side",
        "<llm-token-limit counter-key='k' token-quota='50' token-quota-period='Daily' "
        "estimate-prompt-tokens='false'/><llm-token-limit counter-key='k' token-quota='5000' "
        "token-quota-period='Monthly' estimate-prompt-tokens='false'/>",
        {"repeat": 2, "backend": USED_80},
        {"status": 403, "backend_calls": 1},
    ),
    (
        "a prompt that does not fit waits until as much is free",
        "<llm-token-limit counter-key='k' tokens-per-minute='85' estimate-prompt-tokens='true'/>",
        {
            "request": {"method": "POST", "body": {"messages": [{"content": "word " * 8}]}},
            "before": [{"then_advance_seconds": 20}],
            "backend": USED_80,
        },
        {"status": 429, "headers": {"Retry-After": "40"}},
    ),
    (
        "a quota begins with the case, so what it says does not depend on the time of day",
        quota(1, 3600),
        {"repeat": 2},
        {"status": 403, "headers": {"Retry-After": "3600"}, "body_contains": "in 01:00:00"},
    ),
    (
        "a body schema of the operation's contract is applied",
        "<validate-content unspecified-content-type-action='prevent' max-size='99' "
        "size-exceeded-action='prevent'><content type='application/json' validate-as='json' "
        "action='prevent'/></validate-content>",
        {
            "schemas": {"s": {"type": "object", "required": ["id"]}},
            "operation": {
                **PUT,
                "request": {
                    "representations": [{"contentType": "application/json", "schemaId": "s"}]
                },
            },
            "request": {
                "method": "PUT",
                "headers": {"Content-Type": "application/json"},
                "body": {"x": 1},
            },
        },
        {"status": 400, "backend_called": False},
    ),
    (
        "a parameter of the operation's contract is checked",
        "<validate-parameters specified-parameter-action='prevent' "
        "unspecified-parameter-action='ignore'/>",
        {"operation": ITEM, "request": {"path": "/api/items/5?q=abc"}},
        {"status": 400, "backend_called": False},
    ),
    (
        "the example of the operation's contract is the mock",
        "<mock-response status-code='200' content-type='application/json'/>",
        {"operation": ITEM, "request": {"path": "/api/items/5"}},
        {"body_json": {"a": 1}, "headers": {"Content-Type": "application/json"}},
    ),
]


@pytest.mark.parametrize(("name", "inbound", "more", "expect"), TABLE, ids=[r[0] for r in TABLE])
async def test_edge(name: str, inbound: str, more: dict[str, Any], expect: dict[str, Any]) -> None:
    request = {"method": "GET", "path": "/api/items", **more.get("request", {})}
    policy = document(inbound, more.get("outbound", ""))
    case = {"name": name, "policy": policy, **more, "request": request, "expect": expect}
    [(_, passed, why)] = await run_all([case])
    assert passed, why


REFUSED = [
    (
        "<choose><otherwise/><when condition='@(true)'/></choose>",
        "<otherwise> stands after each <when>",
    ),
    ("<set-method/>", "<set-method> needs the name of a method"),
    ("<trace source='s'/>", "<trace> needs <message>"),
    (
        "<cache-lookup vary-by-developer='false' vary-by-developer-groups='false' "
        "downstream-caching-type='shared'/>",
        "'shared' is not allowed in attribute 'downstream-caching-type'",
    ),
    (cors("https://a", headers=""), "<allowed-headers> needs at least one <header>"),
]


@pytest.mark.parametrize(("inbound", "reason"), REFUSED)
def test_what_no_page_allows_is_refused_at_load(inbound: str, reason: str) -> None:
    with pytest.raises(PolicyDocumentError) as caught:
        Gateway(configuration_of({"policy": document(inbound)}))
    assert reason in caught.value.reason
    assert (caught.value.line, caught.value.column) >= (1, 27)
