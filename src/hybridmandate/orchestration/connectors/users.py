"""Office 365 Users (``shared_office365users``) over Microsoft Graph v1.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import quote

from hybridmandate.orchestration.connectors.connector import Handler
from hybridmandate.orchestration.connectors.graph_connector import GraphConnector
from hybridmandate.orchestration.connectors.graph_http import graph_request
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.engine import Answer


class UsersConnector(GraphConnector):
    """People of the directory: profiles, managers, reports by id or sign-in name; a search.

    'My profile' is that of the connection's option ``user``: an application has none of its own.
    """

    api_name = "shared_office365users"

    async def profile(self, call: OperationCall) -> Answer:
        """UserProfile_V2: who a person is."""
        return await self._get(call, "")

    async def manager(self, call: OperationCall) -> Answer:
        """Manager_V2: who a person reports to; 404 when to nobody."""
        return await self._get(call, "/manager")

    async def my_profile(self, call: OperationCall) -> Answer:
        """MyProfile_V2: the person that the option ``user`` names."""
        user = self.settings.options.get("user")
        if not user:
            raise ValueError("the connection has no option 'user': whose profile is 'mine'")
        address = f"/v1.0/users/{quote(user, safe='@')}"
        return await self.session.send("GET", address, call=call, query=_selected(call))

    async def reports(self, call: OperationCall) -> Answer:
        """DirectReports_V2: who reports to a person."""
        return await self._get(call, "/directReports")

    async def search(self, call: OperationCall) -> Answer:
        """SearchUserV2: people whose name or address holds ``searchTerm``; ``top`` at most."""
        query = {"$top": str(call.parameters.get("top") or 100)}
        term = str(call.parameters.get("searchTerm") or "").replace('"', "")
        if term:
            query["$search"] = f'"displayName:{term}"'
        headers = {"consistencylevel": "eventual"}
        return await self.session.send(
            "GET", "/v1.0/users", call=call, query=query, headers=headers
        )

    async def photo(self, call: OperationCall) -> Answer:
        """UserPhoto_V2: the photo of a person, as ``$content``; 404 when they have none."""
        address = f"/v1.0/users/{quote(str(call.required('id')), safe='@')}/photo/$value"
        return await self.session.send("GET", address, call=call)

    async def http_request(self, call: OperationCall) -> Answer:
        """HttpRequest: any request to Graph."""
        return await graph_request(self.session, call)

    async def _get(self, call: OperationCall, rest: str) -> Answer:
        address = f"/v1.0/users/{quote(str(call.required('id')), safe='@')}{rest}"
        return await self.session.send("GET", address, call=call, query=_selected(call))

    operations: ClassVar[Mapping[str, Handler]] = {
        "UserProfile_V2": profile,
        "Manager_V2": manager,
        "MyProfile_V2": my_profile,
        "DirectReports_V2": reports,
        "SearchUserV2": search,
        "UserPhoto_V2": photo,
        "HttpRequest": http_request,
    }


def _selected(call: OperationCall) -> dict[str, str]:
    chosen = call.parameters.get("$select")
    return {"$select": str(chosen)} if chosen else {}
