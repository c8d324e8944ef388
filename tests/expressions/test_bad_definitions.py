"""Definitions and packages that are wrong in any place: named faults, and nothing lost."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hybridmandate.orchestration.definition import (
    DefinitionInvalid,
    Flow,
    FlowDocument,
    load_flow,
    packages,
)
from hybridmandate.orchestration.definition.packages import FlowPackage

_EVERY_PART = Path(__file__).with_name("every_part.json")
"""A flow in which each kind of container, configuration and reference stands once."""
_TRIGGERS = {"manual": {"type": "Request", "kind": "Http"}}
_ENTRY = "Workflows/Every-7C1E4B0A-52D6-4F3B-9E57-2B8A61D0C394.json"


def load(tree: Any) -> Flow:
    return load_flow(FlowDocument.parse(json.dumps(tree).encode(), "flow.json"))


def compose(**parts: Any) -> dict[str, Any]:
    return {"type": "Compose", "inputs": 1, "runAfter": {}, **parts}


def faults(actions: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(DefinitionInvalid) as refused:
        load({"triggers": _TRIGGERS, "actions": actions})
    return {each.path: each.message for each in refused.value.errors}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key, each in value.items():
            yield from places(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from places(each, (*path, index))


def with_value(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = copy.deepcopy(tree)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


def test_the_flow_with_every_part_loads() -> None:
    assert len(load(json.loads(_EVERY_PART.read_text("utf-8"))).actions) == 21


@pytest.mark.parametrize("wrong", [5, "@{", [[]], {"type": []}], ids=str)
def test_a_wrong_value_in_any_place_is_a_fault_with_a_path_or_harmless(wrong: Any) -> None:
    tree = json.loads(_EVERY_PART.read_text("utf-8"))
    refused: list[DefinitionInvalid] = []
    for path in places(tree):
        try:
            load(with_value(tree, path, wrong))
        except DefinitionInvalid as fault:
            refused.append(fault)
    assert len(refused) > 50
    assert all(fault.errors for fault in refused)
    assert all(each.path.startswith("$") for fault in refused for each in fault.errors)


@pytest.mark.parametrize(
    ("raw", "path", "said"),
    [
        (b'{"triggers": {}, "actions": {"a": ' + b"1" * 5_000 + b"}}", "$", "not JSON"),
        (b'{"triggers": {}, "actions": {"a": NaN}}', "$", "'NaN' is no JSON value"),
        ('{"triggers": {}}'.encode("utf-16"), "$", "not JSON"),
        (b"[" * 100_000, "$", "not JSON"),
        (
            b'{"triggers": {}, "actions": {"A": {"type": "Compose", "type": "Wait"}}}',
            "$.actions.A.type",
            "the key 'type' stands twice",
        ),
        (
            b'{"triggers": {}, "actions":' + b'{"a":' * 200 + b"1" + b"}" * 201,
            "$.actions" + ".a" * 128,
            "nested deeper than 128 levels",
        ),
    ],
    ids=["digits", "nan", "utf-16", "open", "repeated", "deep"],
)
def test_a_text_that_is_no_definition_is_refused_where_it_is_wrong(
    raw: bytes, path: str, said: str
) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        FlowDocument.parse(raw, "flow.json")
    (fault,) = refused.value.errors
    assert (fault.path, said in fault.message) == (path, True)


@pytest.mark.parametrize(
    ("actions", "path", "said"),
    [
        (
            {"A": compose(runAfter={"A": ["Succeeded"]})},
            "$.actions",
            "the actions wait for each other: A -> A",
        ),
        (
            {
                "Start": compose(),
                "A": compose(runAfter={"B": ["Succeeded"], "Start": ["Succeeded"]}),
                "B": compose(runAfter={"C": ["Failed"]}),
                "C": compose(runAfter={"A": ["Succeeded"]}),
                "After": compose(runAfter={"C": ["Succeeded"]}),
            },
            "$.actions",
            "the actions wait for each other: A -> B -> C -> A",
        ),
        (
            {"A": {"type": "Nope"}, "B": compose(runAfter={"A": ["Succeeded"]})},
            "$.actions.A.type",
            "action type 'Nope' is not supported",
        ),
        ({"A": {"type": []}}, "$.actions.A.type", "action type '[]' is not supported"),
        ({"A": compose(), "a": compose()}, "$.actions.a", "the action name 'a' is taken"),
        (
            {"A": compose(actions={"Lost": compose()})},
            "$.actions.A.actions",
            "an action of type Compose has no 'actions'",
        ),
        (
            {"A": {"type": "If", "expression": "@true", "else": {"action": {}}}},
            "$.actions.A.else.action",
            "unknown key",
        ),
        (
            {"A": {"type": "Switch", "expression": 1, "cases": {"C": {"case": 1, "then": {}}}}},
            "$.actions.A.cases.C.then",
            "unknown key",
        ),
        (
            {"A": compose(runtimeConfiguration={"secureData": {"properties": ["headers"]}})},
            "$.actions.A.runtimeConfiguration.secureData.properties",
            "may hold 'inputs' and 'outputs' only",
        ),
        ({"A": compose(limit={"timeout": 5})}, "$.actions.A.limit.timeout", "must be a text"),
        (
            {"A": compose(inputs="@body('Nope')?['x']")},
            "$.actions.A.inputs",
            "there is no action 'Nope' in the flow",
        ),
        (
            {"A": compose(inputs={"x": "@{variables('v')}"})},
            "$.actions.A.inputs.x",
            "the variable 'v' is not initialised in the flow",
        ),
        (
            {"A": compose(inputs=["@parameters('p')"])},
            "$.actions.A.inputs[0]",
            "the flow has no parameter 'p'",
        ),
        (
            {"A": compose(inputs="@items('L')")},
            "$.actions.A.inputs",
            "there is no loop 'L' around the action",
        ),
        (
            {"A": compose(inputs={"description": "@{nope()}"})},
            "$.actions.A.inputs.description",
            "the template function 'nope' is not defined or not valid",
        ),
        (
            {"description": compose(inputs="@nope()")},
            "$.actions.description.inputs",
            "the template function 'nope' is not defined or not valid",
        ),
        (
            {"A": compose(inputs={"@odata.type": 1})},
            "$.actions.A.inputs.@odata.type",
            "'odata' is neither a value nor a function call",
        ),
    ],
)
def test_a_fault_is_told_once_at_its_place(actions: dict[str, Any], path: str, said: str) -> None:
    found = faults(actions)
    assert list(found) == [path]
    assert said in found[path]


def test_names_are_known_in_any_case_and_schemas_are_plain_text() -> None:
    flow = load(
        {
            "triggers": _TRIGGERS,
            "actions": {
                "A": compose(),
                "B": compose(inputs="@outputs('a')", runAfter={"A": ["Succeeded"]}),
                "P": {
                    "type": "ParseJson",
                    "inputs": {"content": "@outputs('B')", "schema": {"pattern": "@{"}},
                    "runAfter": {"B": ["Succeeded"]},
                },
                "E": compose(inputs={"@@odata.type": "#x"}),
            },
        }
    )
    assert list(flow.actions) == ["A", "B", "P", "E"]


def test_a_long_chain_of_actions_loads_in_bounded_time() -> None:
    chain = {
        f"A{at}": compose(runAfter={f"A{at - 1}": ["Succeeded"]} if at else {})
        for at in range(5_000)
    }
    assert len(load({"triggers": _TRIGGERS, "actions": chain}).graph.roots) == 1


def test_a_definition_with_its_parameters_beside_it_loads() -> None:
    definition = {
        "triggers": _TRIGGERS,
        "parameters": {"site": {"type": "String", "defaultValue": "a"}},
        "actions": {"A": compose(inputs="@parameters('site')")},
    }
    values = {"site": {"value": "b"}}
    raw = json.dumps({"definition": definition, "kind": "Stateful", "parameters": values}).encode()
    document = FlowDocument.parse(raw, "workflow.json")
    assert document.to_bytes() == raw
    assert load_flow(document).parameters["site"].default == "b"


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        ({"definition": 1}, "$.definition"),
        ({"definition": {}, "parameters": []}, "$.parameters"),
        ({"definition": {}, "state": "Enabled"}, "$.state"),
        ({"definition": {"actions": {"A": 1}, "triggers": _TRIGGERS}}, "$.definition.actions.A"),
        (
            {"definition": {"triggers": _TRIGGERS}, "parameters": {"p": {"value": 1}}},
            "$.parameters.p",
        ),
        ({"definition": {"triggers": _TRIGGERS}, "parameters": {"p": 1}}, "$.parameters.p"),
    ],
)
def test_what_stands_beside_a_definition_is_checked(tree: dict[str, Any], path: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        load(tree)
    assert path in [each.path for each in refused.value.errors]


def package(entries: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return target.getvalue()


def test_a_damaged_package_is_refused_or_read_and_nothing_else() -> None:
    whole = package({"solution.xml": b"<x/>", _ENTRY: _EVERY_PART.read_bytes()})
    random = Random(7)
    refused: list[DefinitionInvalid] = []
    for _ in range(500):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[random.randrange(len(damaged))] = random.randrange(256)
        try:
            FlowPackage("x.zip", bytes(damaged[: random.randrange(1, len(damaged) + 1)]))
        except DefinitionInvalid as fault:
            refused.append(fault)
    assert len(refused) > 100
    assert all(each.path.startswith("$") for fault in refused for each in fault.errors)


def test_packages_in_a_package_share_what_may_be_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    inner = package({_ENTRY: _EVERY_PART.read_bytes()})
    outer = package({f"{at}.zip": inner for at in range(5)})
    assert len(FlowPackage("x.zip", outer).flows) == 5
    monkeypatch.setattr(packages, "MAX_UNPACKED_BYTES", 4 * _EVERY_PART.stat().st_size)
    with pytest.raises(DefinitionInvalid, match="more than is read"):
        FlowPackage("x.zip", outer)
