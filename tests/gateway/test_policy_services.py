"""Policies that call services or read documents: authorization, Dapr, OData, XML, mocks."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from policy_bench import Bench

from hybridmandate.governance.gateway.configuration import BackendEntry, OperationEntry
from hybridmandate.governance.gateway.errors import PolicyDocumentError
from hybridmandate.governance.gateway.schema_samples import sample_of

PROVIDER = {
    "crm": BackendEntry(
        "crm",
        "https://login.example/token",
        headers={"Authorization": ("Basic abc",)},
        query={"scope": ("read", "write")},
    )
}
CONTEXT = (
    "<get-authorization-context provider-id='crm' authorization-id='a' "
    "context-variable-name='auth' {0}/>"
    "<set-header name='X-Token'><value>"
    '@(((Authorization)context.Variables["auth"])?.AccessToken)</value></set-header>'
)


def authorized(attributes: str, status: int, content: Any, **more: Any) -> Bench:
    return Bench(
        CONTEXT.format(attributes),
        answers={"login.example": (status, content)},
        **{"backends": PROVIDER, **more},
    )


async def test_a_token_of_the_provider_is_kept_until_it_expires() -> None:
    bench = authorized("", 200, {"access_token": "t", "expires_in": 3600})
    for _ in range(2):
        await bench.call()
    asked = bench.wire.to("login.example")
    assert len(asked) == 1
    assert isinstance(asked[0].body, bytes)
    assert parse_qs(asked[0].body.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["read write"],
    }
    assert ("Authorization", "Basic abc") in asked[0].headers
    assert ("X-Token", "t") in bench.wire.to("back.example")[1].headers
    bench.now += 3600
    await bench.call()
    assert len(bench.wire.to("login.example")) == 2


@pytest.mark.parametrize(
    ("status", "content", "more"),
    [
        (401, {}, {}),
        (200, {"no": "token"}, {}),
        (200, ["access_token"], {}),
        (200, {"access_token": "t"}, {"backends": {}}),
    ],
    ids=["refused", "no token", "no object", "no provider"],
)
async def test_no_authorization_ends_the_call_unless_errors_are_ignored(
    status: int, content: Any, more: dict[str, Any]
) -> None:
    ended = await authorized("", status, content, **more).call()
    assert ended.last_error is not None
    assert ended.last_error.reason == "AuthorizationContextFailure"
    ignored = await authorized("ignore-error='true'", status, content, **more).call()
    assert ignored.response.status == 200
    assert ignored.variables["auth"] is None


def test_type_jwt_needs_an_identity_and_others_ignore_one() -> None:
    with pytest.raises(PolicyDocumentError, match="identity"):
        authorized("identity-type='jwt'", 200, {})
    authorized("identity='x'", 200, {})


async def test_a_message_is_published_to_the_sidecar() -> None:
    bench = Bench(
        '<publish-to-dapr pubsub-name="bus" topic="new orders" response-variable-name="r">'
        "@(context.Request.Body.As&lt;string&gt;(true))</publish-to-dapr>"
        '<set-body>@(((IResponse)context.Variables["r"]).StatusCode.ToString())</set-body>',
        answers={"/v1.0/publish": (204, b"")},
    )
    await bench.call({"id": 1})
    sent = bench.wire.to("/v1.0/publish")[0]
    assert (sent.url, sent.body) == (
        "http://localhost:3500/v1.0/publish/bus/new%20orders",
        b'{"id": 1}',
    )
    assert bench.wire.to("back.example")[0].body == b"204"


@pytest.mark.parametrize(("ignore", "status"), [("false", 500), ("true", 200)])
async def test_a_sidecar_that_refuses_ends_the_call(ignore: str, status: int) -> None:
    bench = Bench(
        f"<publish-to-dapr topic='bus/t' ignore-error='{ignore}'>x</publish-to-dapr>",
        answers={"/v1.0/publish": (403, {})},
    )
    assert (await bench.call()).response.status == status


async def test_a_binding_is_invoked_with_data_metadata_and_operation() -> None:
    bench = Bench(
        "<invoke-dapr-binding name='store' operation='create'><metadata><item key='k'>v</item>"
        '</metadata><data>{"a": 1}</data></invoke-dapr-binding>',
        backends={"dapr": BackendEntry("dapr", "http://sidecar.example:3501")},
    )
    await bench.call()
    sent = bench.wire.to("sidecar.example")[0]
    assert sent.url == "http://sidecar.example:3501/v1.0/bindings/store"
    assert isinstance(sent.body, bytes)
    assert json.loads(sent.body) == {
        "metadata": {"k": "v"},
        "data": {"a": 1},
        "operation": "create",
    }


EDMX = (
    '<edmx:Edmx xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" Version="4.0">'
    '<edmx:DataServices><Schema xmlns="http://docs.oasis-open.org/odata/ns/edm" Namespace="N">'
    '<EntityType Name="Base"><Property Name="Id" Type="Edm.Int32"/></EntityType>'
    '<EntityType Name="Order" BaseType="N.Base"><Property Name="Total" Type="Edm.Double"/>'
    '<NavigationProperty Name="Lines" Type="Collection(N.Base)"/></EntityType>'
    '<EntityContainer Name="C"><EntitySet Name="Orders" EntityType="N.Order"/></EntityContainer>'
    "</Schema></edmx:DataServices></edmx:Edmx>"
)


@pytest.mark.parametrize(
    ("path", "query", "headers", "problem"),
    [
        ("/Orders", "$filter=Total gt 5 and contains(Id,'a)b')&$top=3", {}, None),
        ("/Orders(5)/Lines", "$expand=Whatever", {}, None),
        ("/Orders", "$select=Id,Total&$orderby=Total desc&$expand=Lines($top=1,$skip=2)", {}, None),
        ("/Orders/$count", "free=1", {"OData_Version": "4.0"}, None),
        ("/$metadata", "", {}, None),
        ("/Invoices", "", {}, "Resource Invoices"),
        ("/Orders", "$select=Secret", {}, "Property Secret"),
        ("/Orders", "$top=-1", {}, "whole number"),
        ("/Orders", "$count=yes", {}, "true or false"),
        ("/Orders", "$filter=(Total gt 5", {}, "do not match"),
        ("/Orders", "$filter=" + "(" * 200 + ")" * 200, {}, "do not match"),
        ("/Orders", "$top=1&$top=2", {}, "more than once"),
        ("/Orders", "$drop=1", {}, "$drop"),
        ("/Orders(5", "", {}, "is not an OData resource"),
        ("/Orders", "", {"OData_Version": "3.0"}, "lower than 4.0"),
        ("/Orders", "", {"OData_Version": "4.02"}, "higher than 4.01"),
        ("/Orders", "", {"OData_MaxVersion": "new"}, "is not a version"),
    ],
)
async def test_a_request_keeps_to_odata(
    path: str, query: str, headers: dict[str, str], problem: str | None
) -> None:
    bench = Bench(
        "<validate-odata-request max-odata-version='4.01' error-variable-name='errors'/>",
        schemas={"api": EDMX},
    )
    ended = await bench.call(method="GET", path=path, query=query, **headers)
    assert ended.response.status == (200 if problem is None else 400)
    if problem is not None:
        assert any(problem in each["Details"] for each in ended.variables["errors"])


async def test_an_odata_body_has_a_size() -> None:
    bench = Bench("<validate-odata-request max-size='10'/>")
    assert (await bench.call(b"x" * 11)).response.status == 400
    assert (await bench.call(b"x" * 10)).response.status == 200


XSD = (
    '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="order">'
    "<xs:complexType>"
    '<xs:sequence><xs:element name="id" type="xs:int"/></xs:sequence></xs:complexType></xs:element>'
    "</xs:schema>"
)
SOAP = '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{0}</s:Body></s:Envelope>'
BOMB = (
    '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><order><id>&c;</id></order>'
)


@pytest.mark.parametrize(
    ("kind", "body", "rule"),
    [
        ("xml", "<order><id>1</id></order>", None),
        ("xml", "<order><id>one</id></order>", "XmlSchema"),
        ("xml", "<invoice/>", "XmlSchema"),
        ("xml", "<order><id>1</id>", "XmlBody"),
        ("xml", BOMB, "XmlBody"),
        ("xml", "<a>" * 5000 + "</a>" * 5000, "XmlBody"),
        ("soap", SOAP.format("<order><id>1</id></order>"), None),
        ("soap", SOAP.format("<order><id>x</id></order>"), "XmlSchema"),
        ("soap", "<order><id>1</id></order>", "SoapBody"),
    ],
)
async def test_xml_keeps_to_its_schema(kind: str, body: str, rule: str | None) -> None:
    bench = Bench(
        "<validate-content unspecified-content-type-action='prevent' max-size='102400' "
        "size-exceeded-action='prevent'><content type='text/xml' "
        f"validate-as='{kind}' action='prevent' schema-id='order'/></validate-content>",
        schemas={"order": XSD},
    )
    ended = await bench.call(body.encode(), Content_Type="text/xml")
    assert (ended.last_error.reason if ended.last_error else None) == rule
    assert ended.response.status == (400 if rule else 200)


def test_a_schema_that_is_none_is_refused_at_load() -> None:
    with pytest.raises(PolicyDocumentError, match="not an XML schema"):
        Bench(
            "<validate-content unspecified-content-type-action='prevent' max-size='1' "
            "size-exceeded-action='prevent'><content type='text/xml' validate-as='xml' "
            "action='prevent' schema-id='order'/></validate-content>",
            schemas={"order": "<not-a-schema/>"},
        )


async def test_a_mock_answers_with_a_sample_where_no_example_stands() -> None:
    schema = {
        "allOf": [{"$ref": "#/components/schemas/Order"}],
        "components": {
            "schemas": {
                "Order": {
                    "type": "object",
                    "properties": {
                        "id": {"type": "string", "format": "uuid"},
                        "state": {"enum": ["open", "closed"]},
                        "lines": {"type": "array", "items": {"type": "integer", "minimum": 3}},
                        "parent": {"$ref": "#/components/schemas/Order"},
                    },
                }
            }
        },
    }
    operation = OperationEntry(
        "op", "op", "*", "/*", responses={"201": {"application/json": schema}}
    )
    bench = Bench(
        "<mock-response status-code='201' content-type='application/json'/>", operation=operation
    )
    ended = await bench.call()
    sample = json.loads(ended.response.body.content or b"")
    assert (sample["id"][:8], sample["state"], sample["lines"]) == ("00000000", "open", [3])
    assert ended.response.status == 201


@pytest.mark.parametrize(
    ("schema", "sample"),
    [
        ({"type": "string", "minLength": 8}, "stringxx"),
        ({"type": "string", "maxLength": 3}, "str"),
        ({"type": ["null", "boolean"]}, True),
        ({"type": "integer", "exclusiveMinimum": 4}, 5),
        ({"oneOf": [{"const": "a"}, {"const": "b"}]}, "a"),
        ({"default": 0, "enum": [1]}, 0),
        ({"$ref": "#/nowhere"}, None),
        ({"$ref": "#"}, None),
        ({}, None),
    ],
)
def test_a_sample_has_the_form_of_its_schema(schema: Any, sample: Any) -> None:
    assert sample_of(schema) == sample


async def test_the_cross_domain_file_is_served() -> None:
    bench = Bench(
        "<cross-domain><cross-domain-policy><allow-access-from domain='*.example.com'/>"
        "</cross-domain-policy></cross-domain>"
    )
    ended = await bench.call(method="GET", path="/crossdomain.xml")
    assert ended.response.headers.get("Content-Type") == "text/x-cross-domain-policy"
    assert b'<allow-access-from domain="*.example.com">' in (ended.response.body.content or b"")
    assert not bench.wire.sent
    await bench.call(method="GET")
    assert len(bench.wire.sent) == 1
