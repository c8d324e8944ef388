"""The pages of docs/flows say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from hybridmandate.orchestration.connectors.host import CONNECTORS
from hybridmandate.orchestration.definition import kinds
from hybridmandate.orchestration.limits import LIMITS

CONNECTOR_PAGE = Path("docs/flows/connectors.md").read_text()
FLOW_PAGE = Path("docs/flows/flows.md").read_text()


def _section(api_name: str) -> set[str]:
    _, found, rest = CONNECTOR_PAGE.partition(f"(`{api_name}`)")
    assert found, f"{api_name} has no section"
    rows = rest.partition("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)`", rows, re.MULTILINE))


def test_every_simulated_operation_is_listed_and_no_other() -> None:
    for api_name, connector in CONNECTORS.items():
        assert _section(api_name) == set(connector.operations) | connector.triggers


def test_every_connector_has_its_section_and_no_other() -> None:
    assert set(re.findall(r"^## .*\(`(shared_\w+)`\)", CONNECTOR_PAGE, re.MULTILINE)) == set(
        CONNECTORS
    )


def test_every_action_type_and_expression_kind_is_listed() -> None:
    for name in kinds.ACTION_TYPES | set(kinds.EXPRESSION_KINDS):
        assert re.search(rf"\b{name}\b", FLOW_PAGE), f"{name} is not in docs/flows/flows.md"


def test_every_limit_is_listed_and_no_other() -> None:
    page = Path("docs/flows/limits.md").read_text()
    assert set(re.findall(r"^\| `([\w.]+)` \|", page, re.MULTILINE)) == {each.id for each in LIMITS}
