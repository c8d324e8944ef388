"""`mandate flow runs|cancel|record` and what people do; the test plays the services."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from hybridmandate.cli import acting, flow_runs
from hybridmandate.cli.app import app
from hybridmandate.local.flows_client import FlowsClient
from hybridmandate.local.person import Person, SignIn
from hybridmandate.orchestration.testing.replay import RecordedRun

RUNNER = CliRunner()
AT = {"startTime": "2026-11-24T10:00:00.0000000Z", "endTime": "2026-11-24T10:00:02.0000000Z"}
ASK = {"name": "Ask", "at": [], "type": "OpenApiConnectionWebhook", "status": "Waiting"}
DONE: dict[str, Any] = {
    "id": "aa11",
    "flow": "Orders",
    "status": "Failed",
    "startedAt": 1_795_000_000.0,
    "endedAt": 1_795_000_090.0,
    "correlationId": "c-1",
    "code": "ActionFailed",
    "error": {"code": "ActionFailed", "message": "An action failed."},
    "trigger": {"name": "manual", "outputs": {"body": {"n": 1}}},
    "resubmitOf": None,
}
GOING = {**DONE, "id": "ab22", "status": "Running", "endedAt": None, "error": None}
SENT = {
    **ASK,
    **AT,
    "name": "Send",
    "status": "Failed",
    "at": [2],
    "attempt": 3,
    "error": {"message": "The service answered 500."},
    "outputs": {"statusCode": 500, "body": {}},
}
SKIPPED = {**SENT, "name": "Later", "status": "Skipped", "at": []}
ACTIONS: dict[str, list[Mapping[str, Any]]] = {"aa11": [SENT, SKIPPED], "ab22": [{**ASK, **AT}]}


def flows_process(request: httpx.Request) -> httpx.Response:
    """As the flows process answers the operator."""
    runs = {each["id"]: each for each in (GOING, DONE)}
    parts = request.url.path.strip("/").split("/")
    if request.method == "POST" and runs[parts[1]]["status"] != "Running":
        failure = {"failure": {"message": f"the run '{parts[1]}' has ended already"}}
        return httpx.Response(409, json=failure)
    if len(parts) == 1:
        return httpx.Response(200, json={"runs": list(runs.values())})
    return httpx.Response(200, json={**runs[parts[1]], "actions": ACTIONS[parts[1]]})


CARD = {
    "type": "AdaptiveCard",
    "body": [
        {"type": "TextBlock", "text": "Ship order 7?"},
        {"type": "Container", "items": [{"type": "Input.Text", "id": "note", "label": "Note"}]},
        {"type": "Input.ChoiceSet", "id": "how", "choices": [{"title": "Air", "value": "air"}]},
    ],
    "actions": [{"type": "Action.Submit", "title": "Ship it"}, {"type": "Action.OpenUrl"}],
}
WAITING = [
    {"id": "q1", "title": "Card", "options": [], "content": CARD, "askedDateTime": "10:00"},
    {"id": "q2", "title": "Colour?", "options": ["Red"], "content": {}, "askedDateTime": "11:00"},
]


DECIDED = {"state": "pending", "createdDateTime": "09:00"}
APPROVALS = [
    {**DECIDED, "id": "a1", "displayName": "Pay?", "responsePrompts": ["Approve", "Reject"]},
    {**DECIDED, "id": "a2", "displayName": "When?", "responsePrompts": ["Now", "Next quarter"]},
    {**DECIDED, "id": "a3", "displayName": "Old", "responsePrompts": [], "state": "completed"},
]


MAIL = {
    "from": {"emailAddress": {"address": "flow@x"}},
    "toRecipients": [{"emailAddress": {"address": "c@x"}}],
    "receivedDateTime": "12:00",
    "hasAttachments": False,
}
MAILS = [
    {
        **MAIL,
        "subject": "Rejected rows",
        "body": {"contentType": "html", "content": "<p>Two&nbsp;rows</p><table><td>7</td></table>"},
    },
    {**MAIL, "subject": "Plain", "body": {"contentType": "text", "content": "a < b"}},
    {**MAIL, "subject": "Empty", "body": {"contentType": "html", "content": " "}},
]


def office(request: httpx.Request) -> httpx.Response:
    """As the sign-in and the office stand-in answer a person."""
    if request.url.path == "/token":
        assert b"ChatMessage.Send" in request.content
        return httpx.Response(200, json={"access_token": "t"})
    if request.url.path.endswith("approvalItems"):
        return httpx.Response(200, json={"value": APPROVALS})
    if request.url.path.endswith("/messages"):
        return httpx.Response(200, json={"value": MAILS})
    if request.method == "GET":
        return httpx.Response(200, json={"value": WAITING})
    return httpx.Response(201, json={})


@dataclass
class Played:
    """The clients of a run whose services the test plays; remembers what was sent."""

    sent: list[httpx.Request] = field(default_factory=list)

    def http(self, service: Any) -> httpx.AsyncClient:
        def handle(request: httpx.Request) -> httpx.Response:
            if request.method == "POST" and request.url.path != "/token":
                self.sent.append(request)
            return service(request)

        return httpx.AsyncClient(transport=httpx.MockTransport(handle))

    @property
    def flows(self) -> FlowsClient:
        return FlowsClient("http://flows", "operator", self.http(flows_process))

    def person(self, mail: str) -> Person:
        sign_in = SignIn("http://entra/token", "client", {"c@x": "c@x"}[mail], "secret")
        return Person(sign_in, "http://office", self.http(office))

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    machine = Played()
    for module in (acting, flow_runs):
        monkeypatch.setattr(module, "connected", lambda state: machine)
    return machine


def run(*arguments: str) -> tuple[int, str]:
    result = RUNNER.invoke(app, list(arguments), env={"COLUMNS": "80", "NO_COLOR": "1"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.mark.usefixtures("played")
def test_runs_are_listed_and_one_shows_its_actions() -> None:
    code, listed = run("flow", "runs")
    assert code == 0
    assert [line.split()[:3] for line in listed.splitlines()[1:]] == [
        ["ab22", "Orders", "Running"],
        ["aa11", "Orders", "Failed"],
    ]
    assert "1 min 30 s" in listed
    assert len(json.loads(run("flow", "runs", "--status", "failed", "--json")[1])) == 1
    shown = run("flow", "runs", "aa")[1]
    assert "Send[2]" in shown
    assert "The service answered 500. (attempt 3)" in " ".join(shown.split())
    assert "1 skipped actions are left out" in shown


@pytest.mark.usefixtures("played")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("flow", "runs", "zz"), "there is no run 'zz'"),
        (("flow", "runs", "a"), "2 runs begin with 'a'"),
        (("flow", "cancel", "aa11"), "has ended already"),
        (("flow", "record", "ab22", "--to", "x.json"), "when it has ended"),
        (("questions", "Nope", "--as", "c@x"), "there are: Ship it"),
        (("questions", "Ship it", "-d", "x=1", "--as", "c@x"), "no field 'x'"),
        (("questions", "Ship it", "-n", "3", "--as", "c@x"), "there is no number 3"),
        (("questions", "--as", "nobody@x"), "nobody in the local directory"),
        (("approvals", "perhaps", "--as", "c@x"), "write Approve or Reject"),
        (("approvals", "approve", "-n", "2", "--as", "c@x"), "write Now or Next quarter"),
    ],
)
def test_a_wrong_argument_says_what_there_is(arguments: tuple[str, ...], says: str) -> None:
    code, output = run(*arguments)
    assert code == 1
    assert says in output


def test_a_run_is_cancelled_with_a_reason(played: Played) -> None:
    assert run("flow", "cancel", "ab", "--reason", "ordered twice") == (0, "cancelled ab22\n")
    (sent,) = played.sent
    assert sent.url.path == "/runs/ab22/cancel"
    assert sent.url.params["reason"] == "ordered twice"


@pytest.mark.usefixtures("played")
def test_a_run_is_recorded_in_the_form_that_is_replayed(tmp_path: Path) -> None:
    target = tmp_path / "runs" / "one.json"
    code, output = run("flow", "record", "aa11", "--to", str(target))
    assert code == 0
    assert 'flow("Orders").replay(' in output
    recorded = RecordedRun.read(target)
    assert (recorded.status, recorded.correlation_id) == ("Failed", "c-1")
    assert recorded.trigger_outputs == {"body": {"n": 1}}
    assert recorded.has("Send")
    assert not recorded.has("Later")


@pytest.mark.usefixtures("played")
def test_a_run_whose_values_were_cut_is_not_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = {**SENT, "outputs": {"truncated": True, "bytes": 70_000, "preview": "x"}}
    monkeypatch.setitem(ACTIONS, "aa11", [cut])
    code, output = run("flow", "record", "aa11", "--to", str(tmp_path / "one.json"))
    assert code == 1
    assert "of Send only the beginning" in output
    assert not (tmp_path / "one.json").exists()


def test_questions_show_their_buttons_and_fields_and_are_answered(played: Played) -> None:
    code, listed = run("questions", "--as", "c@x")
    assert code == 0
    assert listed.splitlines() == [
        "1. Card: Ship order 7?  (asked 10:00)",
        "   answers: Ship it",
        "   fields: note (Note), how (one of air)",
        "2. Colour?  (asked 11:00)",
        "   answers: Red",
    ]
    assert run("questions", "Ship it", "-d", "note=by=air", "--as", "c@x")[0] == 0
    assert run("questions", "Red", "-n", "2", "--as", "c@x")[0] == 0
    assert [(each.url.path, json.loads(each.content)) for each in played.sent] == [
        ("/mandate/questions/q1/answer", {"action": "Ship it", "data": {"note": "by=air"}}),
        ("/mandate/questions/q2/answer", {"action": "Red", "data": {}}),
    ]


@pytest.mark.usefixtures("played")
def test_mails_are_listed_and_one_is_shown_as_text() -> None:
    assert run("inbox", "--as", "c@x")[1].splitlines()[0] == "1. Rejected rows  (flow@x, 12:00)"
    shown = run("inbox", "-n", "1", "--as", "c@x")[1]
    assert shown.splitlines()[:3] == ["Subject: Rejected rows", "From: flow@x", "To: c@x"]
    assert shown.splitlines()[4:] == ["Two\N{NO-BREAK SPACE}rows", "7"]
    assert "a < b" in run("inbox", "-n", "2", "--as", "c@x")[1]
    assert run("inbox", "-n", "3", "--as", "c@x")[0] == 0
    assert len(json.loads(run("inbox", "--json", "--as", "c@x")[1])) == 3
    assert run("inbox", "-n", "9", "--as", "c@x")[0] == 1


def test_approvals_are_answered_with_their_own_options(played: Played) -> None:
    assert run("approvals", "--as", "c@x") == (
        0,
        "1. Pay?  (asked 09:00)\n2. When?  (asked 09:00)\n   answers: Now, Next quarter\n",
    )
    assert run("approvals", "REJECT", "-c", "too much", "--as", "c@x")[0] == 0
    code, output = run("approvals", "next quarter", "-n", "2", "--as", "c@x")
    assert (code, output.splitlines()[-1]) == (0, "answered number 2 as c@x: Next quarter")
    assert [(each.url.path[-13:], json.loads(each.content)) for each in played.sent] == [
        ("/a1/responses", {"response": "Reject", "comments": "too much"}),
        ("/a2/responses", {"response": "Next quarter", "comments": ""}),
    ]


@pytest.mark.parametrize("arguments", [("Yes", "-d", "note"), ("-d", "note=x")])
def test_fields_are_written_as_pairs_beside_an_answer(arguments: tuple[str, ...]) -> None:
    code, output = run("questions", *arguments)
    assert code == 2
    assert "--data" in output
