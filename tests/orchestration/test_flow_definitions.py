"""What a definition must be, and what is said when it is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from flow_kit import REQUEST, compose, document, flow_of, foreach, scope, variable

from hybridmandate.orchestration.definition import (
    DefinitionInvalid,
    FlowDocument,
    load_flow,
    read_flow,
)

EXAMPLE = next(Path("examples/vendor-invoices/flows").glob("InvoiceIntake-*.json"))


def test_export_envelope_loads_and_is_written_back_byte_for_byte() -> None:
    raw = EXAMPLE.read_bytes()
    read, flow = read_flow(EXAMPLE)
    assert read.to_bytes() == raw
    assert flow.name == "InvoiceIntake"
    assert flow.workflow_id == EXAMPLE.stem.partition("-")[2].lower()
    assert flow.connections["shared_mandate"].logical_name == "hm_mandate"
    assert flow.parameters["Rejected share (hm_rejectedshare)"].schema_name == "hm_rejectedshare"


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_bytes_survive_a_round_trip_whatever_the_style(bom: bytes, line_end: str) -> None:
    tree = {"triggers": REQUEST, "actions": {"A": compose("é \u2028 ☃")}}
    text = json.dumps(tree, indent=4, ensure_ascii=False).replace("\n", line_end)
    raw = bom + text.encode()
    assert FlowDocument.parse(raw, "x.json").to_bytes() == raw


def test_legacy_package_envelope_loads() -> None:
    tree = {
        "name": "1",
        "id": "/providers/x",
        "type": "Microsoft.Flow/flows",
        "properties": {
            "apiId": "/providers/Microsoft.PowerApps/apis/shared_logicflows",
            "displayName": "Old",
            "flowFailureAlertSubscribed": False,
            "isManaged": False,
            "connectionReferences": {
                "shared_rss": {
                    "connectionName": "x",
                    "id": "/apis/shared_rss",
                    "source": "Embedded",
                }
            },
            "definition": {"triggers": REQUEST, "actions": {"A": compose(1)}},
        },
    }
    flow = load_flow(FlowDocument.parse(json.dumps(tree).encode(), "definition.json"))
    assert flow.connections["shared_rss"].api_name == "shared_rss"


BAD_FILES: list[tuple[bytes, str]] = [
    (b"not json", "not JSON"),
    (b"\xff\xfe", "not JSON"),
    (b"[" * 100_000, "not JSON"),
    (b"[]", "a flow is a JSON object"),
    (b"{}", "neither an export envelope"),
    (b'{"properties": 1}', "$.properties: must be an object"),
    (b'{"properties": {}}', "$.properties.definition: must be an object"),
    (b'{"actions": {}, "actions": {}}', "the key 'actions' stands twice"),
    (b'{"properties": {"definition": {}}, "surprise": 1}', "$.surprise: unknown key"),
]


@pytest.mark.parametrize(("raw", "said"), BAD_FILES)
def test_a_file_that_is_no_flow_is_refused(raw: bytes, said: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        FlowDocument.parse(raw, "x.json")
    assert said in str(refused.value)


def _act(**parts: Any) -> dict[str, Any]:
    return {"A": {"runAfter": {}, **parts}}


BAD_ACTIONS: list[tuple[dict[str, Any], str]] = [
    (_act(type="Dance"), "$.actions.A.type: action type 'Dance' is not supported"),
    (_act(type="Compose", inputs=1, color=2), "$.actions.A.color: unknown key"),
    (_act(type="Compose", inputs="@add(1"), "$.actions.A.inputs"),
    (_act(type="Compose", inputs={"x": ["ok", "@{oops"]}), "$.actions.A.inputs.x[1]"),
    (_act(type="Select", inputs={"from": []}), "$.actions.A.inputs.select: is missing"),
    (_act(type="Foreach", actions={}), "$.actions.A.foreach: is missing"),
    (_act(type="Until", actions={}), "$.actions.A.expression: is missing"),
    (_act(type="If", actions={}), "$.actions.A.expression: must be a condition"),
    (_act(type="Terminate", inputs={"runStatus": "Maybe"}), "$.actions.A.inputs.runStatus"),
    (_act(type="Wait", inputs={}), "$.actions.A.inputs: must have 'interval' or 'until'"),
    (_act(type="Expression", kind="Guess", inputs={}), "$.actions.A.kind"),
    (_act(type="Http", inputs={"method": "GET"}), "$.actions.A.inputs.uri: is missing"),
    (_act(type="OpenApiConnection", inputs={}), "$.actions.A.inputs.host: is missing"),
    (_act(type="Workflow", inputs={"host": {}}), "workflowReferenceName: is missing"),
    (
        _act(type="InitializeVariable", inputs={"variables": [{"name": "v", "type": "queue"}]}),
        "$.actions.A.inputs.variables[0].type: 'queue' is no variable type",
    ),
    (
        {"A": {**compose(1), "runAfter": {"B": ["Succeeded"]}}},
        "$.actions.A.runAfter.B: there is no action 'B' beside 'A'",
    ),
    (
        {"A": compose(1), "B": {**compose(1), "runAfter": {"A": ["Perhaps"]}}},
        "$.actions.B.runAfter.A: 'Perhaps' is not a status",
    ),
    (
        {
            "A": {**compose(1), "runAfter": {"B": ["Succeeded"]}},
            "B": {**compose(1), "runAfter": {"A": ["Succeeded"]}},
        },
        "$.actions: the actions wait for each other: A -> B",
    ),
    (
        {"S": scope({"X": compose(1)}), "T": scope({"X": compose(2)})},
        "$.actions.T.actions.X: the action name 'X' is taken: $.actions.S.actions.X",
    ),
    (
        {"L": {**foreach("@x", {}), "runtimeConfiguration": {"concurrency": {"repetitions": 51}}}},
        "repetitions: must be a number from 1 to 50",
    ),
    (
        {
            "S": scope(
                {
                    "V": {
                        "type": "InitializeVariable",
                        "runAfter": {},
                        "inputs": {"variables": [{"name": "v", "type": "string"}]},
                    }
                }
            )
        },
        "$.actions.S.actions.V: a variable can only be initialised at the top",
    ),
    (_act(type="Compose", inputs="@if(true, 1, nothing())"), "$.actions.A.inputs: the template"),
    (
        {"L": foreach("@createArray(1)", _act(type="Response", inputs={}))},
        "$.actions.L.actions.A: a Response cannot stand in a loop; 'L' is around it",
    ),
    (
        {
            "V": variable("v", "integer", 1),
            "A": {
                "type": "SetVariable",
                "inputs": {"name": "v", "value": "@add(variables('V'), 1)"},
                "runAfter": {"V": ["Succeeded"]},
            },
        },
        "$.actions.A.inputs.value: the value of variable 'v' cannot be made of the variable itself",
    ),
]


@pytest.mark.parametrize(("actions", "said"), BAD_ACTIONS)
def test_a_wrong_action_is_named_with_its_path(actions: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        flow_of(actions)
    assert said in str(refused.value)


def test_a_response_needs_a_request_trigger() -> None:
    recurrence = {"type": "Recurrence", "recurrence": {"frequency": "Day", "interval": 1}}
    response = _act(type="Response", kind="Http", inputs={})
    with pytest.raises(DefinitionInvalid, match="needs a Request trigger"):
        flow_of(response, trigger={"Daily": recurrence})
    assert flow_of(response).trigger.type == "Request"


def test_all_faults_are_listed_not_the_first() -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        flow_of({"A": {"type": "Dance"}, "B": {"type": "Select", "inputs": {}}})
    assert len(refused.value.errors) == 3


@pytest.mark.parametrize("triggers", [None, {}, {"a": {"type": "Request"}, "b": {}}, {"a": 1}])
def test_a_flow_has_exactly_one_trigger(triggers: Any) -> None:
    tree = {"triggers": triggers, "actions": {}}
    with pytest.raises(DefinitionInvalid, match="triggers"):
        load_flow(FlowDocument.parse(json.dumps(tree).encode(), "x.json"))


def test_an_unknown_connection_of_an_exported_flow_is_a_fault() -> None:
    tree = json.loads(EXAMPLE.read_bytes())
    del tree["properties"]["connectionReferences"]["shared_teams"]
    with pytest.raises(DefinitionInvalid, match="there is no connection reference 'shared_teams'"):
        load_flow(FlowDocument.parse(json.dumps(tree).encode(), EXAMPLE.name))


def test_a_name_is_found_in_any_case() -> None:
    flow = load_flow(document({"My_Step": compose(1)}))
    assert flow.find("my_step") is flow.actions["My_Step"]
    assert flow.find("other") is None
