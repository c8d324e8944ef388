"""Raw and well-formed policy text becomes elements with positions, or an error with its place."""

from __future__ import annotations

import pytest

from hybridmandate.governance.gateway.document import parse_document
from hybridmandate.governance.gateway.errors import PolicyDocumentError


def attribute(text: str) -> str:
    return parse_document(text, "p.xml").attributes["v"].value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("""<e v="@(a["b"] == "c")" />""", """@(a["b"] == "c")"""),
        ("""<e v="@(a &amp;&amp; b[&quot;c&quot;])" />""", """@(a && b["c"])"""),
        ("""<e v="@(a && b < c)" />""", "@(a && b < c)"),
        ("""<e v="@(x.As<string>()["k"])" />""", """@(x.As<string>()["k"])"""),
        ("""<e v='@("it")' />""", """@("it")"""),
        ("""<e v="@("a)b" + @"c""d" + $"{x["y"]}")" />""", """@("a)b" + @"c""d" + $"{x["y"]}")"""),
        ("""<e v="@(x.Split('"')[0])" />""", """@(x.Split('"')[0])"""),
        ("""<e v="@(x /* ") */ + "y")" />""", """@(x /* ") */ + "y")"""),
        ("""<e v="a &lt; b &#65;" />""", "a < b A"),
        ("<e v='5' />", "5"),
    ],
)
def test_attribute_value_is_found_by_the_rules_of_its_language(text: str, value: str) -> None:
    assert attribute(text) == value


def test_line_comment_keeps_its_line_break_in_an_attribute() -> None:
    text = '<e v="@{\n // it\'s "quoted"\n return 1;\n}" />'
    assert attribute(text) == '@{\n // it\'s "quoted"\n return 1;\n}'


def test_raw_generics_in_text_are_not_elements() -> None:
    root = parse_document('<v>\n  @(body.As<JObject>()["a"].Value<int>() < 3)\n</v>', "p.xml")
    assert root.children == []
    assert root.text is not None
    assert root.text.value == '@(body.As<JObject>()["a"].Value<int>() < 3)'
    assert (root.text.line, root.text.column) == (2, 3)


def test_positions_count_lines_and_columns_from_one() -> None:
    root = parse_document('<a>\n  <b\n    c="1" />\n</a>', "p.xml")
    child = root.children[0]
    assert (child.line, child.column) == (2, 3)
    assert (child.attributes["c"].line, child.attributes["c"].column) == (3, 8)


def test_comments_declaration_and_byte_order_mark_are_passed_over() -> None:
    root = parse_document("\ufeff<?xml version='1.0'?><!-- x --><a><!-- <b> --><c/></a>", "p.xml")
    assert [each.name for each in root.children] == ["c"]


def test_body_literal_keeps_its_markup() -> None:
    root = parse_document("<set-body><a b='1'>t</a></set-body>", "p.xml")
    assert root.text is not None
    assert root.text.value == "<a b='1'>t</a>"


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ("<a>\n<b></c></a>", 2, 4, "names differ"),
        ("<a>", 1, 1, "never closed"),
        ("<a v='1' v='2'/>", 1, 10, "stands twice"),
        ("<a v=1/>", 1, 6, "quoted"),
        ('<a v="@(b"/>', 1, 7, "does not end"),
        ('<a v="@(b) + 1"/>', 1, 12, "is expected behind the expression"),
        ("<a>text<b/></a>", 1, 4, "both text and elements"),
        ("<!DOCTYPE a><a/>", 1, 1, "document type"),
        ("<a/><b/>", 1, 5, "behind the root"),
        ("text", 1, 1, "starts with an element"),
        ("", 1, 1, "starts with an element"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(
    text: str, line: int, column: int, reason: str
) -> None:
    with pytest.raises(PolicyDocumentError) as caught:
        parse_document(text, "p.xml")
    assert reason in caught.value.reason
    assert (caught.value.line, caught.value.column) == (line, column)


def test_deep_nesting_and_huge_documents_are_refused() -> None:
    with pytest.raises(PolicyDocumentError, match="nested deeper"):
        parse_document("<a>" * 100 + "</a>" * 100, "p.xml")
    with pytest.raises(PolicyDocumentError, match="512 KiB"):
        parse_document("<a>" + " " * (513 * 1024) + "</a>", "p.xml")
