"""What the shared behavioural cases leave out, in the same form and through the same server."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from hybridmandate.governance.gateway.backends import Backends
from hybridmandate.governance.gateway.configuration import BackendEntry
from hybridmandate.governance.gateway.conformance import run_all
from hybridmandate.governance.gateway.errors import PolicyError


def case(
    name: str,
    expect: dict[str, Any],
    *,
    inbound: str = "",
    backend: str = "",
    outbound: str = "",
    on_error: str = "",
    **more: Any,
) -> dict[str, Any]:
    policy = (
        f"<policies><inbound><base/>{inbound}</inbound>"
        f"<backend>{backend or '<base/>'}</backend>"
        f"<outbound><base/>{outbound}</outbound><on-error><base/>{on_error}</on-error></policies>"
    )
    request = {"method": "GET", "path": "/api/items", **more.pop("request", {})}
    if "back_end" in more:
        more["backend"] = more.pop("back_end")
    return {"name": name, "policy": policy, "request": request, "expect": expect, **more}


XML = {"headers": {"Content-Type": "text/xml"}, "body": "<a x='1'><b>1</b><b>2</b></a>"}
TELL = (
    "<set-header name='X-Error'><value>@(context.LastError.Source + '|' + "
    "context.LastError.Reason + '|' + context.LastError.Section + '|' + context.LastError.Scope + "
    "'|' + context.LastError.Path)</value></set-header>"
).replace("'|'", '"|"')
PREFLIGHT = {"Origin": "https://b", "Access-Control-Request-Method": "PUT"}
CORS = (
    "<cors><allowed-origins><origin>https://a</origin></allowed-origins>"
    "<allowed-headers><header>*</header></allowed-headers></cors>"
)
ITEMS = {"method": "PUT", "urlTemplate": "/items"}
RETURN = "<return-response><set-body>@({0})</set-body></return-response>"

CASES = [
    case(
        "scopes run from the outside in",
        {"backend_request": {"headers": {"X-Order": "g,p,a,o"}}},
        inbound="<set-header name='X-Order' exists-action='append'><value>a</value></set-header>",
        scopes={
            "global": "<policies><inbound><set-header name='X-Order'><value>g</value></set-header>"
            "</inbound><backend><forward-request/></backend></policies>",
            "product": "<policies><inbound><base/><set-header name='X-Order' "
            "exists-action='append'><value>p</value></set-header></inbound><backend><base/>"
            "</backend><outbound><base/></outbound></policies>",
            "operation": "<policies><inbound><base/><set-header name='X-Order' "
            "exists-action='append'><value>o</value></set-header></inbound><backend><base/>"
            "</backend><outbound><base/></outbound></policies>",
        },
        subscription_required=True,
        subscription={"id": "s", "key": "k"},
        request={"headers": {"Ocp-Apim-Subscription-Key": "k"}},
    ),
    case(
        "a key of no subscription is refused and never sent on",
        {"status": 401, "body_contains": "invalid subscription key", "backend_called": False},
        subscription_required=True,
        subscription={"id": "s", "key": "k"},
        request={"headers": {"Ocp-Apim-Subscription-Key": "other"}},
    ),
    case(
        "the key is handed on unless a policy takes it away",
        {"backend_request": {"headers": {"Ocp-Apim-Subscription-Key": "k"}}},
        subscription_required=True,
        subscription={"id": "s", "key": "k"},
        request={"headers": {"Ocp-Apim-Subscription-Key": "k"}},
    ),
    case(
        "a section without base does not run its parent",
        {"status": 200, "body_equals": "", "backend_called": False},
        backend="<set-variable name='x' value='1'/>",
    ),
    case(
        "last error names the place inside choose",
        {
            "status": 401,
            "headers": {
                "X-Error": "check-header|HeaderNotFound|inbound|api|"
                "choose[2]/when[1]/check-header[1]"
            },
        },
        inbound="<choose><when condition='false'/></choose><choose><when condition='true'>"
        "<check-header name='K' failed-check-httpcode='401' failed-check-error-message='m' "
        "ignore-case='true'/></when></choose>",
        on_error=TELL,
    ),
    case(
        "an expression failure tells the caller nothing",
        {"status": 500, "body_json_subset": {"message": "Internal server error"}},
        inbound="<set-variable name='x' value='@(((string)null).Length)'/>",
    ),
    case(
        "an error inside on-error does not end in a loop",
        {"status": 500},
        inbound="<set-variable name='x' value='@(1/int.Parse(\"0\"))'/>",
        on_error="<set-variable name='x' value='@(1/int.Parse(\"0\"))'/>",
    ),
    case(
        "a status that cannot be sent is a failure",
        {"status": 500},
        inbound="<return-response><set-status code='@(42)' reason='x'/></return-response>",
    ),
    case(
        "line breaks in a header value cannot start a header",
        {"status": 200, "headers_absent": ["Evil"], "headers": {"X": "a  Evil: 1"}},
        outbound='<set-header name="X"><value>@("a\\r\\nEvil: 1")</value></set-header>',
    ),
    case(
        "xml becomes json",
        {"body_json": {"a": {"@x": "1", "b": ["1", "2"]}}},
        outbound="<xml-to-json kind='direct' apply='always' consider-accept-header='false'/>",
        back_end=XML,
    ),
    case(
        "xml stays where the caller does not ask for json",
        {"body_equals": XML["body"]},
        outbound="<xml-to-json kind='direct' apply='content-type-xml'/>",
        back_end=XML,
        request={"headers": {"Accept": "text/xml"}},
    ),
    case(
        "external entities are not read",
        {"status": 200, "body_json": {"a": None}},
        outbound="<xml-to-json kind='direct' apply='always' consider-accept-header='false'/>",
        back_end={
            "headers": {"Content-Type": "text/xml"},
            "body": "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/hostname'>]><a>&e;</a>",
        },
    ),
    case(
        "every occurrence is replaced",
        {"body_equals": "x-x"},
        outbound="<find-and-replace from='old' to='x'/>",
        back_end={"body": "old-old"},
    ),
    case(
        "a liquid template sees body and context",
        {"backend_request": {"body": "n=Ada m=POST"}},
        inbound="<set-body template='liquid'>n={{body.name}} m={{context.Request.Method}}"
        "</set-body>",
        request={
            "method": "POST",
            "headers": {"Content-Type": "application/json"},
            "body": '{"name":"Ada"}',
        },
    ),
    case(
        "rewrite takes template parameters and keeps other query parameters",
        {"backend_request": {"path": "/v2/7", "query": {"a": "1", "fixed": "y"}}},
        inbound="<rewrite-uri template='/v2/{id}?fixed=y'/>",
        operation={"method": "GET", "urlTemplate": "/items/{id}"},
        request={"path": "/api/items/7?a=1"},
    ),
    case(
        "rewrite can drop the query",
        {"backend_request": {"path": "/v2", "query_absent": ["a"]}},
        inbound="<rewrite-uri template='/v2' copy-unmatched-params='false'/>",
        request={"path": "/api/items?a=1"},
    ),
    case(
        "unmatched preflight is an empty 200",
        {"status": 200, "headers_absent": ["Access-Control-Allow-Origin"], "backend_called": False},
        inbound=CORS,
        operation=ITEMS,
        request={"method": "OPTIONS", "headers": PREFLIGHT},
    ),
    case(
        "call of another origin proceeds without cors headers",
        {"status": 200, "headers_absent": ["Access-Control-Allow-Origin"], "backend_called": True},
        inbound=CORS,
        request={"headers": {"Origin": "https://b"}},
    ),
    case(
        "a stored response becomes the answer",
        {"status": 403, "body_equals": "no", "headers": {"X-More": "1"}},
        inbound="<send-request mode='new' response-variable-name='r'><set-url>https://s.example/x"
        "</set-url></send-request><return-response response-variable-name='r'>"
        "<set-header name='X-More'><value>1</value></set-header></return-response>",
        services={"https://s.example/x": {"status": 403, "body": "no"}},
    ),
    case(
        "an early end of the call still counts a deferred quota",
        {"status": 403, "backend_calls": 0},
        inbound="<quota-by-key calls='1' renewal-period='300' counter-key='k' "
        "increment-condition='@(context.Response.StatusCode == 200)'/>"
        "<return-response><set-status code='200' reason='OK'/></return-response>",
        repeat=2,
    ),
    case(
        "a limit comes back when its window has passed",
        {"status": 200},
        inbound="<rate-limit-by-key calls='1' renewal-period='60' counter-key='k'/>",
        before=[{}, {"then_advance_seconds": 61}],
    ),
    case(
        "tokens over the limit block the next call",
        {"status": 429, "headers_present": ["Retry-After"], "backend_calls": 1},
        inbound="<llm-token-limit counter-key='k' tokens-per-minute='10' "
        "estimate-prompt-tokens='false'/>",
        back_end={
            "headers": {"Content-Type": "application/json"},
            "body": '{"usage":{"total_tokens":20}}',
        },
        repeat=2,
    ),
    case(
        "content over its size is refused",
        {"status": 400, "backend_called": False},
        inbound="<validate-content unspecified-content-type-action='ignore' max-size='3' "
        "size-exceeded-action='prevent'/>",
        request={"method": "POST", "body": "1234", "headers": {"Content-Type": "text/plain"}},
    ),
    case(
        "details of an unexpected response status are hidden",
        {"status": 502, "body_contains": "Contact the API owner"},
        outbound="<validate-status-code unspecified-status-code-action='prevent'/>",
        back_end={"status": 201},
    ),
    case(
        "an unspecified parameter is refused",
        {"status": 400, "body_contains": "Unspecified query parameter b is not allowed."},
        inbound="<validate-parameters specified-parameter-action='prevent' "
        "unspecified-parameter-action='ignore'><query unspecified-parameter-action='prevent' "
        "specified-parameter-action='prevent'/></validate-parameters>",
        request={"path": "/api/items?b=1"},
    ),
    case(
        "a template's date is text of .NET and takes its formats",
        {"backend_request": {"body": "03/21/2012 05:40:00|20120321T054000Z|BOB|/items|q"}},
        inbound="<set-body template='liquid'>{{body.d}}|{{body.d | Date:\"yyyyMMddTHHmmssZ\"}}|"
        "{{body.n | Upcase}}|{{context.Request.Url.Path}}|{{context.Request.Headers.X-A}}"
        "</set-body>",
        request={
            "method": "POST",
            "headers": {"Content-Type": "application/json", "X-A": "q"},
            "body": '{"d": "2012-03-21T05:40:00Z", "n": "bob"}',
        },
    ),
    case(
        "parameters of the template's query are matched and not copied",
        {"backend_request": {"query": {"c": "d"}, "query_absent": ["a"], "headers": {"X": "b"}}},
        inbound="<set-header name='X'><value>@(context.Request.MatchedParameters[\"p\"])</value>"
        "</set-header><rewrite-uri template='/put'/>",
        operation={"method": "GET", "urlTemplate": "/get?a={p}"},
        request={"path": "/api/get?a=b&c=d"},
    ),
    case(
        "names with declared prefixes become elements of namespaces",
        {"body_contains": '<v:List n="1"><v:Item>x</v:Item></v:List></s:Body>'},
        outbound="<json-to-xml apply='always' consider-accept-header='false' "
        "namespace-separator=':' namespace-prefix='xmlns' attribute-block-name='#attrs'/>",
        back_end={
            "body": '{"s:Body": {"xmlns:s": "u:s", "xmlns:v": "u:v", "v:List": '
            '{"#attrs": {"n": "1"}, "v:Item": "x"}}}'
        },
    ),
    case(
        "prefixes of XML stay in both forms of JSON",
        {"body_json": {"p:a": {"@xmlns:p": "u", "@x": "1", "b": ["1", "2"]}}},
        outbound="<xml-to-json kind='@(\"direct\")' apply='always' "
        "consider-accept-header='false'/>",
        back_end={
            "headers": {"Content-Type": "text/xml"},
            "body": '<p:a xmlns:p="u" x="1"><b>1</b><b>2</b></p:a>',
        },
    ),
    case(
        "additional properties can be forbidden and names compared without case",
        {"status": 400, "body_contains": "does not conform to the definition s, which"},
        inbound="<validate-content unspecified-content-type-action='prevent' max-size='100' "
        "size-exceeded-action='prevent'><content type='application/json' validate-as='json' "
        "action='prevent' schema-id='s' allow-additional-properties='false' "
        "case-insensitive-property-names='true'/></validate-content>",
        schemas={"s": {"type": "object", "required": ["Id"], "properties": {"Id": {}}}},
        request={
            "method": "POST",
            "headers": {"Content-Type": "application/json"},
            "body": '{"ID": 1, "more": 2}',
        },
    ),
    case(
        "LastError tells the cause and the caller reads the policy's message",
        {
            "status": 401,
            "body_json": {"statusCode": 401, "message": "No"},
            "headers": {"X-M": "Header X-A was not found in the request. Access denied."},
        },
        inbound="<check-header name='X-A' failed-check-httpcode='401' "
        "failed-check-error-message='No' ignore-case='true'/>",
        on_error="<set-header name='X-M'><value>@(context.LastError.Message)</value></set-header>",
    ),
    case(
        "a preflight for a method without operation gets an empty 200",
        {"status": 200, "body_equals": "", "headers_absent": ["Access-Control-Allow-Origin"]},
        inbound=CORS,
        operation={"method": "GET", "urlTemplate": "/items"},
        request={"method": "OPTIONS", "headers": {**PREFLIGHT, "Origin": "https://b"}},
    ),
    case(
        "a refused connection ends in on-error",
        {
            "status": 500,
            "headers": {
                "X-Error": "forward-request|BackendConnectionFailure|backend|global|"
                "forward-request[1]"
            },
        },
        on_error=TELL,
        back_end={"refuse": True},
    ),
    case(
        "a Host that a policy sets goes to the back end, the caller's does not",
        {"backend_request": {"headers": {"Host": "tenant.example"}}},
        inbound="<set-header name='Host'><value>tenant.example</value></set-header>",
    ),
    case(
        "a limit with an expression for its increment refuses a call later",
        {"status": 200},
        inbound="<rate-limit-by-key calls='1' renewal-period='60' counter-key='k' "
        "increment-condition='@(context.Response.StatusCode == 200)'/>",
        repeat=2,
    ),
    case(
        "and then it refuses",
        {"status": 429, "backend_calls": 2},
        inbound="<rate-limit-by-key calls='1' renewal-period='60' counter-key='k' "
        "increment-condition='@(context.Response.StatusCode == 200)'/>",
        repeat=3,
    ),
    case(
        "the members of context that the call gives",
        {"body_equals": "True|Ocp-Apim-Subscription-Key|op|0|pool-a|Single"},
        inbound="<set-backend-service backend-id='pool-a'/><set-variable name='n' "
        "value='@(context.Backend.Id + \"|\" + context.Backend.Type)'/>"
        '<return-response><set-body>@(context.Api.IsCurrentRevision + "|" + '
        'context.Api.SubscriptionKeyParameterNames.Header + "|" + context.Operation.Id + '
        '"|" + context.Deployment.Certificates.Count + "|" + '
        '(string)context.Variables["n"])</set-body></return-response>',
        backends={"pool-a": {"url": "http://a.example"}},
    ),
    case(
        "the cross-domain file of the global scope belongs to no API",
        {"status": 200, "body_contains": "<allow-access-from", "backend_called": False},
        scopes={
            "global": "<policies><inbound><cross-domain><cross-domain-policy>"
            "<allow-access-from domain='*'/></cross-domain-policy></cross-domain></inbound>"
            "<backend><forward-request/></backend></policies>"
        },
        request={"path": "/crossdomain.xml"},
    ),
    case(
        "a body read without preserving it is gone",
        {"backend_request": {"body": "", "headers": {"X": "abc"}}},
        inbound="<set-header name='X'><value>@(context.Request.Body.As&lt;string&gt;())</value>"
        "</set-header>",
        request={"method": "POST", "body": "abc"},
    ),
    case(
        "basic credentials are set",
        {"backend_request": {"headers": {"Authorization": "Basic dTpw"}}},
        inbound="<authentication-basic username='u' password='p'/>",
    ),
    case(
        "method and query change for the back end",
        {"backend_request": {"method": "PUT", "query": {"q": "a b"}, "query_absent": ["z"]}},
        inbound="<set-method>PUT</set-method><set-query-parameter name='q'><value>a b</value>"
        "</set-query-parameter><set-query-parameter name='z' exists-action='delete'/>",
        request={"path": "/api/items?z=1"},
    ),
    case(
        "a named value may be an expression",
        {"body_equals": "3"},
        inbound=RETURN.format("1 + {{two}}").replace("@(1 + {{two}})", "{{sum}}"),
        named_values={"sum": "@(1 + 2)"},
    ),
]


@pytest.mark.parametrize("each", CASES, ids=[each["name"] for each in CASES])
async def test_policy(each: dict[str, Any]) -> None:
    [(_, passed, why)] = await run_all([each])
    assert passed, why


class TestBackends:
    ENTRIES: ClassVar[dict[str, BackendEntry]] = {
        "a": BackendEntry(
            "a",
            "http://a",
            breaker_failures=2,
            breaker_interval=10,
            breaker_duration=30,
            breaker_statuses=((500, 599),),
        ),
        "b": BackendEntry("b", "http://b"),
        "pool": BackendEntry("pool", None, pool=(("a", 1, 1), ("b", 2, 1))),
        "shared": BackendEntry("shared", None, pool=(("a", 1, 3), ("b", 1, 1))),
    }

    def test_open_circuit_sends_the_pool_to_its_next_member_until_it_closes(self) -> None:
        now = [0.0]
        backends = Backends(self.ENTRIES, lambda: now[0])
        assert backends.pick("pool")[0].id == "a"
        backends.report("a", 500)
        backends.report("a", 404)
        assert backends.pick("pool")[0].id == "a"
        backends.report("a", None)
        assert backends.pick("pool")[0].id == "b"
        with pytest.raises(PolicyError) as caught:
            backends.pick("a")
        assert caught.value.status == 503
        now[0] = 31.0
        assert backends.pick("pool")[0].id == "a"

    def test_old_failures_do_not_count(self) -> None:
        now = [0.0]
        backends = Backends(self.ENTRIES, lambda: now[0])
        backends.report("a", 500)
        now[0] = 11.0
        backends.report("a", 500)
        assert backends.pick("pool")[0].id == "a"

    def test_members_of_a_priority_take_turns_by_their_weights(self) -> None:
        backends = Backends(self.ENTRIES, lambda: 0.0)
        picked = [backends.pick("shared")[0].id for _ in range(8)]
        assert "".join(picked) == "aabaaaba"
