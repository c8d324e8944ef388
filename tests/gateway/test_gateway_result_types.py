"""Expressions whose value cannot be right for its place are refused at load, with their place."""

from __future__ import annotations

import re

import pytest

from hybridmandate.governance.gateway.configuration import Configuration, Document
from hybridmandate.governance.gateway.errors import PolicyDocumentError
from hybridmandate.governance.gateway.preparation import prepare_document
from hybridmandate.governance.gateway.refusal_rules import rule_for


def _load(policy: str) -> None:
    text = f"<policies>\n<inbound>{policy}</inbound>\n</policies>"
    prepare_document(Document(text, "policy.xml"), "api", Configuration(()))


def _when(condition: str) -> str:
    return f'<choose><when condition="{condition}"><set-method>GET</set-method></when></choose>'


def _variable(value: str) -> str:
    return f'<set-variable name="v" value="{value}" />'


def _header(value: str) -> str:
    return f'<set-header name="h"><value>{value}</value></set-header>'


def _retry(count: str) -> str:
    start = f'<retry condition="@(true)" count="{count}" interval="1">'
    return f"{start}<set-method>GET</set-method></retry>"


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (_when("@(context.Request)"), "Cannot implicitly convert type 'IRequest' to 'bool'"),
        (_when("@(1 + 1)"), "Cannot implicitly convert type 'int' to 'bool'"),
        (_when("@(DateTime.UtcNow)"), "Cannot implicitly convert type 'DateTime' to 'bool'"),
        (_when("@(context.Request.Headers)"), "to 'bool'"),
        (_retry("@(context.Request.Url.Host == null)"), "'bool' to 'int'"),
        (_retry("@(Guid.NewGuid())"), "'Guid' to 'int'"),
        (_header("@(context.Api)"), "Cannot implicitly convert type 'IApi' to 'string'"),
        (_header("@(context)"), "to 'string'"),
        (
            _variable("@(context.Request.Headers)"),
            "Expression return type 'System.Collections.Generic.IReadOnlyDictionary",
        ),
        (_variable("@(new List<string>())"), "'System.Collections.Generic.List'"),
        (_variable("@(context.User)"), "'Microsoft.Azure.ApiManagement.IUser'"),
    ],
)
def test_value_of_a_wrong_type_is_refused_at_load(policy: str, reason: str) -> None:
    value = re.search(r"@\((?!true)", f"<inbound>{policy}")
    assert value is not None
    with pytest.raises(PolicyDocumentError) as caught:
        _load(policy)
    assert reason in caught.value.reason
    assert (caught.value.file, caught.value.line) == ("policy.xml", 2)
    assert caught.value.column == value.start() + 1
    assert rule_for(caught.value.reason) is not None


@pytest.mark.parametrize(
    "policy",
    [
        _when("@(context.Request.Method == null)"),
        _when("@(context.Variables[&quot;flag&quot;])"),
        _when("@((string)context.Variables[&quot;flag&quot;])"),
        _when("@(context.Request.Body.As<JObject>()[&quot;on&quot;])"),
        _when("@{ return context.Request.Method; }"),
        _retry("@(context.Variables.GetValueOrDefault<int>(&quot;n&quot;))"),
        _retry("@(context.Request.Headers.GetValueOrDefault(&quot;n&quot;, &quot;3&quot;))"),
        _header("@(context.Request.Url)"),
        _header("@(12.5)"),
        _variable(
            "@(context.Request.Headers.GetValueOrDefault(&quot;a&quot;,&quot;&quot;).AsJwt())"
        ),
        _variable("@(new JRaw(&quot;1&quot;))"),
        _variable("@((int?)null)"),
    ],
)
def test_value_that_may_be_right_is_taken(policy: str) -> None:
    _load(policy)


@pytest.mark.parametrize(
    ("expression", "at", "reason"),
    [
        ("@(context.Request.Verb)", "Verb", "does not contain a definition for 'Verb'"),
        ("@(context.Request.Url.Trim())", "Trim", "does not contain a definition for 'Trim'"),
        ("@(Math.Median(1, 2))", "Median", "does not contain a static method 'Median'"),
        ("@(context.Variables.GetValue(&quot;a&quot;))", "GetValue", "GetValue"),
        ("@(nothing + 1)", "nothing", "The name 'nothing' does not exist in the current context"),
        ("@(new FileStream(&quot;a&quot;))", "FileStream", "'FileStream' is not available"),
        ("@(File.ReadAllText(&quot;a&quot;))", "File.", "'File' does not exist"),
    ],
)
def test_unknown_members_are_refused_at_load(expression: str, at: str, reason: str) -> None:
    with pytest.raises(PolicyDocumentError) as caught:
        _load(_variable(expression))
    assert reason in caught.value.reason
    assert caught.value.line == 2
    assert caught.value.column == f"<inbound>{_variable(expression)}".index(at) + 1
