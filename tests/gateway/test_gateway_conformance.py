"""The behavioural cases pass through the real server, each by its name."""

from __future__ import annotations

import json
from pathlib import Path

from hybridmandate.governance.gateway.conformance import run_all

CASES = Path(__file__).parents[1] / "conformance" / "gateway_policies.jsonl"


async def test_every_case_passes_through_the_server() -> None:
    cases = [json.loads(line) for line in CASES.read_text("utf-8").splitlines()]
    results = await run_all(cases)
    assert len(results) == len(cases) == 127
    assert [(name, why) for name, passed, why in results if not passed] == []


async def test_a_case_that_does_not_hold_is_told() -> None:
    case = json.loads(CASES.read_text("utf-8").splitlines()[0])
    case["expect"] = {"status": 418, "headers_absent": ["content-type"]}
    [(name, passed, why)] = await run_all([case])
    assert name == case["name"]
    assert not passed
    assert "status is 200, not 418" in why
    assert "content-type" in why
