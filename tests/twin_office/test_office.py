"""The office stand-in speaks Graph: files and their feed, mail, Teams, approvals."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from hybridmandate.durable.database import open_engine
from hybridmandate.identity.principal import Principal, TokenRefused
from hybridmandate.twin.office import OfficeSettings, OfficeStore, Persona, create_app

WORKLOADS = {
    "flow": {
        "Sites.Selected",
        "Mail.Send",
        "ChannelMessage.Send",
        "ApprovalSolution.ReadWrite.All",
    },
    "reader": {"Sites.Read.All"},
    "nobody": set[str](),
}
PEOPLE = {
    name: Persona(f"oid-{name}", name.title(), f"{name}@contoso.example")
    for name in ("ada", "controller", "deputy")
}
SITE = "/v1.0/sites/accounts-payable/drive"
INBOX = f"{SITE}/root:/Invoices/Inbox"
APPROVALS = "/beta/solutions/approval/approvalItems"


class Tokens:
    """Stands for Entra: 'Bearer flow' is a workload, 'Bearer ada' a person."""

    async def verify(self, authorization: str | None, *, role: str | None = None) -> Principal:
        name = (authorization or "").removeprefix("Bearer ")
        if name in PEOPLE:
            raise TokenRefused("token.human", "a person's token", status=403)
        if name not in WORKLOADS:
            raise TokenRefused("token.missing", "no token")
        return Principal(f"oid-{name}", name, "t", frozenset(WORKLOADS[name]), 9e9)

    async def verify_person(self, authorization: str | None) -> Persona:
        return PEOPLE[(authorization or "").removeprefix("Bearer ")]


@pytest.fixture(name="graph")
def _graph(tmp_path: Path) -> Iterator[TestClient]:
    ids = (f"id-{n}" for n in itertools.count(1))
    times = itertools.count(1_790_000_000)
    store = OfficeStore(
        open_engine(f"sqlite:///{tmp_path}/office.db"),
        clock=lambda: float(next(times)),
        new_id=lambda: next(ids),
    )
    store.library.add_folder("accounts-payable", "Invoices/Inbox")
    tokens = Tokens()
    settings = OfficeSettings(origin="https://office.example")
    app = create_app(settings, store, tokens, tokens, new_request_id=lambda: "request-1")
    with TestClient(app) as client:
        yield client


def as_(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {name}"}


def drop(graph: TestClient, name: str, content: bytes, who: str = "ada", **query: str) -> Any:
    return graph.put(f"{INBOX}/{name}:/content", content=content, headers=as_(who), params=query)


def test_dropped_file_knows_who_dropped_it(graph: TestClient) -> None:
    dropped = drop(graph, "a b.csv", b"x,y\n")
    assert dropped.status_code == 201
    item = dropped.json()
    assert item["createdBy"]["user"]["email"] == "ada@contoso.example"
    assert item["size"] == 4
    assert item["file"]["mimeType"] == "text/csv"
    assert item["parentReference"]["path"] == "/drive/root:/Invoices/Inbox"
    assert item["webUrl"].endswith("/Invoices/Inbox/a%20b.csv")
    again = graph.get(f"{SITE}/items/{item['id']}", headers=as_("flow"))
    assert again.json() == item
    content = graph.get(f"{SITE}/items/{item['id']}/content", headers=as_("flow"))
    assert content.content == b"x,y\n"
    assert content.headers["content-type"].startswith("text/csv")


def test_file_is_found_by_its_place_without_regard_to_case(graph: TestClient) -> None:
    item = drop(graph, "Report.csv", b"1").json()
    assert graph.get(f"{INBOX}/report.CSV", headers=as_("flow")).json()["id"] == item["id"]
    assert graph.get(f"{INBOX}/report.csv:/content", headers=as_("flow")).content == b"1"


def test_delta_gives_each_change_once(graph: TestClient) -> None:
    def changes(link: str) -> tuple[list[tuple[str, str]], str]:
        page = graph.get(link, headers=as_("flow")).json()
        next_link = page["@odata.deltaLink"].removeprefix("https://office.example")
        return [(i["name"], i["eTag"]) for i in page["value"]], next_link

    drop(graph, "one.csv", b"1")
    first, link = changes(f"{INBOX}:/delta")
    assert [name for name, _ in first] == ["one.csv"]
    assert changes(link)[0] == []
    drop(graph, "two.csv", b"2")
    drop(graph, "one.csv", b"changed")
    second, link = changes(link)
    assert [name for name, _ in second] == ["two.csv", "one.csv"]
    assert dict(second)["one.csv"] != dict(first)["one.csv"]
    assert changes(link)[0] == []
    assert changes(f"{INBOX}:/delta?token=latest")[0] == []


def test_wrong_delta_token_asks_for_a_new_start(graph: TestClient) -> None:
    answer = graph.get(f"{INBOX}:/delta?token=abc", headers=as_("flow"))
    assert answer.status_code == 410
    assert answer.json()["error"]["code"] == "resyncRequired"


@pytest.mark.parametrize(
    ("behaviour", "status", "names"),
    [
        ("replace", 200, ["a.csv"]),
        ("fail", 409, ["a.csv"]),
        ("rename", 201, ["a.csv", "a 1.csv"]),
    ],
)
def test_conflict_behaviour_is_the_callers_choice(
    graph: TestClient, behaviour: str, status: int, names: list[str]
) -> None:
    drop(graph, "a.csv", b"1")
    options = {"@microsoft.graph.conflictBehavior": behaviour}
    assert drop(graph, "a.csv", b"2", **options).status_code == status
    children = graph.get(f"{INBOX}:/children", headers=as_("flow")).json()["value"]
    assert [child["name"] for child in children] == names


def test_mail_reaches_each_recipient_and_only_they_read_it(graph: TestClient) -> None:
    message = {
        "subject": "Three rows",
        "body": {"contentType": "HTML", "content": "<p>look</p>"},
        "toRecipients": [{"emailAddress": {"address": "Ada@contoso.example"}}],
    }
    sent = graph.post(
        "/v1.0/users/ap@contoso.example/sendMail", json={"message": message}, headers=as_("flow")
    )
    assert (sent.status_code, sent.content) == (202, b"")
    mine = graph.get("/v1.0/users/ada@contoso.example/messages", headers=as_("ada")).json()
    assert [m["subject"] for m in mine["value"]] == ["Three rows"]
    assert mine["value"][0]["from"]["emailAddress"]["address"] == "ap@contoso.example"
    other = graph.get("/v1.0/users/ada@contoso.example/messages", headers=as_("controller"))
    assert other.status_code == 403
    flow = graph.get("/v1.0/users/ada@contoso.example/messages", headers=as_("flow"))
    assert flow.status_code == 403


def test_channel_message_is_kept(graph: TestClient) -> None:
    path = "/v1.0/teams/finance/channels/incidents/messages"
    posted = graph.post(path, json={"body": {"content": "parked"}}, headers=as_("flow"))
    assert posted.status_code == 201
    kept = graph.get(path, headers=as_("ada")).json()["value"]
    assert kept[0]["body"]["content"] == "parked"
    assert kept[0]["from"]["application"]["displayName"] == "flow"


def ask(graph: TestClient, *approvers: str, kind: str = "basic") -> str:
    answer = graph.post(
        APPROVALS,
        json={
            "displayName": "Commit 3 of 10 rows?",
            "approvalType": kind,
            "approvers": [{"user": {"id": f"{a}@contoso.example"}} for a in approvers],
        },
        headers=as_("flow"),
    )
    assert answer.status_code == 201
    return str(answer.json()["id"])


def respond(graph: TestClient, approval: str, who: str, response: str) -> int:
    answer = graph.post(
        f"{APPROVALS}/{approval}/responses",
        json={"response": response, "comments": "seen"},
        headers=as_(who),
    )
    return answer.status_code


def state(graph: TestClient, approval: str) -> tuple[str, str | None]:
    item = graph.get(f"{APPROVALS}/{approval}", headers=as_("flow")).json()
    return item["state"], item["result"]


def test_first_answer_decides_a_basic_approval(graph: TestClient) -> None:
    approval = ask(graph, "controller", "deputy")
    assert state(graph, approval) == ("pending", None)
    assert respond(graph, approval, "deputy", "Approve") == 201
    assert state(graph, approval) == ("completed", "Approve")
    assert respond(graph, approval, "controller", "Reject") == 409
    answers = graph.get(f"{APPROVALS}/{approval}/responses", headers=as_("flow")).json()["value"]
    assert [a["createdBy"]["user"]["email"] for a in answers] == ["deputy@contoso.example"]


def test_approval_of_all_waits_for_all_and_ends_with_one_rejection(graph: TestClient) -> None:
    both = ask(graph, "controller", "deputy", kind="basicAwaitAll")
    assert respond(graph, both, "controller", "Approve") == 201
    assert respond(graph, both, "controller", "Approve") == 409
    assert state(graph, both) == ("pending", None)
    assert respond(graph, both, "deputy", "Approve") == 201
    assert state(graph, both) == ("completed", "Approve")
    one = ask(graph, "controller", "deputy", kind="basicAwaitAll")
    assert respond(graph, one, "deputy", "Reject") == 201
    assert state(graph, one) == ("completed", "Reject")


def test_request_that_is_repeated_makes_no_second_approval(graph: TestClient) -> None:
    body = {
        "displayName": "Commit?",
        "approvers": [{"user": {"id": "controller@contoso.example"}}],
    }
    headers = {**as_("flow"), "client-request-id": "request-of-a-run"}
    first = graph.post(APPROVALS, json=body, headers=headers)
    again = graph.post(APPROVALS, json=body, headers=headers)
    assert first.json() == again.json()
    other = graph.post(APPROVALS, json=body, headers={**headers, "client-request-id": "another"})
    assert other.json()["id"] != first.json()["id"]


def test_only_the_named_person_may_answer(graph: TestClient) -> None:
    approval = ask(graph, "controller")
    assert respond(graph, approval, "flow", "Approve") == 403
    assert respond(graph, approval, "ada", "Approve") == 404
    assert state(graph, approval) == ("pending", None)
    listed = graph.get(APPROVALS, headers=as_("ada")).json()["value"]
    assert listed == []
    assert len(graph.get(APPROVALS, headers=as_("controller")).json()["value"]) == 1


@pytest.mark.parametrize(
    ("method", "path", "who", "status", "code"),
    [
        ("GET", f"{INBOX}:/children", None, 401, "InvalidAuthenticationToken"),
        ("GET", f"{INBOX}:/children", "stranger", 401, "InvalidAuthenticationToken"),
        ("GET", f"{INBOX}:/children", "nobody", 403, "accessDenied"),
        ("PUT", f"{INBOX}/a.csv:/content", "reader", 403, "accessDenied"),
        ("GET", f"{SITE}/items/none", "flow", 404, "itemNotFound"),
        ("GET", f"{SITE}/root:/Elsewhere:/children", "flow", 404, "itemNotFound"),
        ("PUT", f"{SITE}/root:/Elsewhere/a.csv:/content", "flow", 404, "itemNotFound"),
        ("GET", f"{INBOX}/none.csv", "flow", 404, "itemNotFound"),
        ("POST", "/v1.0/users/a@b.example/sendMail", "flow", 400, "BadRequest"),
        ("POST", APPROVALS, "flow", 400, "BadRequest"),
        ("GET", f"{APPROVALS}/none", "flow", 404, "itemNotFound"),
        ("DELETE", "/v1.0/me/drive", "flow", 501, "notSupported"),
    ],
)
def test_refusals_have_graphs_shape(
    graph: TestClient, method: str, path: str, who: str | None, status: int, code: str
) -> None:
    answer = graph.request(method, path, headers=as_(who) if who else {}, content=b"not json")
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == code
    assert error["message"]
    assert error["innerError"]["request-id"] == "request-1"


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"message": {"toRecipients": []}},
        {"message": {"toRecipients": [{"emailAddress": {"address": "nowhere"}}]}},
        {"message": {"toRecipients": [{"emailAddress": 1}]}},
    ],
)
def test_mail_to_nobody_is_refused(graph: TestClient, message: dict[str, Any]) -> None:
    sent = graph.post("/v1.0/users/a@b.example/sendMail", json=message, headers=as_("flow"))
    assert sent.status_code == 400
