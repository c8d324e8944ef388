"""Office 365 Users (``shared_office365users``) over Microsoft Graph v1.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from hybridmandate.orchestration.connectors.connector import Connector, Handler
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.engine import Answer


class UsersConnector(Connector):
    """People of the directory: profile and manager by id or sign-in name."""

    api_name = "shared_office365users"

    async def profile(self, call: OperationCall) -> Answer:
        """UserProfile_V2: who a person is."""
        return await self._get(call, "")

    async def manager(self, call: OperationCall) -> Answer:
        """Manager_V2: who a person reports to; 404 when to nobody."""
        return await self._get(call, "/manager")

    async def _get(self, call: OperationCall, rest: str) -> Answer:
        address = f"/v1.0/users/{quote(str(call.required('id')), safe='@')}{rest}"
        query: dict[str, Any] = {}
        if call.parameters.get("$select"):
            query["$select"] = str(call.parameters["$select"])
        return await self.session.send("GET", address, call=call, query=query)

    operations: ClassVar[Mapping[str, Handler]] = {
        "UserProfile_V2": profile,
        "Manager_V2": manager,
    }
