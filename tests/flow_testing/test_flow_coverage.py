"""Coverage of unknown flows: samples of the shape that a flow needs, and honest reasons."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lab_flows import ACTIONS, call, write_solution

from hybridmandate.orchestration.definition.packages import find_flows
from hybridmandate.orchestration.testing.flow_coverage import FolderResult, cover
from hybridmandate.orchestration.testing.samples import of_schema


def covered(folder: Path, actions: dict[str, Any]) -> FolderResult:
    return cover(find_flows(write_solution(folder, actions) / "flows"))


def test_samples_have_the_shape_that_loops_dates_and_numbers_need(tmp_path: Path) -> None:
    result = covered(tmp_path, ACTIONS)
    assert (len(result.flows), result.loading, result.running) == (1, 1, 1)
    simulated, mocked = result.operations()
    assert dict(simulated) == {"shared_commondataserviceforapps.ListRecords": 1}
    assert dict(mocked) == {"shared_erp.PostRow": 1}


def reads(expression: str) -> dict[str, Any]:
    return {
        "Ask": call("shared_x", "Ask", {}),
        "Read": {"type": "Compose", "inputs": expression, "runAfter": {"Ask": ["Succeeded"]}},
    }


@pytest.mark.parametrize(
    "expression",
    [
        "@int(body('Ask')?['a/b'])",
        "@first(body('Ask')?['list'])?['name']",
        "@body('Ask')['list'][3]['name']",
        "@json(body('Ask')?['text'])?['inner']",
        "@json(base64ToString(body('Ask')?['coded']))['key']['other']",
        "@formatDateTime(outputs('Ask')?['body/when'], 'yyyy')",
        "@split(body('Ask')?['path'], '/')[2]",
        "@uriHost(body('Ask')?['link'])",
        "@join(body('Ask')?['names'], ',')",
        "@convertFromUtc(utcNow(), body('Ask')?['zone'])",
        "@actions('Ask')?['outputs']?['body']?['x']",
    ],
)
def test_a_sample_serves_the_expression(tmp_path: Path, expression: str) -> None:
    (found,) = covered(tmp_path, reads(expression)).flows
    assert found.reason is None
    assert found.reached == 2


def test_a_flow_that_fails_for_itself_is_listed_with_its_reason(tmp_path: Path) -> None:
    (found,) = covered(tmp_path, reads("@int('no number')")).flows
    assert found.loads
    assert not found.runs
    assert str(found.reason).startswith("Read: InvalidTemplate")


def test_a_flow_that_cannot_be_loaded_is_listed_with_its_path(tmp_path: Path) -> None:
    actions = {"Odd": {"type": "Unheard", "inputs": {}, "runAfter": {}}}
    (found,) = covered(tmp_path, actions).flows
    assert not found.loads
    assert "$.actions.Odd.type" in str(found.reason)


def test_a_definition_that_stands_twice_counts_once(tmp_path: Path) -> None:
    folder = write_solution(tmp_path)
    (folder / "flows/Copy.json").write_bytes((folder / "flows/ShipRows.json").read_bytes())
    result = cover(find_flows(folder))
    assert (len(result.flows), result.repeated) == (1, 1)
    assert json.dumps(result.to_json())


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer"}, 1),
        ({"type": ["null", "boolean"]}, True),
        ({"type": "array", "items": {"type": "number"}}, [1]),
        ({"properties": {"a": {"const": 7}}}, {"a": 7}),
        ({"enum": ["x", "y"]}, "x"),
    ],
)
def test_a_schema_gives_a_value_that_it_accepts(schema: dict[str, Any], value: Any) -> None:
    assert of_schema(schema) == value
