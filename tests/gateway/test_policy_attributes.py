"""Each attribute takes an expression where its policy's page says so, and nowhere else.

Source: the tables "Attributes" of the pages ``<policy>-policy`` (learn.microsoft.com).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import hybridmandate.governance.gateway.policies as _policies
from hybridmandate.governance.gateway.configuration import (
    BackendEntry,
    Configuration,
    Document,
)
from hybridmandate.governance.gateway.errors import PolicyDocumentError
from hybridmandate.governance.gateway.preparation import prepare_document
from hybridmandate.governance.gateway.refused_policies import REFUSED
from hybridmandate.governance.gateway.registry import POLICIES, Section

assert _policies.__all__

EXPRESSION = '@((string)context.Variables["x"])'
FILE = Path(__file__).with_name("policy_attributes.txt")
TABLE = [tuple(line.split("|")) for line in FILE.read_text("utf-8").splitlines()]
"""A policy with a place for one attribute more | what takes expressions | what does not."""


def prepare(element: str) -> None:
    name = re.match(r"<([\w-]+)", element)
    assert name is not None
    section = next(each for each in Section if each in POLICIES[name[1]].sections)
    prepare_document(
        Document(f"<policies><{section}>{element}</{section}></policies>", "it.xml"),
        "api",
        Configuration(
            apis=(),
            backends={"b": BackendEntry("b", "http://b.example")},
            loggers=frozenset({"l"}),
        ),
    )


def with_attribute(element: str, name: str) -> str:
    """The element with the attribute as an expression, in place of the one that it has."""
    start, place, rest = element.partition("{}")
    assert place
    return re.sub(rf' {name}="[^"]*"', "", start) + f" {name}='{EXPRESSION}'" + rest


@pytest.mark.parametrize(("element", "taking", "refusing"), TABLE, ids=lambda each: each[:30])
def test_expressions_stand_where_the_page_allows_them(
    element: str, taking: str, refusing: str
) -> None:
    prepare(element.replace("{}", ""))
    for name in taking.split():
        prepare(with_attribute(element, name))
    for name in refusing.split():
        with pytest.raises(PolicyDocumentError, match=f"'{name}' of <"):
            prepare(with_attribute(element, name))


STRUCTURE = {"include-fragment"}
"""What is no policy of its own: it is put in the place of others when a document is loaded."""


def test_every_policy_with_a_page_is_run_or_refused_with_a_reason() -> None:
    pages = FILE.with_name("policy_pages.txt").read_text("utf-8").split()
    assert set(pages) - STRUCTURE == set(pages) & (set(POLICIES) | set(REFUSED))
    others = set(POLICIES) - set(pages)
    assert others == {
        "azure-openai-emit-token-metric",
        "azure-openai-semantic-cache-lookup",
        "azure-openai-semantic-cache-store",
        "azure-openai-token-limit",
    }
