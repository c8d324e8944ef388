"""Policies of content and messages through the real server; what stays refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from hybridmandate.governance.gateway.conformance import run_all
from hybridmandate.governance.gateway.conformance_fixture import configuration_of
from hybridmandate.governance.gateway.errors import PolicyDocumentError
from hybridmandate.governance.gateway.gateway import Gateway
from hybridmandate.governance.gateway.refused_policies import REFUSED
from hybridmandate.governance.gateway.registry import POLICIES

PAGE = Path(__file__).parents[2] / "docs" / "gateway" / "policies.md"
XSL = "xmlns:xsl='http://www.w3.org/1999/XSL/Transform'"


def document(inbound: str = "", outbound: str = "") -> str:
    return (
        f"<policies><inbound><base/>{inbound}</inbound><backend><base/></backend>"
        f"<outbound><base/>{outbound}</outbound><on-error><base/></on-error></policies>"
    )


def case(name: str, policy: str, expect: dict[str, Any], **more: Any) -> dict[str, Any]:
    request = {"method": "GET", "path": "/api/items", **more.pop("request", {})}
    return {"name": name, "policy": policy, "request": request, "expect": expect, **more}


def sheet(template: str, more: str = "") -> str:
    return (
        f"<xsl-transform>{more}<xsl:stylesheet version='1.0' {XSL}>"
        f"<xsl:output omit-xml-declaration='yes'/><xsl:param name='who'/>"
        f"<xsl:template match='/'>{template}</xsl:template></xsl:stylesheet></xsl-transform>"
    )


JSONP = document(outbound="<jsonp callback-parameter-name='cb'/>")
REDIRECT = "<redirect-content-urls/>"
XML = {"headers": {"Content-Type": "text/xml"}, "body": "<a><b>1</b></a>"}

BUS = (
    "<send-service-bus-message {0} namespace='bus.example'><message-properties>"
    "<message-property name='Kind'>@(context.Request.Method)</message-property>"
    '</message-properties><payload>@("order " + 7)</payload></send-service-bus-message>'
)
QUEUE = BUS.format("queue-name='orders'")
QUEUE_URL = "https://bus.example/orders/messages"

CASES = [
    case(
        "a message goes to its queue with the gateway's own token",
        document(QUEUE),
        {
            "status": 200,
            "backend_called": True,
            "service_request": {
                "method": "POST",
                "url": QUEUE_URL,
                "body": "order 7",
                "headers": {"Authorization": "Bearer own", "Kind": '"GET"'},
            },
        },
        services={QUEUE_URL: {"status": 201, "body": ""}},
        managed_identity_token="own",
    ),
    case(
        "a message that Service Bus does not take ends the call",
        document(QUEUE),
        {"status": 500, "backend_called": False},
        services={QUEUE_URL: {"status": 401, "body": ""}},
    ),
    case(
        "a namespace cannot lead the token to another path or host",
        document(QUEUE.replace("'bus.example'", "'bus.example@evil.example'")),
        {"status": 500, "backend_called": False},
    ),
    case(
        "jsonp wraps JSON in the callback of the query",
        JSONP,
        {"body_equals": 'x.y({"ok":true})'},
        request={"path": "/api/items?cb=x.y"},
    ),
    case("jsonp without a callback changes nothing", JSONP, {"body_equals": '{"ok":true}'}),
    case(
        "jsonp refuses a callback that is a script",
        JSONP,
        {"status": 400, "body_contains": "Value of callback parameter cb"},
        request={"path": "/api/items?cb=alert(1)//"},
    ),
    case(
        "jsonp leaves other content alone",
        JSONP,
        {"body_equals": "<p/>"},
        request={"path": "/api/items?cb=f"},
        backend={"headers": {"Content-Type": "text/html"}, "body": "<p/>"},
    ),
    case(
        "links to the back end point to the gateway, longer hosts do not",
        document(outbound=REDIRECT),
        {"body_equals": "http://gw.example/api/1 http://backend.example.org/2"},
        request={"headers": {"Host": "gw.example"}},
        backend={
            "headers": {"Content-Type": "text/plain"},
            "body": "http://backend.example/1 http://backend.example.org/2",
        },
    ),
    case(
        "links in a request point to the back end",
        document(inbound=REDIRECT),
        {"backend_request": {"body": "see http://backend.example/1"}},
        request={
            "method": "POST",
            "headers": {"Host": "gw.example"},
            "body": "see http://gw.example/api/1",
        },
    ),
    case(
        "a stylesheet transforms the response, with parameters from expressions",
        document(
            outbound=sheet(
                "<r who='{$who}'>got <xsl:value-of select='a/b'/></r>",
                "<parameter name='who'>@(context.Request.Method)</parameter>",
            )
        ),
        {"body_equals": '<r who="GET">got 1</r>\n'},
        backend=XML,
    ),
    case(
        "a body that is no XML is an error",
        document(outbound=sheet("<r/>")),
        {"status": 500},
        backend={"body": "{}"},
    ),
    case(
        "a stylesheet reads no file",
        document(outbound=sheet("<xsl:copy-of select=\"document('file:///etc/hostname')\"/>")),
        {"status": 500},
        backend=XML,
    ),
    case(
        "an entity of the body reads no file",
        document(outbound=sheet("<r><xsl:value-of select='a'/></r>")),
        {"body_equals": "<r/>\n"},
        backend={
            "headers": {"Content-Type": "text/xml"},
            "body": "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/hostname'>]><a>&e;</a>",
        },
    ),
]


@pytest.mark.parametrize("each", CASES, ids=[each["name"] for each in CASES])
async def test_policy(each: dict[str, Any]) -> None:
    [(_, passed, why)] = await run_all([each])
    assert passed, why


@pytest.mark.parametrize(
    ("inbound", "outbound", "reason"),
    [
        (BUS.format("queue-name='q' topic-name='t'"), "", "exactly one of queue-name"),
        (BUS.format(""), "", "exactly one of queue-name"),
        ("<send-service-bus-message queue-name='q' namespace='n'/>", "", "needs <payload>"),
        ("", "<jsonp/>", "needs attribute 'callback-parameter-name'"),
        ("<jsonp callback-parameter-name='c'/>", "", "not allowed in section inbound"),
        ("", REDIRECT * 2, "only once"),
        ("", "<xsl-transform/>", "exactly one <xsl:stylesheet>"),
        ("", sheet("<xsl:nonsense/>") + sheet("<xsl:value-of/>"), "cannot be used"),
        ("", sheet("<a></b>"), "cannot be used"),
    ],
)
def test_rejected_at_load(inbound: str, outbound: str, reason: str) -> None:
    with pytest.raises(PolicyDocumentError, match=re.escape(reason)):
        Gateway(configuration_of({"policy": document(inbound, outbound)}))


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_policies_that_cannot_be_real_are_refused_with_the_documented_reason(name: str) -> None:
    assert name not in POLICIES
    with pytest.raises(PolicyDocumentError, match=re.escape(REFUSED[name])):
        Gateway(configuration_of({"policy": document(f"<{name}/>")}))
    assert f"- `{name}`: {REFUSED[name]}." in PAGE.read_text("utf-8")
