"""Graph's mail and Teams channel messages."""

from __future__ import annotations

import json
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hybridmandate.twin.office.body import graph_time, json_body, part
from hybridmandate.twin.office.caller import Persona, require
from hybridmandate.twin.office.errors import GraphError
from hybridmandate.twin.office.messages import Messages
from hybridmandate.twin.office.tables import Row


class MailSurface:
    """Endpoints of mailboxes and channels."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    async def send_mail(self, request: Request, caller: Persona) -> Response:
        require(caller, "Mail.Send")
        message = part(await json_body(request), "message")
        body = message.get("body") or {}
        recipients = [
            part(each, "emailAddress").get("address")
            for kind in ("toRecipients", "ccRecipients", "bccRecipients")
            for each in message.get(kind) or []
        ]
        addresses = [each for each in recipients if isinstance(each, str) and "@" in each]
        if not addresses or len(addresses) != len(recipients):
            raise GraphError(400, "ErrorInvalidRecipients", "At least one recipient is not valid.")
        await run_in_threadpool(
            self._messages.send_mail,
            request.path_params["user"],
            addresses,
            str(message.get("subject", "")),
            str(body.get("content", "")),
            str(body.get("contentType", "text")).lower(),
        )
        return Response(status_code=202)

    async def mailbox(self, request: Request, caller: Persona) -> Response:
        owner = request.path_params["user"].lower()
        if caller.is_person and (caller.mail or "").lower() != owner:
            raise GraphError(403, "ErrorAccessDenied", "Access is denied: not your mailbox.")
        require(caller, "Mail.Read")
        mails = await run_in_threadpool(self._messages.mailbox, owner)
        return JSONResponse({"value": [_mail(each) for each in mails]})

    async def channel(self, request: Request, caller: Persona) -> Response:
        team, channel = request.path_params["team"], request.path_params["channel"]
        if request.method == "POST":
            require(caller, "ChannelMessage.Send")
            body = part(await json_body(request), "body")
            posted = await run_in_threadpool(
                self._messages.post_message,
                team,
                channel,
                str(body.get("content", "")),
                str(body.get("contentType", "text")).lower(),
                caller.to_graph(),
            )
            return JSONResponse(_message(posted), status_code=201)
        require(caller, "ChannelMessage.Read.All")
        messages = await run_in_threadpool(self._messages.messages, team, channel)
        return JSONResponse({"value": [_message(each) for each in messages]})


def _mail(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "subject": row["subject"],
        "body": {"contentType": row["body_type"], "content": row["body"]},
        "from": {"emailAddress": {"address": row["sender"]}},
        "toRecipients": [{"emailAddress": {"address": row["recipient"]}}],
        "receivedDateTime": graph_time(row["sent"]),
    }


def _message(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "body": {"contentType": row["body_type"], "content": row["body"]},
        "from": json.loads(row["sender"]),
        "channelIdentity": {"teamId": row["team"], "channelId": row["channel"]},
        "createdDateTime": graph_time(row["sent"]),
    }
