"""What the office stand-in refuses, in Graph's shape: other people's things, sizes, numbers."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from hybridmandate.durable.database import open_engine
from hybridmandate.identity.principal import Principal, TokenRefused
from hybridmandate.twin.office import OfficeSettings, OfficeStore, Persona, Profile, create_app
from hybridmandate.twin.stored_tables import StateOutdated

ALL = ("Sites.ReadWrite.All", "Files.ReadWrite.All", "Mail.Send", "Mail.ReadWrite",
       "User.Read.All", "ChannelMessage.Send", "ChannelMessage.Read.All", "ChatMessage.Send",
       "Chat.Read.All", "TeamsActivity.Send", "ApprovalSolution.ReadWrite.All")  # fmt: skip
PEOPLE = {
    name: Persona(f"oid-{name}", name.title(), f"{name}@contoso.example") for name in ("ada", "ben")
}
LISTS = "/v1.0/sites/finance/lists"
ITEMS = f"{LISTS}/Risks/items"
ADA = "/v1.0/users/ada@contoso.example"


class Tokens:
    """Stands for Entra: 'flow' may do everything, 'nobody' nothing; 'ada' and 'ben' are people."""

    async def verify(self, authorization: str | None, *, role: str | None = None) -> Principal:
        name = (authorization or "").removeprefix("Bearer ")
        if name in PEOPLE:
            raise TokenRefused("token.human", "a person's token", status=403)
        if name not in ("flow", "nobody"):
            raise TokenRefused("token.missing", "no token")
        return Principal(name, name, "t", frozenset(ALL if name == "flow" else ()), 9e9)

    async def verify_person(self, authorization: str | None) -> Persona:
        return PEOPLE[(authorization or "").removeprefix("Bearer ")]


@pytest.fixture(name="graph", scope="module")
def _graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    ids = (f"id-{n}" for n in itertools.count(1))
    folder = tmp_path_factory.mktemp("office")
    store = OfficeStore(
        open_engine(f"sqlite:///{folder}/office.db"), clock=lambda: 1e9, new_id=lambda: next(ids)
    )
    for place in ("finance", "drive of ada@contoso.example"):
        store.library.add_folder(place, "Inbox")
    store.lists.add_list("finance", "Risks")
    people = tuple(Profile(p.object_id, p.name, str(p.mail)) for p in PEOPLE.values())
    settings = OfficeSettings(origin="https://office.example", people=people)
    tokens = Tokens()
    app = create_app(settings, store, tokens, tokens, new_request_id=lambda: "request-1")
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def ask(graph: TestClient, who: str | None, method: str, path: str, **parts: Any) -> Any:
    headers = {} if who is None else {"Authorization": f"Bearer {who}"}
    return graph.request(method, path, headers=headers, **parts)


SURFACES = [
    ("GET", LISTS), ("POST", LISTS), ("GET", ITEMS), ("POST", ITEMS), ("GET", f"{ITEMS}/delta"),
    ("GET", f"{ITEMS}/1"), ("DELETE", f"{ITEMS}/1"), ("PATCH", f"{ITEMS}/1/fields"),
    ("GET", "/v1.0/users"), ("GET", ADA), ("GET", f"{ADA}/manager"),
    ("GET", f"{ADA}/directReports"),
    ("GET", "/v1.0/sites/finance/drive/items/x/workbook/tables/T/columns"),
    ("GET", "/v1.0/sites/finance/drive/items/x/workbook/tables/T/rows"),
    ("GET", f"{ADA}/drive/root/children"), ("PUT", f"{ADA}/drive/root:/Inbox/a.txt:/content"),
    ("POST", f"{ADA}/sendMail"), ("GET", f"{ADA}/messages"), ("GET", f"{ADA}/messages/1"),
    ("PATCH", f"{ADA}/messages/1"), ("POST", f"{ADA}/messages/1/move"),
    ("GET", f"{ADA}/messages/1/attachments"), ("GET", f"{ADA}/mailFolders/Inbox/messages"),
    ("POST", f"{ADA}/teamwork/sendActivityNotification"),
    ("GET", "/v1.0/teams/t/channels/c/messages"),
    ("POST", "/v1.0/teams/t/channels/c/messages"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), SURFACES)
def test_every_surface_asks_for_a_token_and_its_permission(
    graph: TestClient, method: str, path: str
) -> None:
    for who, status in ((None, 401), ("stranger", 401), ("nobody", 403)):
        answer = ask(graph, who, method, path)
        assert (answer.status_code, set(answer.json())) == (status, {"error"})


def test_what_is_not_there_asks_for_a_token_too(graph: TestClient) -> None:
    for method, path in (("GET", "/v1.0/me/events"), ("PUT", "/v1.0/users"), ("GET", "/v1.0/me")):
        assert ask(graph, None, method, path).status_code == 401
    assert ask(graph, "flow", "PUT", "/v1.0/users").json()["error"]["code"] == "notSupported"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"{ADA}/drive/root/children", None),
        ("GET", f"{ADA}/drive/root/delta", None),
        ("GET", f"{ADA}/drive/items/x", None),
        ("DELETE", f"{ADA}/drive/items/x", None),
        ("PUT", f"{ADA}/drive/root:/Inbox/a.txt:/content", None),
        ("GET", f"{ADA}/messages", None),
        ("POST", f"{ADA}/sendMail",
         {"message": {"toRecipients": [{"emailAddress": {"address": "b@x"}}]}}),
    ],
)  # fmt: skip
def test_person_has_no_way_into_anothers_drive_and_mail(
    graph: TestClient, method: str, path: str, body: Any
) -> None:
    answer = ask(graph, "ben", method, path, json=body)
    assert (answer.status_code, set(answer.json())) == (403, {"error"})
    assert ask(graph, "ada", method, path, json=body).status_code in (200, 201, 202, 404)


@pytest.mark.parametrize("number", ["²", "1" * 10, "1" * 5_000, "-1", "x", ""])
@pytest.mark.parametrize(
    ("path", "option", "status"),
    [
        (ITEMS, "$top", 400),
        (ITEMS, "$skiptoken", 400),
        (f"{ITEMS}/delta", "token", 410),
        ("/v1.0/sites/finance/drive/root/delta", "token", 410),
        ("/v1.0/users", "$top", 400),
        (f"{ADA}/messages", "$top", 400),
    ],
)
def test_number_that_is_none_is_refused(
    graph: TestClient, path: str, option: str, status: int, number: str
) -> None:
    answer = ask(graph, "flow", "GET", path, params={option: number})
    assert (answer.status_code, set(answer.json())) == (status, {"error"})


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("$filter", "(" * 60 + "fields/Title eq 'a'" + ")" * 60),
        ("$filter", "not " * 60 + "fields/Title eq 'a'"),
        ("$filter", " or ".join(["fields/Title eq 'a'"] * 1_000)),
        ("$filter", "'" * 8_001),
        ("$orderby", ",".join(["fields/Title"] * 21)),
    ],
)
def test_query_beyond_its_bounds_is_refused(graph: TestClient, option: str, text: str) -> None:
    answer = ask(graph, "flow", "GET", ITEMS, params={option: text})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalidRequest")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{ADA}/sendMail", {"message": {"toRecipients": 5}}),
        (f"{ADA}/sendMail", {"message": {"body": "text", "toRecipients": []}}),
        ("/v1.0/teams/t/channels/c/messages", {"body": {}, "attachments": 5}),
        ("/beta/solutions/approval/approvalItems", {"displayName": "t", "approvers": 5}),
    ],
)
def test_body_of_another_shape_is_refused(graph: TestClient, path: str, body: Any) -> None:
    answer = ask(graph, "flow", "POST", path, json=body)
    assert (answer.status_code, set(answer.json())) == (400, {"error"})


def test_message_that_is_too_large_is_refused(graph: TestClient) -> None:
    body = {"body": {"content": "x" * 28 * 1024}}
    answer = ask(graph, "flow", "POST", "/v1.0/teams/t/channels/c/messages", json=body)
    assert (answer.status_code, set(answer.json())) == (413, {"error"})


def test_file_of_an_earlier_build_says_which_folder_to_remove(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/office.db")
    with engine.begin() as db:
        db.exec_driver_sql("CREATE TABLE mails (id VARCHAR(64) PRIMARY KEY, number INTEGER)")
    with pytest.raises(StateOutdated, match=f"'mails' has no column.* folder {tmp_path} "):
        OfficeStore(engine, clock=lambda: 0.0, new_id=lambda: "id")
