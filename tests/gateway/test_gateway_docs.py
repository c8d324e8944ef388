"""Every policy that the gateway runs has its entry in the documentation, and no entry is left."""

from __future__ import annotations

import re
from pathlib import Path

import hybridmandate.governance.gateway.policies  # noqa: F401
from hybridmandate.governance.gateway.registry import POLICIES

PAGE = Path(__file__).parents[2] / "docs" / "gateway" / "policies.md"


def test_documented_policies_are_the_registered_ones() -> None:
    documented = re.findall(r"^### ([a-z-]+)$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(documented) == len(set(documented))
    assert set(documented) == set(POLICIES) | {"base", "include-fragment"}
