"""`mandate policy coverage`: what it counts, what it counts apart, what it says is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hybridmandate.cli.app import app
from hybridmandate.governance.gateway.policy_coverage import cover_document, cover_policies


def document(inbound: str) -> str:
    return f"<policies><inbound><base/>{inbound}</inbound></policies>"


GOOD = document(
    '<set-variable name="n" value="@(context.Request.Body.As<JObject>()["items"][0]["n"])"/>'
    '<set-header name="X"><value>@((string)context.Variables["other"])</value></set-header>'
    '<rate-limit-by-key calls="{{calls}}" renewal-period="60" counter-key="{{calls}}"/>'
    '<include-fragment fragment-id="unknown"/><set-backend-service backend-id="any"/>'
)


def test_what_a_document_refers_to_is_stood_in_for() -> None:
    result = cover_document(GOOD, "good.xml")
    assert (result.loads, result.template, result.expressions, result.failed) == (
        True,
        False,
        2,
        [],
    )


def test_an_expression_that_no_fixture_helps_is_named_with_its_line() -> None:
    text = document('\n<set-variable name="n" value="@(Guid.Parse("no guid"))"/>')
    result = cover_document(text, "bad.xml")
    assert [(line, reason.split(":")[0]) for line, reason in result.failed] == [
        (2, "FormatException")
    ]


def test_a_template_is_counted_apart_and_filled_in_by_its_place() -> None:
    result = cover_document(
        document('<set-backend-service base-url="${backend-url}"/>'), "template.xml.tpl"
    )
    assert (result.template, result.loads) == (True, True)


def test_format_text_of_an_expression_is_no_template() -> None:
    text = document('<set-variable name="n" value="@(string.Format("{0}", 1))"/>')
    assert not cover_document(text, "format.xml").template


def test_a_fragment_loads_where_its_policies_may_stand(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<fragment><cors-not/></fragment>")
    (tmp_path / "b.xml").write_text("<fragment><forward-request/></fragment>")
    (tmp_path / "c.xml").write_text("<fragment>\n<forward-request/></fragment>")
    (tmp_path / "d.xml").write_text("<other/>")
    found = cover_policies(tmp_path)
    assert [(each.path, each.loads) for each in found.documents] == [
        ("a.xml", False),
        ("b.xml", True),
    ]
    assert found.repeated == 1


def test_the_command_prints_and_gives_json(tmp_path: Path) -> None:
    (tmp_path / "good.xml").write_text(GOOD)
    (tmp_path / "bad.xml").write_text(document("<no-such/>"))
    printed = CliRunner().invoke(app, ["policy", "coverage", str(tmp_path)])
    assert printed.exit_code == 0
    assert (
        "2 documents (0 repetitions left out): 1 load, 1 API Management would refuse too; "
        "2 expressions: 2 evaluate" in printed.output
    )
    assert "refused by rule: bad.xml" in printed.output
    as_json = CliRunner().invoke(app, ["policy", "coverage", str(tmp_path), "--json"])
    assert json.loads(as_json.output)["load"] == 1
    assert CliRunner().invoke(app, ["policy", "coverage", "nowhere"]).exit_code == 2


@pytest.mark.parametrize(
    ("inbound", "template"),
    [
        ("<cors><allowed-origins>${origins}</allowed-origins></cors>", True),
        ("<choose>{product-limits}</choose>", True),
        ("${host_policy}<set-method>GET</set-method>", True),
        (
            '<retry count="RETRY_COUNT" condition="@(RETRY_COUNT > 1)" interval="0">'
            "<set-method>GET</set-method></retry>",
            True,
        ),
        ('<set-variable name="n" value="@($"https://a/{group-id}/b")"/>', True),
        ('<rewrite-uri template="/a/{item-id}"/>', False),
        ('<set-variable name="n" value="@(1 &lt;= {{limit}})"/>', False),
        ('<set-variable name="n" value="@(Convert.ToBoolean("{{on}}"))"/>', False),
        ('<authentication-certificate certificate-id="c"/>', False),
        (
            '<set-variable name="n" value="@(((JObject)context.Variables["b"])["x"]["y"][0]["z"]'
            '.Value<int>())"/>',
            False,
        ),
        (
            '<set-variable name="n" value="@(Encoding.UTF8.GetString(Convert.FromBase64String('
            '(string)context.Variables["data"]).Decrypt("Aes", Convert.FromBase64String("{{key}}"),'
            ' Guid.Parse((string)context.Variables["vector"]).ToByteArray())))"/>',
            False,
        ),
        (
            '<set-variable name="n" value="@(context.Request.Body.AsFormUrlEncodedContent()'
            '["code"].Single())"/>',
            False,
        ),
    ],
)
def test_marks_and_stand_ins_fit_their_places(inbound: str, template: bool) -> None:
    result = cover_document(document(inbound), "it.xml")
    assert (result.reason, result.template, result.failed) == (None, template, [])


@pytest.mark.parametrize(
    ("inbound", "refused"),
    [
        ("<no-such/>", True),
        ('<set-method id="a" kind="b">GET</set-method>', True),
        ('<set-variable name="n" value="@(XmlReader.Create(1))"/>', True),
        ("<set-method>GET</set-methods>", True),
        ('<set-backend-service base-url="wss://a.example"/>', False),
        ("<validate-graphql-request/>", False),
    ],
)
def test_only_what_a_rule_of_api_management_forbids_is_counted_as_refused(
    inbound: str, refused: bool
) -> None:
    result = cover_document(document(inbound), "it.xml")
    assert not result.loads
    assert (result.refused_by is not None) == refused
