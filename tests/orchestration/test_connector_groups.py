"""Teams and groups: who belongs to them, their channels, meetings, single messages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from office_kit import Office
from office_kit import office as served

from hybridmandate.twin.office.groups import MEMBER, OWNER

ADA, BOB, CHRIS = "ada@contoso.example", "bob@contoso.example", "chris@contoso.example"
TEAMS, GROUPS, ENTRA = "shared_teams", "shared_office365groups", "shared_azuread"


@pytest.fixture(name="office")
def _office(tmp_path: Path) -> Iterator[Office]:
    with served(tmp_path) as started:
        yield started


def a_group(office: Office, name: str, *, team: bool = False, **people: list[str]) -> str:
    made = office.store.groups.add(
        name, name.lower(), f"About {name}", unified=True, request=None, **people
    )
    if team:
        office.store.groups.make_team(made["id"])
    return str(made["id"])


def shown(answer: Any, name: str) -> list[Any]:
    assert answer.status == 200, answer.body
    return [each[name] for each in answer.body["value"]]


async def test_teams_of_a_person_or_of_the_tenant_and_their_channels(office: Office) -> None:
    payables = a_group(office, "Payables", team=True, members=[ADA])
    a_group(office, "Sales", team=True, owners=[BOB])
    a_group(office, "Reading", members=[ADA])
    everything = await office.call(TEAMS, "GetAllTeams", {})
    assert shown(everything, "displayName") == ["Payables", "Sales"]
    of_ada = await office.call(TEAMS, "GetAllTeams", {}, user=ADA)
    assert shown(of_ada, "id") == [payables]
    one = await office.call(TEAMS, "GetTeam", {"teamId": payables})
    assert (one.body["displayName"], one.body["description"]) == ("Payables", "About Payables")
    new = {"groupId": payables, "body/displayName": "Invoices", "body/description": "Late ones"}
    for _ in range(2):
        made = await office.call(TEAMS, "CreateChannel", new)
        assert made.status == 201, "a repetition makes no second channel"
    channels = await office.call(TEAMS, "GetChannelsForGroup", {"groupId": payables})
    assert shown(channels, "displayName") == ["General", "Invoices"]
    query = {"groupId": payables, "$filter": "displayName eq 'Invoices'"}
    assert shown(await office.call(TEAMS, "GetChannelsForGroup", query), "id") == [made.body["id"]]
    found = {"teamId": payables, "channelId": made.body["id"]}
    assert (await office.call(TEAMS, "GetChannel", found)).body["description"] == "Late ones"


async def test_a_message_of_a_channel_or_chat_is_looked_up(office: Office) -> None:
    team = a_group(office, "Payables", team=True, members=[ADA])
    channel = office.store.groups.channels(team)[0]["id"]
    place = {"body/recipient/groupId": team, "body/recipient/channelId": channel}
    sent = await office.call(
        TEAMS,
        "PostMessageToConversation",
        {"location": "Channel", "body/messageBody": "x", **place},
    )
    asked = {"messageId": sent.body["id"], "threadType": "channel", **place}
    found = await office.call(TEAMS, "GetMessageDetails", asked)
    assert (found.status, found.body["body"]["content"]) == (200, "x")
    chat = await office.call(TEAMS, "CreateChat", {"item/members": f"{ADA};{BOB};{CHRIS}"})
    to = {"location": "Group chat", "body/recipient": chat.body["id"], "body/messageBody": "y"}
    told = await office.call(TEAMS, "PostMessageToConversation", to)
    of_chat = {"messageId": told.body["id"], "threadType": "groupchat",
               "body/recipient/chatId": chat.body["id"]}  # fmt: skip
    assert (await office.call(TEAMS, "GetMessageDetails", of_chat)).body["body"]["content"] == "y"
    missing = await office.call(TEAMS, "GetMessageDetails", {**asked, "messageId": "none"})
    assert missing.status == 404


async def test_a_team_that_was_made_has_its_own_channels_and_people(office: Office) -> None:
    team = a_group(office, "Payables", team=True, owners=[BOB], members=[ADA])
    channel = office.store.groups.channels(team)[0]["id"]
    path = f"/v1.0/teams/{team}/channels/{channel}/messages"
    assert office.person(ADA, "POST", path, json={"body": {"content": "hi"}}).status_code == 201
    assert office.person(CHRIS, "GET", path).status_code == 403
    other = office.person(ADA, "GET", f"/v1.0/teams/{team}/channels/none/messages")
    assert other.status_code == 404
    for outside in (f"/v1.0/teams/{team}", f"/v1.0/teams/{team}/channels"):
        assert office.person(CHRIS, "GET", outside).status_code == 403
    joined = f"/v1.0/users/{ADA}/joinedTeams"
    assert office.person(ADA, "GET", joined).json()["value"][0]["id"] == team
    assert office.person(CHRIS, "GET", joined).status_code == 404, "teams of somebody else"
    member = {"user@odata.bind": f"https://graph.microsoft.com/v1.0/users('{CHRIS}')", "roles": []}
    assert office.person(ADA, "POST", f"/v1.0/teams/{team}/members", json=member).status_code == 403
    assert office.person(BOB, "POST", f"/v1.0/teams/{team}/members", json=member).status_code == 201
    assert office.person(CHRIS, "GET", path).status_code == 200


async def test_people_come_into_teams_and_groups_once(office: Office) -> None:
    team = a_group(office, "Payables", team=True, owners=[BOB])
    for _ in range(2):
        added = await office.call(TEAMS, "AddMemberToTeam", {"teamId": team, "body/userId": ADA})
        assert added.status == 201, "a repetition changes nothing"
    listed = await office.call(TEAMS, "ListTeamMembers", {"teamId": team})
    assert [(each["email"], each["roles"]) for each in listed.body["value"]] == [
        (BOB, ["owner"]), (ADA, []),
    ]  # fmt: skip
    chris = {"groupId": team, "userUpn": CHRIS}
    for _ in range(2):
        assert (await office.call(GROUPS, "AddMemberToGroup", chris)).status == 204
    again = await office.call(GROUPS, "AddMemberToGroup", {**chris, "x": "another action"})
    assert (again.status, "already exist" in again.body["error"]["message"]) == (400, True)
    assert office.store.groups.people(team, MEMBER) == [ADA, CHRIS]
    for operation, connector, name in (
        ("ListGroupMembers", GROUPS, "groupId"), ("GetGroupMembers", ENTRA, "id"),
    ):  # fmt: skip
        members = await office.call(connector, operation, {name: team})
        assert shown(members, "displayName") == ["Ada Lovelace", "Chris Controller"]
    assert (await office.call(GROUPS, "RemoveMemberFromGroup", chris)).status == 204
    gone = {**chris, "x": "once more"}
    assert (await office.call(GROUPS, "RemoveMemberFromGroup", gone)).status == 404
    assert office.store.groups.people(team, MEMBER) == [ADA]
    assert office.store.groups.people(team, OWNER) == [BOB]


async def test_groups_are_listed_filtered_and_made(office: Office) -> None:
    new = {"body/displayName": "Makers", "body/mailNickname": "makers", "body/description": "x",
           "body/mailEnabled": False, "body/securityEnabled": True}  # fmt: skip
    for _ in range(2):
        made = await office.call(ENTRA, "CreateSecurityGroup", new)
    a_group(office, "Payables")
    query = {"$filter": "startswith(displayName,'Ma') and securityEnabled eq true"}
    assert shown(await office.call(GROUPS, "ListGroups", query), "id") == [made.body["id"]]
    first = await office.call(GROUPS, "ListGroups", {"$top": 1})
    assert (len(first.body["value"]), "@odata.nextLink" in first.body) == (1, True)
    one = await office.call(ENTRA, "GetGroup", {"id": made.body["id"]})
    assert (one.body["displayName"], one.body["groupTypes"]) == ("Makers", [])
    person = await office.call(ENTRA, "GetUser", {"id": "oid-1"})
    assert person.body["mail"] == ADA
    uri = {"Method": "PUT", "Uri": f"/v1.0/groups/{made.body['id']}/team", "Body": "{}"}
    assert (await office.call(GROUPS, "HttpRequest", uri)).status == 400, "a security group"
    own = {"displayName": "Own", "mailNickname": "own", "mailEnabled": True,
           "securityEnabled": False, "groupTypes": ["Unified"]}  # fmt: skip
    of_ada = office.person(ADA, "POST", "/v1.0/groups", json=own).json()
    assert office.store.groups.people(of_ada["id"], OWNER) == [ADA]
    path = f"/v1.0/groups/{of_ada['id']}"
    assert office.person(BOB, "DELETE", path).status_code == 403
    assert office.person(ADA, "DELETE", path).status_code == 204
    assert office.person(ADA, "GET", path).status_code == 404
    wrong: tuple[dict[str, Any], ...] = (
        {},
        {**own, "mailEnabled": False},
        {**own, "displayName": ""},
        {**own, "members@odata.bind": ["x"]},
        {**own, "groupTypes": "Unified"},
    )
    for bad in wrong:
        assert office.person(ADA, "POST", "/v1.0/groups", json=bad).status_code == 400


async def test_a_meeting_stands_in_the_calendar_with_a_link_to_join(office: Office) -> None:
    new = {
        "calendarid": "Calendar", "item/subject": "Close", "item/timeZone": "UTC",
        "item/start/dateTime": "2026-03-01T09:00:00", "item/end/dateTime": "2026-03-01T10:00:00",
        "item/body/content": "<p>Agenda</p>", "item/requiredAttendees": f"{BOB};{CHRIS}",
    }  # fmt: skip
    for _ in range(2):
        made = await office.call(TEAMS, "CreateTeamsMeeting", new, user=ADA)
        assert made.status == 201
    assert made.body["onlineMeeting"]["joinUrl"].startswith("https://teams.microsoft.com/")
    (event,) = office.store.events.of(ADA)
    assert event["id"] == made.body["id"]
    assert [each["emailAddress"]["address"] for each in made.body["attendees"]] == [BOB, CHRIS]


REFUSED: list[tuple[str, str, dict[str, Any], int | str]] = [
    (TEAMS, "GetTeam", {"teamId": "none"}, 404),
    (TEAMS, "GetTeam", {}, "needs the parameter 'teamId'"),
    (TEAMS, "GetChannelsForGroup", {"groupId": "none"}, 404),
    (TEAMS, "GetChannelsForGroup", {"groupId": "T", "$filter": "displayName like 'x'"}, 400),
    (TEAMS, "GetChannel", {"teamId": "T", "channelId": "none"}, 404),
    (TEAMS, "CreateChannel", {"groupId": "T", "body/displayName": "General"}, 400),
    (TEAMS, "CreateChannel", {"groupId": "T", "body/displayName": "a/b"}, 400),
    (TEAMS, "CreateChannel", {"groupId": "T", "body/displayName": "n" * 51}, 400),
    (TEAMS, "CreateChannel", {"groupId": "T"}, 400),
    (TEAMS, "AddMemberToTeam", {"teamId": "T", "body/userId": "nobody@x.example"}, 404),
    (TEAMS, "AddMemberToTeam", {"teamId": "T"}, "needs body/userId"),
    (TEAMS, "GetMessageDetails", {"messageId": "1", "threadType": "feed"}, "is not simulated"),
    (TEAMS, "GetMessageDetails", {"messageId": "1", "threadType": "channel"}, "body/recipient"),
    (TEAMS, "CreateTeamsMeeting", {"calendarid": "Calendar"}, "no option 'user'"),
    (GROUPS, "ListGroupMembers", {"groupId": "none"}, 404),
    (GROUPS, "AddMemberToGroup", {"groupId": "T", "userUpn": "nobody@x.example"}, 404),
    (GROUPS, "AddMemberToGroup", {"groupId": "none", "userUpn": ADA}, 404),
    (GROUPS, "AddMemberToGroup", {"groupId": "T"}, "needs the parameter 'userUpn'"),
    (GROUPS, "AddMemberToGroup", {"userUpn": ADA}, "needs the parameter 'groupId'"),
    (GROUPS, "ListGroups", {"$filter": "(" * 300}, 400),
    (GROUPS, "ListGroups", {"$top": "many"}, 400),
    (ENTRA, "GetGroup", {"id": "none"}, 404),
    (ENTRA, "GetUser", {"id": "nobody@x.example"}, 404),
    (ENTRA, "CreateSecurityGroup", {"body/displayName": "x"}, 400),
    (GROUPS, "CreateCalendarEventV2", {}, "is not simulated"),
]


async def test_what_is_not_there_or_cannot_be_asked_is_refused(office: Office) -> None:
    team = a_group(office, "Payables", team=True, owners=[BOB])
    for connector, operation, given, expected in REFUSED:
        parameters = {name: team if value == "T" else value for name, value in given.items()}
        answer = await office.call(connector, operation, parameters)
        if isinstance(expected, int):
            assert (answer.fault, answer.status) == (None, expected), (operation, given)
        else:
            assert answer.fault == "refused", (operation, given, answer)
            assert expected in (answer.message or "")
    for name in ("subject", "start", "end"):
        whole = {"calendarid": "Calendar", "item/subject": "x", "item/start": "2026-03-01T09:00:00",
                 "item/end": "2026-03-01T10:00:00"}  # fmt: skip
        del whole[f"item/{name}"]
        answer = await office.call(TEAMS, "CreateTeamsMeeting", whole, user=ADA)
        assert (answer.fault, f"item/{name}" in (answer.message or "")) == ("refused", True)
    assert [each["name"] for each in office.store.groups.channels(team)] == ["General"]
    assert office.store.groups.people(team, MEMBER) == []
