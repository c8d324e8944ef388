"""What the office services refuse: things not simulated, cancelled approvals, throttled calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connector_kit import Service
from office_kit import MAILBOX, SITE, Office, Waiting
from office_kit import office as served
from test_flow_connectors import send

from hybridmandate.twin.office.files_surface import USER_DRIVE

SHAREPOINT, ONEDRIVE = "shared_sharepointonline", "shared_onedriveforbusiness"
TEAMS, GROUPS, APPROVALS = "shared_teams", "shared_office365groups", "shared_approvals"
ADA = "ada@contoso.example"


async def test_what_the_stand_in_does_not_have_fails_at_once(tmp_path: Path) -> None:
    with served(tmp_path) as office:
        drive = f"{USER_DRIVE}{MAILBOX}"
        office.store.library.add_folder(drive, "Out")
        new = {"folderPath": "/Out", "name": "a.docx", "body": "x"}
        file = (await office.call(ONEDRIVE, "CreateFile", new, user=MAILBOX)).body["Id"]
        cases: list[tuple[str, str, dict[str, Any], str]] = [
            (ONEDRIVE, "ConvertFile", {"id": file, "type": "PDF"}, "conversion of files to 'pdf'"),
            (ONEDRIVE, "ConvertFileByPath", {"path": "Out/a.docx"}, "conversion of files to 'pdf'"),
            (TEAMS, "HttpRequest", {"Method": "GET", "Uri": "/v1.0/planner/tasks"}, "planner"),
            (SHAREPOINT, "HttpRequest", {"dataset": SITE, "parameters/method": "GET",
                                         "parameters/uri": "_api/web/sitegroups"}, "sitegroups"),
            (GROUPS, "ListGroups", {"$orderby": "displayName"}, "query option $orderby"),
        ]  # fmt: skip
        for connector, operation, parameters, message in cases:
            answer = await office.call(connector, operation, parameters, user=MAILBOX)
            assert answer.fault == "refused", (operation, answer)
            assert "not simulated" in (answer.message or "")
            assert message in (answer.message or ""), answer.message
        missing = await office.call(ONEDRIVE, "ConvertFile", {"id": "none"}, user=MAILBOX)
        assert (missing.status, missing.body["error"]["code"]) == (404, "itemNotFound")


async def test_a_cancelled_approval_ends_the_waiting_of_its_flow(tmp_path: Path) -> None:
    with served(tmp_path) as office:
        waiting = Waiting(office, APPROVALS)
        asked = {"approvalType": "Basic", "WebhookApprovalCreationInput/title": "Pay?",
                 "WebhookApprovalCreationInput/assignedTo": ADA}  # fmt: skip
        assert (await waiting.start("StartAndWaitForAnApproval", asked)).status == 202
        (approval,) = office.store.approvals.all()
        path = f"/beta/solutions/approval/approvalItems/{approval['id']}"
        assert office.person(ADA, "POST", f"{path}/cancel").status_code == 403
        assert (await waiting.read()).status == 202
        assert await cancelled(office, f"{path}/cancel") == 204
        assert await cancelled(office, f"{path}/cancel") == 409
        decided = await waiting.read()
        await waiting.close()
        assert (decided.status, decided.body["outcome"]) == (200, "Canceled")
        assert decided.body["responses"] == []
        late = office.person(ADA, "POST", f"{path}/responses", json={"response": "Approve"})
        assert late.status_code == 409
        assert await cancelled(office, f"{path}x/cancel") == 404


async def cancelled(office: Office, path: str) -> int:
    answer = await office.call(TEAMS, "HttpRequest", {"Method": "POST", "Uri": path})
    return answer.status


async def test_a_throttled_call_is_handed_on_as_it_is_at_every_request_of_an_operation() -> None:
    service = await Service().start()
    user, group = f"/v1.0/users/{ADA}", "/v1.0/groups/g/members"
    site = "/sites/ap/_api/web/lists/getbytitle('V')/items(1)/AttachmentFiles"
    member = {"groupId": "g", "userUpn": ADA}
    item = {"dataset": SITE, "table": "V", "id": 1, "since": "1.0"}
    cases: list[tuple[str, str, dict[str, Any], str, str]] = [
        (GROUPS, "AddMemberToGroup", member, "GET", user),
        (GROUPS, "ListGroupMembers", member, "GET", group),
        (TEAMS, "GetAllTeams", {}, "GET", "/v1.0/teams"),
        (TEAMS, "GetChannelsForGroup", {"groupId": "g"}, "GET", "/v1.0/teams/g/channels"),
        (SHAREPOINT, "GetItemChanges", item, "GET", "/v1.0/sites/ap/lists/V/items/1/versions"),
        (SHAREPOINT, "GetItemAttachments", {**item, "itemId": 1}, "GET", site),
    ]
    for connector, operation, parameters, method, path in cases:
        service.on(method, path, 429, {"error": {"code": "TooManyRequests"}}, retry_after="7")
        answer = await send(service.settings(connector), operation, parameters)
        assert (answer.fault, answer.status) == (None, 429), (operation, answer)
        assert answer.headers["retry-after"] == "7"
    service.answers[("GET", user)] = [(200, {"id": "oid-1"}, {})]
    service.on("POST", f"{group}/$ref", 429, {}, retry_after="9")
    second = await send(service.settings(GROUPS), "AddMemberToGroup", member)
    assert (second.status, second.headers["retry-after"]) == (429, "9")
    link = f"{service.address}{group}?$skiptoken=1"
    service.answers[("GET", group)] = [
        (200, {"value": [{"id": "1"}], "@odata.nextLink": link}, {}),
        (429, {}, {"retry-after": "8"}),
    ]
    paged = await send(service.settings(GROUPS), "ListGroupMembers", member, pagination=500)
    assert (paged.status, paged.headers["retry-after"]) == (429, "8"), "no part of a list is a list"
    service.answers[("GET", group)] = [
        (200, {"value": [], "@odata.nextLink": "https://elsewhere.example/x"}, {})
    ]
    away = await send(service.settings(GROUPS), "ListGroupMembers", member, pagination=500)
    assert (away.fault, "no token is sent there" in (away.message or "")) == ("refused", True)
    await service.close()
