"""The shipped flow *Invoice intake* through every branch, with its services mocked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from flow_kit import operation_of

from hybridmandate.orchestration.definition import read_flow
from hybridmandate.orchestration.engine import Answer, Call, Watch
from hybridmandate.orchestration.shells.memory import MemoryHost, MemoryRun

FLOW = read_flow(next(Path("examples/vendor-invoices/flows").glob("InvoiceIntake-*.json")))[1]
VARIABLES = {"hm_approver": "controller@contoso.example", "hm_rejectedshare": 0.2}
ROW = {
    "vendorNumber": "V-10001",
    "invoiceNumber": "R-1",
    "invoiceDate": "2026-01-31",
    "dueDate": None,
    "amount": 12.5,
    "currency": "EUR",
    "costCenter": "1000",
    "description": "Paper",
}
ERROR = {
    "code": "date.format",
    "message": "no date",
    "line": 17,
    "field": "invoiceDate",
    "value": "31/31",
}


def outcome(status: str, accepted: int, rejected: int) -> dict[str, Any]:
    rows = [{**ROW, "invoiceNumber": f"R-{n}"} for n in range(accepted)]
    return {
        "status": status,
        "counts": {"rowsIn": accepted + rejected, "accepted": accepted, "rejected": rejected},
        "data": {
            "accepted": rows,
            "acceptedInline": True,
            "acceptedHandle": "accepted-1",
            "rejectedHandle": "rejected-1" if rejected else None,
            "summary": f"{accepted} accepted, {rejected} rejected",
        },
        "errors": [ERROR] * rejected,
    }


def too_many_rows() -> dict[str, Any]:
    told = outcome("succeeded", 5001, 0)
    return {**told, "data": {**told["data"], "accepted": [], "acceptedInline": False}}


def refusal(kind: str, message: str = "not now") -> dict[str, Any]:
    return {"status": "failed", "failure": {"type": kind, "message": message, "retryable": True}}


class Services:
    """Dataverse, SharePoint, gateway, mail, Teams and approvals, as the flow sees them."""

    def __init__(self, normalized: Answer, *, decision: str | None = "Approve") -> None:
        self.normalized = normalized
        self.decision = decision
        self.size = 2048
        self.overrides: dict[str, Callable[[Call], Answer]] = {}
        self.row: dict[str, Any] = {}
        self.states: list[str] = []

    def __call__(self, asked: Call) -> Answer:
        operation = operation_of(asked)
        if operation in self.overrides:
            return self.overrides[operation](asked)
        if operation in ("UpdateRecord", "UpdateOnlyRecord"):
            return self._track(asked.request["parameters"])
        if operation in ("spreadsheets_normalize_v1", "StartAndWaitForAnApproval"):
            return Answer(202, {"location": f"/{operation}", "retry-after": "3"})
        bodies: Mapping[str, Any] = {
            "GetFileMetadata": {"Size": self.size, "MediaType": "text/csv"},
            "GetFileContent": {"$content-type": "text/csv", "$content": "YSxi"},
            "files_store_v1": {"status": "succeeded", "data": {"handle": "file-1"}},
            "files_read_v1": {"$content-type": "application/xlsx", "$content": "eA=="},
            "CreateFile": {"ItemId": "item-2"},
            "GetFileItem": {"{Link}": "https://sites.example/returned.xlsx"},
            "data_commit_invoices_v1": {"status": "succeeded"},
            "SendEmailV2": None,
            "PostMessageToConversation": {"id": "1"},
        }
        return Answer(200, {}, bodies[operation])

    def reading(self, watch: Watch) -> Answer:
        if watch.location == "/spreadsheets_normalize_v1":
            return self.normalized
        if self.decision is None:
            return Answer(202, {"retry-after": "3600"})
        return Answer(200, {}, {"outcome": self.decision})

    def _track(self, parameters: Mapping[str, Any]) -> Answer:
        columns = {
            k.removeprefix("item/hm_"): v for k, v in parameters.items() if k.startswith("item/")
        }
        self.row.update(columns)
        self.states.append(columns["state"])
        return Answer(200, {}, {"hm_intakeid": "row-1"})


def deliver(
    services: Services,
    name: str = "invoices.csv",
    mail: str | None = "ada@contoso.example",
    *,
    correlation_id: str | None = None,
) -> MemoryRun:
    host = MemoryHost(services, reading=services.reading)
    stem, _, _ = name.rpartition(".")
    file = {
        "{Identifier}": "item-1",
        "{Name}": stem,
        "{FilenameWithExtension}": name,
        "Author": {"Email": mail, "DisplayName": "Ada"},
    }
    parameters = {
        title: VARIABLES[str(each.schema_name)]
        for title, each in FLOW.parameters.items()
        if each.schema_name in VARIABLES
    }
    run = host.start(FLOW, {"body": file}, parameters=parameters, correlation_id=correlation_id)
    return host.finish(run)


def mails(ended: MemoryRun) -> list[Mapping[str, Any]]:
    sent = [
        each.request["parameters"] for each in ended.calls if operation_of(each) == "SendEmailV2"
    ]
    return [dict(each) for each in sent]


def commits(ended: MemoryRun) -> list[Call]:
    return [each for each in ended.calls if operation_of(each) == "data_commit_invoices_v1"]


START = ["received", "checking"]
COMMITTED = [*START, "processing", "committing", "committed"]


def test_a_clean_file_is_committed_under_one_correlation_id() -> None:
    services = Services(Answer(200, {}, outcome("succeeded", 3, 0)))
    ended = deliver(services)
    assert ended.status == "Succeeded"
    assert services.states == COMMITTED
    assert ended.correlation_id == ended.action("Correlation_id")["outputs"]
    assert {each.correlation_id for each in ended.calls} == {ended.correlation_id}
    (commit,) = commits(ended)
    parameters = commit.request["parameters"]
    assert parameters["x-correlation-id"] == parameters["body/job"] == ended.correlation_id
    assert parameters["body/records"][0] == {
        "record": "V-10001|R-0",
        "values": {
            "hm_vendornumber": "V-10001",
            "hm_invoicenumber": "R-0",
            "hm_invoicedate": "2026-01-31",
            "hm_duedate": None,
            "hm_amount": 12.5,
            "hm_currency": "EUR",
            "hm_costcenter": "1000",
            "hm_description": "Paper",
        },
    }
    assert (services.row["rowsin"], services.row["accepted"], services.row["committed"]) == (
        3,
        3,
        3,
    )
    assert not mails(ended)


def test_many_rows_are_committed_in_chunks_of_500() -> None:
    ended = deliver(Services(Answer(200, {}, outcome("succeeded", 1201, 0))))
    sizes = [len(each.request["parameters"]["body/records"]) for each in commits(ended)]
    assert sizes == [500, 500, 201]
    assert len({each.idempotency_key for each in commits(ended)}) == 3


def test_rejected_rows_go_back_to_the_submitter_and_the_rest_is_committed() -> None:
    services = Services(Answer(200, {}, outcome("partiallySucceeded", 9, 1)))
    ended = deliver(services)
    assert ended.status == "Succeeded"
    assert services.states == COMMITTED
    (mail,) = mails(ended)
    assert mail["emailMessage/To"] == "ada@contoso.example"
    assert "https://sites.example/returned.xlsx" in mail["emailMessage/Body"]
    assert (
        "<td>17</td><td>invoiceDate</td><td>31/31</td><td>no date</td>" in mail["emailMessage/Body"]
    )
    (copy,) = [each for each in ended.calls if operation_of(each) == "CreateFile"]
    assert copy.request["parameters"]["folderPath"] == "/Invoices/Returned"
    assert copy.request["parameters"]["name"] == f"invoices-{ended.correlation_id}.xlsx"
    assert not [each for each in ended.calls if each.action == "Ask_for_approval"]


@pytest.mark.parametrize(
    ("decision", "last", "committed"),
    [("Approve", ["committing", "committed"], 1), ("Reject", ["closed"], 0)],
)
def test_above_the_threshold_a_named_person_decides(
    decision: str, last: list[str], committed: int
) -> None:
    services = Services(Answer(200, {}, outcome("partiallySucceeded", 5, 5)), decision=decision)
    ended = deliver(services)
    assert services.states == [*START, "processing", "awaitingApproval", *last]
    (asked,) = ended.calls_of("Ask_for_approval")
    assert (
        asked.request["parameters"]["WebhookApprovalCreationInput/assignedTo"]
        == VARIABLES["hm_approver"]
    )
    assert len(commits(ended)) == committed
    assert ended.status == "Succeeded"


def test_exactly_at_the_threshold_nobody_is_asked() -> None:
    ended = deliver(Services(Answer(200, {}, outcome("partiallySucceeded", 8, 2))))
    assert not ended.calls_of("Ask_for_approval")
    assert len(commits(ended)) == 1


def test_an_approval_that_nobody_answers_closes_after_a_week() -> None:
    services = Services(Answer(200, {}, outcome("partiallySucceeded", 5, 5)), decision=None)
    ended = deliver(services)
    assert ended.action("Ask_for_approval")["status"] == "TimedOut"
    assert services.states[-2:] == ["awaitingApproval", "closed"]
    assert not commits(ended)


def test_a_file_with_nothing_usable_is_rejected_with_its_reason() -> None:
    refused = {**refusal("validation_error", "this is no spreadsheet"), "status": "rejected"}
    services = Services(Answer(422, {}, refused))
    ended = deliver(services)
    assert ended.status == "Succeeded"
    assert services.states == [*START, "processing", "rejected"]
    assert services.row["failuretype"] == "validation_error"
    assert services.row["summary"] == "this is no spreadsheet"
    assert "this is no spreadsheet" in mails(ended)[0]["emailMessage/Body"]


@pytest.mark.parametrize(
    ("kind", "status"), [("throttled", 429), ("downstream_unavailable", 503), ("timeout", 504)]
)
def test_trouble_is_retried_as_written_then_parked_for_a_person(kind: str, status: int) -> None:
    services = Services(Answer(200))
    services.overrides["spreadsheets_normalize_v1"] = lambda asked: Answer(
        status, {}, refusal(kind)
    )
    ended = deliver(services)
    assert len(ended.calls_of("Normalize_spreadsheet")) == 5, "one attempt and four retries"
    assert services.states == [*START, "processing", "parked"]
    assert services.row["failuretype"] == kind
    (message,) = [each for each in ended.calls if operation_of(each) == "PostMessageToConversation"]
    parameters = message.request["parameters"]
    assert parameters["body/recipient/groupId"] == "finance-operations"
    assert ended.id in parameters["body/messageBody"]
    assert ended.correlation_id in parameters["body/messageBody"]
    assert ended.status == "Succeeded"


def test_trouble_that_passes_is_not_parked() -> None:
    services = Services(Answer(200, {}, outcome("succeeded", 1, 0)))
    answers = iter(
        [
            Answer(503),
            Answer.unreachable("down"),
            Answer(202, {"location": "/spreadsheets_normalize_v1"}),
        ]
    )
    services.overrides["spreadsheets_normalize_v1"] = lambda asked: next(answers)
    assert deliver(services).status == "Succeeded"
    assert services.states == COMMITTED


def test_no_answer_at_all_is_parked_as_unavailable() -> None:
    services = Services(Answer(200))
    services.overrides["spreadsheets_normalize_v1"] = lambda asked: Answer.unreachable("down")
    deliver(services)
    assert services.row["state"] == "parked"
    assert services.row["failuretype"] == "downstream_unavailable"


@pytest.mark.parametrize(
    "operation", ["files_store_v1", "GetFileContent", "CreateFile", "SendEmailV2"]
)
def test_a_step_that_fails_for_good_is_caught_and_parked(operation: str) -> None:
    services = Services(Answer(200, {}, outcome("partiallySucceeded", 9, 1)))
    services.overrides[operation] = lambda asked: Answer(403, {}, refusal("forbidden"))
    ended = deliver(services)
    assert services.states[-1] == "parked"
    assert ended.action("Try")["status"] == "Failed"
    assert ended.action("Catch")["status"] == "Succeeded"
    assert ended.status == "Succeeded"


def test_a_commit_that_fails_is_parked_with_its_failure_type() -> None:
    services = Services(Answer(200, {}, outcome("succeeded", 600, 0)))
    services.overrides["data_commit_invoices_v1"] = lambda asked: Answer(
        409, {}, refusal("conflict")
    )
    deliver(services)
    assert services.states[-2:] == ["committing", "parked"]
    assert services.row["failuretype"] == "conflict"


@pytest.mark.parametrize(
    ("name", "mail", "size", "reason", "told"),
    [
        ("invoices.exe", "ada@contoso.example", 10, "not a spreadsheet", 1),
        ("invoices.csv", "mallory@evil.example", 10, "sender is not known", 0),
        ("invoices.csv", "ada@contoso.example.evil", 10, "sender is not known", 0),
        ("invoices.csv", None, 10, "sender is not known", 0),
        ("invoices.XLSX", "ADA@CONTOSO.EXAMPLE", 0, "empty or larger", 1),
        ("invoices.csv", "ada@contoso.example", 33_554_433, "empty or larger", 1),
    ],
)
def test_cheap_checks_come_first(
    name: str, mail: str | None, size: int, reason: str, told: int
) -> None:
    services = Services(Answer(200))
    services.size = size
    ended = deliver(services, name, mail)
    assert services.states == [*START, "rejected"]
    assert reason in services.row["summary"]
    assert len(mails(ended)) == told, "nobody outside is written to"
    assert not [each for each in ended.calls if operation_of(each).endswith("_v1")]
    assert ended.status == "Succeeded"


def test_rows_that_are_not_inline_end_with_a_reason_of_their_own() -> None:
    services = Services(Answer(200, {}, too_many_rows()))
    ended = deliver(services)
    assert ended.status == "Succeeded"
    assert services.states == [*START, "processing", "rejected"]
    assert services.row["failuretype"] == "payload_too_large"
    assert "5001 accepted rows are more than this flow takes at a time" in services.row["summary"]
    assert "has too many rows" in mails(ended)[0]["emailMessage/Subject"]
    assert not commits(ended)


def test_a_resubmit_goes_on_with_the_same_tracking_record() -> None:
    services = Services(Answer(200, {}, outcome("succeeded", 1, 0)))
    first = deliver(services)
    second = deliver(services, correlation_id=first.correlation_id)
    kept = {
        ended.calls_of("Create_tracking_record")[0].request["parameters"]["recordId"]
        for ended in (first, second)
    }
    assert kept == {first.correlation_id}


def test_without_a_tracking_record_nothing_is_done() -> None:
    services = Services(Answer(200))
    services.overrides["UpdateRecord"] = lambda asked: Answer(403, {}, None)
    ended = deliver(services)
    assert ended.status == "Failed"
    assert len(ended.calls) == 1


def test_every_action_of_the_flow_is_reached_by_these_tests() -> None:
    """The branches above, run once more, leave no action that never succeeded."""
    partial = Answer(200, {}, outcome("partiallySucceeded", 5, 5))
    reached: set[str] = set()

    def gather(services: Services, name: str = "a.csv") -> None:
        reached.update(
            e["name"] for e in deliver(services, name).tracked if e["status"] == "Succeeded"
        )

    gather(Services(Answer(200, {}, outcome("succeeded", 1, 0))))
    gather(Services(Answer(200, {}, outcome("partiallySucceeded", 9, 1))))
    gather(Services(partial))
    gather(Services(partial, decision="Reject"))
    gather(Services(Answer(422, {}, refusal("validation_error"))))
    gather(Services(Answer(200, {}, too_many_rows())))
    gather(Services(Answer(503, {}, refusal("throttled"))))
    gather(Services(Answer(200)), "a.exe")
    broken = Services(Answer(200))
    broken.overrides["files_store_v1"] = lambda asked: Answer(403)
    gather(broken)
    assert set(FLOW.actions) - reached == set()
