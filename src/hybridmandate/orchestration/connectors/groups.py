"""Office 365 Groups (``shared_office365groups``) and Microsoft Entra ID (``shared_azuread``).

Both read the same groups over Microsoft Graph v1.0. Sources: learn.microsoft.com/connectors/
office365groups and azuread; operation ids and parameters as in the connectors' public definitions
(Azure/Connectors-NET-SDK) and in public flows.
"""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import quote

from hybridmandate.orchestration.connectors.connector import Handler
from hybridmandate.orchestration.connectors.graph_connector import GraphConnector
from hybridmandate.orchestration.connectors.graph_http import GRAPH, graph_request
from hybridmandate.orchestration.connectors.graph_pages import listed_pages
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.engine import Answer

GROUPS = "/v1.0/groups"


class GroupsConnector(GraphConnector):
    """Groups of the tenant and who belongs to them."""

    api_name = "shared_office365groups"

    async def groups(self, call: OperationCall) -> Answer:
        """ListGroups: ``$filter`` and ``$top``; more pages as the action's pagination says."""
        return await listed_pages(self.session, GROUPS, call)

    async def members(self, call: OperationCall) -> Answer:
        """ListGroupMembers: the members of ``groupId``; pages as above."""
        return await listed_pages(self.session, f"{_group(call, 'groupId')}/members", call)

    async def add(self, call: OperationCall) -> Answer:
        """AddMemberToGroup: the person ``userUpn``; Graph refuses one who is a member (400).

        In the stand-in a repetition after a crash is not refused; Graph promises no such thing.
        """
        person = await self._person(call)
        if person.fault is not None or person.status != 200:
            return person
        address = f"https://{GRAPH}/v1.0/directoryObjects/{person.body['id']}"
        members = f"{_group(call, 'groupId')}/members/$ref"
        return await self.session.send("POST", members, call=call, json_body={"@odata.id": address})

    async def remove(self, call: OperationCall) -> Answer:
        """RemoveMemberFromGroup: 404 when the person is no member."""
        person = await self._person(call)
        if person.fault is not None or person.status != 200:
            return person
        member = quote(str(person.body["id"]), safe="")
        address = f"{_group(call, 'groupId')}/members/{member}/$ref"
        return await self.session.send("DELETE", address, call=call)

    async def http_request(self, call: OperationCall) -> Answer:
        """HttpRequest: any request to Graph."""
        return await graph_request(self.session, call)

    async def _person(self, call: OperationCall) -> Answer:
        _group(call, "groupId")
        address = f"/v1.0/users/{quote(str(call.required('userUpn')), safe='@')}"
        return await self.session.send("GET", address, call=call)

    operations: ClassVar[dict[str, Handler]] = {
        "ListGroups": groups,
        "ListGroupMembers": members,
        "AddMemberToGroup": add,
        "RemoveMemberFromGroup": remove,
        "HttpRequest": http_request,
    }


class EntraConnector(GraphConnector):
    """Users and groups of the directory."""

    api_name = "shared_azuread"

    async def user(self, call: OperationCall) -> Answer:
        """GetUser: a person by object id or sign-in name."""
        address = f"/v1.0/users/{quote(str(call.required('id')), safe='@')}"
        return await self.session.send("GET", address, call=call)

    async def group(self, call: OperationCall) -> Answer:
        """GetGroup: a group by its id."""
        return await self.session.send("GET", _group(call, "id"), call=call)

    async def members(self, call: OperationCall) -> Answer:
        """GetGroupMembers: the members of a group; pages as the action's pagination says."""
        return await listed_pages(self.session, f"{_group(call, 'id')}/members", call)

    async def create_security_group(self, call: OperationCall) -> Answer:
        """CreateSecurityGroup: ``body/displayName``, ``body/mailNickname``, ``body/description``.

        In the stand-in a repetition makes no second group; Graph promises no such thing.
        """
        group = {**call.nested("body"), "mailEnabled": False, "securityEnabled": True}
        return await self.session.send("POST", GROUPS, call=call, json_body=group)

    operations: ClassVar[dict[str, Handler]] = {
        "GetUser": user,
        "GetGroup": group,
        "GetGroupMembers": members,
        "CreateSecurityGroup": create_security_group,
    }


def _group(call: OperationCall, name: str) -> str:
    return f"{GROUPS}/{quote(str(call.required(name)), safe='')}"
