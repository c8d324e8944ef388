"""Graph's approvals (beta): asked by flows, answered by the approvers themselves."""

from __future__ import annotations

import json
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hybridmandate.twin.office.approvals import OPTIONS, Answer, AnsweredAlready, Approvals
from hybridmandate.twin.office.body import graph_time, json_body, listed, part
from hybridmandate.twin.office.caller import Persona, require
from hybridmandate.twin.office.errors import GraphError, not_found, not_supported
from hybridmandate.twin.office.tables import Row

PERMISSIONS = ("ApprovalSolution.ReadWrite.All",)

_KINDS = {"basic", "basicAwaitAll", "custom", "customAwaitAll"}


class ApprovalsSurface:
    """Endpoints of approvals."""

    def __init__(self, approvals: Approvals) -> None:
        self._approvals = approvals

    async def approvals(self, request: Request, caller: Persona) -> Response:
        require(caller, *PERMISSIONS)
        if request.method == "GET":
            rows = await run_in_threadpool(self._approvals.all)
            mine = [each for each in rows if _concerns(each, caller)]
            return JSONResponse({"value": [_approval(each) for each in mine]})
        asked = await json_body(request)
        approvers = [_address(each) for each in listed(asked, "approvers")]
        kind = asked.get("approvalType", "basic")
        title = asked.get("displayName")
        if not isinstance(title, str) or not title:
            raise GraphError(400, "BadRequest", "displayName is required.")
        if kind not in _KINDS:
            raise not_supported(f"approval type '{kind}'")
        if not approvers:
            raise GraphError(400, "BadRequest", "At least one approver is required.")
        # A flow that was killed while it asked repeats the same request: no second approval.
        added = await run_in_threadpool(
            self._approvals.add,
            title,
            str(asked.get("description") or ""),
            kind,
            approvers,
            caller.to_graph(),
            options=_options(asked, kind),
            request=request.headers.get("client-request-id"),
        )
        return JSONResponse(_approval(added), status_code=201)

    async def approval(self, request: Request, caller: Persona) -> Response:
        require(caller, *PERMISSIONS)
        return JSONResponse(_approval(await self._approval_of(request, caller)))

    async def responses(self, request: Request, caller: Persona) -> Response:
        require(caller, *PERMISSIONS)
        approval = await self._approval_of(request, caller)
        if request.method == "GET":
            rows = await run_in_threadpool(self._approvals.responses, approval["id"])
            return JSONResponse({"value": [_response(each) for each in rows]})
        if not caller.is_person or caller.mail is None:
            raise GraphError(403, "accessDenied", "Only a person may answer an approval.")
        if caller.mail.lower() not in json.loads(approval["approvers"]):
            raise GraphError(403, "accessDenied", "You are not an approver of this item.")
        given = await json_body(request)
        if not isinstance(given.get("response"), str) or not given["response"]:
            raise GraphError(400, "BadRequest", "response is required.")
        allowed = json.loads(approval["options"] or json.dumps(OPTIONS))
        if given["response"] not in allowed:
            raise GraphError(400, "BadRequest", f"response must be one of {', '.join(allowed)}.")
        answer = Answer(
            person=caller.to_graph(),
            mail=caller.mail.lower(),
            response=given["response"],
            comments=str(given.get("comments") or ""),
        )
        try:
            added = await run_in_threadpool(self._approvals.respond, approval["id"], answer)
        except AnsweredAlready:
            raise GraphError(409, "conflict", "The approval was answered before.") from None
        return JSONResponse(_response(added), status_code=201)

    async def cancel(self, request: Request, caller: Persona) -> Response:
        """Cancel an approval: its owner may, and who waits for it is told."""
        require(caller, *PERMISSIONS)
        wanted = request.path_params["approval"]
        approval = await run_in_threadpool(self._approvals.find, wanted)
        if approval is None:
            raise not_found(f"The approval '{wanted}'")
        if _object_id(json.loads(approval["owner"])) != caller.object_id:
            raise GraphError(403, "accessDenied", "Only the owner may cancel an approval.")
        if not await run_in_threadpool(self._approvals.cancel, approval["id"]):
            raise GraphError(409, "conflict", "The approval is closed already.")
        return Response(status_code=204)

    async def _approval_of(self, request: Request, caller: Persona) -> Row:
        approval_id = request.path_params["approval"]
        found = await run_in_threadpool(self._approvals.find, approval_id)
        if found is None or not _concerns(found, caller):
            raise not_found(f"The approval '{approval_id}'")
        return found


def _options(asked: dict[str, Any], kind: str) -> list[str]:
    """The answers to choose among. :raises GraphError: when a custom approval names none."""
    if not kind.startswith("custom"):
        return list(OPTIONS)
    options = [str(each) for each in listed(asked, "responsePrompts")]
    if not options or len(set(options)) != len(options):
        raise GraphError(400, "BadRequest", "responsePrompts needs different answers.")
    return options


def _concerns(approval: Row, caller: Persona) -> bool:
    return not caller.is_person or (caller.mail or "").lower() in json.loads(approval["approvers"])


def _object_id(identity: dict[str, Any]) -> str | None:
    """Whose identity set it is, a person's or an application's."""
    whose = identity.get("user") or identity.get("application") or {}
    found = whose.get("id")
    return None if found is None else str(found)


def _address(approver: Any) -> str:
    user = part(approver, "user")
    address = user.get("userPrincipalName") or user.get("email") or user.get("id")
    if not isinstance(address, str) or not address:
        raise GraphError(400, "BadRequest", "An approver needs an id or userPrincipalName.")
    return address


def _approval(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "displayName": row["title"],
        "description": row["details"],
        "approvalType": row["kind"],
        "approvers": [{"user": {"userPrincipalName": a}} for a in json.loads(row["approvers"])],
        "owner": json.loads(row["owner"]),
        "responsePrompts": json.loads(row["options"] or json.dumps(OPTIONS)),
        "state": row["state"],
        "result": row["result"],
        "createdDateTime": graph_time(row["created"]),
        "completedDateTime": None if row["completed"] is None else graph_time(row["completed"]),
    }


def _response(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "createdBy": json.loads(row["person"]),
        "response": row["response"],
        "comments": row["comments"],
        "createdDateTime": graph_time(row["created"]),
    }
