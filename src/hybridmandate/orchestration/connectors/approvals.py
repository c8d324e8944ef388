"""Approvals (``shared_approvals``) over Microsoft Graph's approval items (beta).

Starting one answers 202 with the item as location; the engine watches it until it is decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from hybridmandate.orchestration.connectors.connector import Handler
from hybridmandate.orchestration.connectors.graph_connector import GraphConnector
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.engine import Answer

ITEMS = "/beta/solutions/approval/approvalItems"
READ_SECONDS = "2"
"""How often an approval is looked at, unless the option ``read_seconds`` says otherwise."""
_KINDS = {
    "basic": "basic",
    "basicawaitall": "basicAwaitAll",
    "customresponse": "custom",
    "customresponseawaitall": "customAwaitAll",
}
INPUTS = ("WebhookApprovalCreationInput", "ApprovalCreationInput")
"""Where the parameters of an approval stand: when waited for, and when only created."""


class ApprovalsConnector(GraphConnector):
    """Approvals: start one, wait for the decision, at once or later in the flow."""

    api_name = "shared_approvals"

    async def start(self, call: OperationCall) -> Answer:
        """StartAndWaitForAnApproval: first to respond or everybody, own responses or not."""
        answer = await self._ask(call)
        if answer.fault is not None or answer.status >= 300:
            return answer
        return self._pending(_address(answer.body["id"]), answer.body)

    async def create(self, call: OperationCall) -> Answer:
        """CreateAnApproval: asks and goes on; ``name`` is what WaitForAnApproval takes."""
        answer = await self._ask(call)
        if answer.fault is not None or answer.status >= 300:
            return answer
        return Answer(201, answer.headers, _decision(answer.body, []))

    async def wait(self, call: OperationCall) -> Answer:
        """WaitForAnApproval: until the approval ``approvalName`` is decided."""
        address = _address(call.required("approvalName"))
        item = await self.session.send("GET", address, call=call)
        if item.fault is not None or item.status >= 300:
            return item
        return self._pending(address, item.body)

    async def _ask(self, call: OperationCall) -> Answer:
        kind = _KINDS.get(str(call.required("approvalType")).lower())
        if kind is None:
            raise ValueError(f"approval type '{call.parameters['approvalType']}' is not simulated")
        asked = next((found for name in INPUTS if (found := call.nested(name))), {})
        people = [each.strip() for each in str(asked.get("assignedTo") or "").split(";")]
        options = asked.get("responseOptions") if kind.startswith("custom") else None
        body = {
            "displayName": asked.get("title"),
            "description": asked.get("details") or "",
            "approvalType": kind,
            "approvers": [{"user": {"userPrincipalName": each}} for each in people if each],
            **({"responsePrompts": options} if options else {}),
        }
        return await self.session.send("POST", ITEMS, call=call, json_body=body)

    async def read(self, location: str, parameters: Mapping[str, Any], correlation: str) -> Answer:
        """Whether it is decided: 202 while it is not, then outcome and responses."""
        item = await self.session.send("GET", location, correlation_id=correlation)
        if item.fault is not None or item.status >= 300:
            return item
        if item.body["state"] not in ("completed", "canceled"):
            return self._pending(location, item.body)
        responses = await self.session.send(
            "GET", f"{location}/responses", correlation_id=correlation
        )
        if responses.fault is not None or responses.status >= 300:
            return responses
        return Answer(200, item.headers, _decision(item.body, responses.body["value"]))

    def _pending(self, location: str, body: Any) -> Answer:
        seconds = self.settings.options.get("read_seconds", READ_SECONDS)
        return Answer(202, {"location": location, "retry-after": seconds}, body)

    operations: ClassVar[Mapping[str, Handler]] = {
        "StartAndWaitForAnApproval": start,
        "CreateAnApproval": create,
        "WaitForAnApproval": wait,
    }


def _address(approval: Any) -> str:
    return f"{ITEMS}/{quote(str(approval), safe='')}"


def _decision(item: Mapping[str, Any], responses: list[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "name": item["id"],
        "title": item["displayName"],
        "details": item.get("description"),
        "outcome": _outcome(item, responses),
        "startDate": item.get("createdDateTime"),
        "completionDate": item.get("completedDateTime"),
        "responses": [
            {
                "responder": _person(each.get("createdBy")),
                "approverResponse": each["response"],
                "comments": each.get("comments"),
                "responseDate": each.get("createdDateTime"),
            }
            for each in responses
        ],
    }


def _outcome(item: Mapping[str, Any], responses: list[Mapping[str, Any]]) -> str:
    if item["state"] == "canceled":
        return "Canceled"
    result = item.get("result")
    if result:
        return str(result)
    return ", ".join(str(each["response"]) for each in responses)


def _person(identity: Any) -> dict[str, Any]:
    user = (identity or {}).get("user") or {}
    mail = user.get("email") or user.get("userPrincipalName")
    return {"id": user.get("id"), "displayName": user.get("displayName"), "email": mail}
