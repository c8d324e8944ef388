"""What API Management rejects at deployment is rejected at load, with file, line and column."""

from __future__ import annotations

from typing import Any

import pytest

from hybridmandate.governance.gateway.configuration import (
    ApiEntry,
    Configuration,
    Document,
    OperationEntry,
)
from hybridmandate.governance.gateway.errors import PolicyDocumentError
from hybridmandate.governance.gateway.gateway import Gateway


def configuration(inbound: str, **more: Any) -> Configuration:
    text = f"<policies>\n<inbound>\n{inbound}\n</inbound>\n</policies>"
    operation = OperationEntry("op", "op", "*", "/*")
    api = ApiEntry("api", "api", "api", "http://b", (operation,), Document(text, "api.xml"))
    return Configuration(apis=(api,), **more)


@pytest.mark.parametrize(
    ("inbound", "column", "reason"),
    [
        ("<no-such-policy/>", 1, "no policy <no-such-policy>"),
        ("<set-header name='a' colour='red'><value>1</value></set-header>", 30, "no attribute"),
        ("<set-header><value>1</value></set-header>", 1, "needs attribute 'name'"),
        ("<set-header name='a'/>", 1, "needs <value>"),
        ("<set-header name='a'><value>1</value><x/></set-header>", 38, "not allowed in"),
        ("<set-header name='a' exists-action='merge'><value>1</value></set-header>", 37, "merge"),
        ("<forward-request/>", 1, "not allowed in section inbound"),
        ("<cache-store duration='1'/>", 1, "not allowed in section inbound"),
        ("<choose/>", 1, "at least one <when>"),
        ("<choose><when/></choose>", 9, "needs attribute 'condition'"),
        ("<choose><when condition='true'><nothing/></when></choose>", 32, "no policy <nothing>"),
        ("<include-fragment fragment-id='f'/>", 32, "no fragment 'f'"),
        ("<set-method>{{gone}}</set-method>", 13, "no named value 'gone'"),
        ("<set-variable name='{{gone}}' value='1'/>", 21, "no named value 'gone'"),
        ("<rate-limit calls='1' renewal-period='301'/>", 39, "at most 300"),
        ("<rate-limit calls='0' renewal-period='60'/>", 20, "at least 1"),
        ("<quota-by-key calls='1' renewal-period='60' counter-key='k'/>", 1, "at least 300"),
        ("<quota-by-key renewal-period='300' counter-key='k'/>", 1, "'calls' or 'bandwidth'"),
        ("<set-backend-service base-url='/x'/>", 32, "no absolute http"),
        ("<set-backend-service backend-id='x'/>", 34, "no back end 'x'"),
        ("<set-backend-service/>", 1, "exactly one of"),
        ("<ip-filter action='allow'><address>x</address></ip-filter>", 27, "not an IP address"),
        ("<ip-filter action='perhaps'><address>::1</address></ip-filter>", 1, "allow or forbid"),
        ("<validate-jwt/>", 1, "exactly one of header-name"),
        ("<retry condition='true' count='51' interval='1'/>", 32, "at most 50"),
        ("<limit-concurrency key='k' max-count='0'/>", 39, "at least 1"),
        ("<base/><base/>", 8, "only once"),
        ("<choose><when condition='true'><base/></when></choose>", 32, "directly in a section"),
        (
            "<cors><allowed-headers><header>*</header></allowed-headers></cors>",
            1,
            "needs <allowed-o",
        ),
        ("<set-body template='razor'>x</set-body>", 21, "razor"),
        ("<set-body template='liquid'>{% if %}</set-body>", 29, "Liquid template"),
        ("<wait><set-method>GET</set-method></wait>", 1, "not allowed in <wait>"),
        ("text", 1, "holds policies and nothing else"),
    ],
)
def test_rejected_at_load_with_place_and_reason(inbound: str, column: int, reason: str) -> None:
    with pytest.raises(PolicyDocumentError) as caught:
        Gateway(configuration(inbound))
    assert reason in caught.value.reason
    assert caught.value.file == "api.xml"
    if inbound != "text":
        assert (caught.value.line, caught.value.column) == (3, column)


def test_fragment_that_includes_itself_is_rejected_also_inside_choose() -> None:
    text = (
        "<fragment><choose><when condition='true'><include-fragment fragment-id='f'/></when>"
        "</choose></fragment>"
    )
    with pytest.raises(PolicyDocumentError, match="includes itself"):
        Gateway(
            configuration(
                "<include-fragment fragment-id='f'/>", fragments={"f": Document(text, "f.xml")}
            )
        )


def test_error_inside_a_fragment_names_the_fragment_file() -> None:
    with pytest.raises(PolicyDocumentError) as caught:
        Gateway(
            configuration(
                "<include-fragment fragment-id='f'/>",
                fragments={"f": Document("<fragment>\n <oops/></fragment>", "f.xml")},
            )
        )
    assert (caught.value.file, caught.value.line, caught.value.column) == ("f.xml", 2, 2)


def test_named_value_in_a_liquid_template_may_be_a_variable_of_the_template() -> None:
    Gateway(configuration("<set-body template='liquid'>{{body.name}} {{context.x}}</set-body>"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<policy/>", "<policies> is expected"),
        ("<policies><inbund/></policies>", "not a section"),
        ("<policies><inbound/><inbound/></policies>", "stands twice"),
    ],
)
def test_a_document_is_policies_with_sections(text: str, reason: str) -> None:
    with pytest.raises(PolicyDocumentError, match=reason):
        Gateway(Configuration(apis=(), global_policy=Document(text, "policy.xml")))
