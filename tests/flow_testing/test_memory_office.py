"""Flow tests in memory: approvals of every kind, questions to people, change sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lab_flows import write_solution

from hybridmandate.orchestration.testing.branches import BranchCoverage
from hybridmandate.orchestration.testing.flow_lab import FlowLab, FlowRun

ADA, BOB = "ada@contoso.example", "bob@contoso.example"


def action(api: str, operation: str, parameters: dict[str, Any], **parts: Any) -> dict[str, Any]:
    host = {"connectionName": api, "operationId": operation, "apiId": f"/apis/{api}"}
    kind = parts.pop("type", "OpenApiConnection")
    return {
        "type": kind,
        "inputs": {"host": host, "parameters": parameters},
        "runAfter": {},
        **parts,
    }


def started(folder: Path, **actions: Any) -> tuple[FlowLab, FlowRun]:
    lab = FlowLab(write_solution(folder, actions), BranchCoverage())
    return lab, lab("ShipRows").trigger({})


@pytest.mark.parametrize(
    ("kind", "answers", "outcome"),
    [
        ("Basic", ["Approve"], "Approve"),
        ("BasicAwaitAll", ["Approve", "Approve"], "Approve"),
        ("BasicAwaitAll", ["Reject"], "Reject"),
        ("CustomResponse", ["Later"], "Later"),
        ("CustomResponseAwaitAll", ["Now", "Later"], "Now, Later"),
    ],
)
def test_an_approval_ends_as_its_kind_says(
    tmp_path: Path, kind: str, answers: list[str], outcome: str
) -> None:
    asked = {"approvalType": kind, "WebhookApprovalCreationInput/title": "Pay?",
             "WebhookApprovalCreationInput/assignedTo": f"{ADA};{BOB};",
             "WebhookApprovalCreationInput/responseOptions": ["Now", "Later"]}  # fmt: skip
    ask = action("shared_approvals", "StartAndWaitForAnApproval", asked)
    lab, run = started(tmp_path, Ask=ask)
    for answer in answers:
        lab.clock.advance(minutes=2)
        assert run.status == "Running"
        lab.office.approvals.last.decide(answer)
    lab.clock.advance(minutes=2)
    assert run.action("Ask").body["outcome"] == outcome
    with pytest.raises(ValueError, match="closed"):
        lab.office.approvals.last.decide(answers[0])


def test_an_approval_is_created_first_and_waited_for_later(tmp_path: Path) -> None:
    asked = {"approvalType": "Basic", "ApprovalCreationInput/title": "Pay?",
             "ApprovalCreationInput/assignedTo": ADA}  # fmt: skip
    create = action("shared_approvals", "CreateAnApproval", asked)
    name = {"approvalName": "@body('Create')?['name']"}
    wait = action("shared_approvals", "WaitForAnApproval", name)
    lab, run = started(
        tmp_path, Create=create, Wait={**wait, "runAfter": {"Create": ["Succeeded"]}}
    )
    with pytest.raises(ValueError, match="none of Approve, Reject"):
        lab.office.approvals.last.decide("Maybe")
    lab.office.approvals.last.decide("Reject")
    lab.clock.advance(minutes=2)
    assert run.action("Wait").body["responses"][0]["responder"]["email"] == ADA


def test_cards_and_mails_wait_for_an_answer(tmp_path: Path) -> None:
    card = {"location": "Chat with Flow bot", "body/body/recipient": ADA,
            "body/body/messageBody": "{}"}  # fmt: skip
    mail = {"optionsEmailSubscription/Message/To": BOB,
            "optionsEmailSubscription/Message/Options": "Keep, Remove"}  # fmt: skip
    lab, run = started(
        tmp_path,
        Card=action("shared_teams", "PostCardAndWaitForResponse", card),
        Mail=action("shared_office365", "SendMailWithOptions", mail),
    )
    first, second = sorted(lab.office.questions, key=lambda each: each.people)
    first.answer("Submit", {"note": "fine"})
    with pytest.raises(ValueError, match="none of Keep, Remove"):
        second.answer("Burn")
    second.answer("Keep")
    lab.clock.advance(minutes=2)
    assert run.status == "Succeeded"
    assert run.action("Card").body["data"] == {"note": "fine"}
    assert run.action("Mail").body == {"SelectedOption": "Keep", "UserEmailAddress": BOB}


@pytest.mark.parametrize(("last", "rows"), [("UpdateRecord", 2), ("UpdateOnlyRecord", 0)])
def test_a_change_set_is_done_as_a_whole(tmp_path: Path, last: str, rows: int) -> None:
    dataverse = "shared_commondataserviceforapps"
    new = action(dataverse, "CreateRecord", {"entityName": "orders", "item/no": 1})
    other = {"entityName": "orders", "recordId": "r", "item/no": 2}
    inside = {"New": new, "Other": action(dataverse, last, other)}
    both = action(dataverse, "ExecuteChangeset", {}, type="Changeset", actions=inside)
    lab, run = started(tmp_path, Both=both)
    assert run.action("New").status == ("Succeeded" if rows else "Failed")
    assert len(lab.office.rows.get("orders", {})) == rows
