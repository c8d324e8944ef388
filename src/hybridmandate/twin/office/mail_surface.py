"""Graph's mail: mailboxes with folders, attachments, what was read."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hybridmandate.twin.office.body import graph_time, json_body, listed, part
from hybridmandate.twin.office.caller import Persona, require
from hybridmandate.twin.office.errors import GraphError, not_supported
from hybridmandate.twin.office.list_query import QueryInvalid, order, parse_filter, property_of
from hybridmandate.twin.office.messages import Messages
from hybridmandate.twin.office.query import whole_number
from hybridmandate.twin.office.tables import Row

MAIL_READ = ("Mail.Read", "Mail.ReadWrite")
MAIL_WRITE = "Mail.ReadWrite"
FLAGS = ("notFlagged", "flagged", "complete")
ORDER = "receivedDateTime desc"
MAX_ATTACHMENT_BYTES = 3 * 1024 * 1024
"""Largest attachment of a simple request (learn.microsoft.com/graph/api/user-sendmail)."""


class MailSurface:
    """Endpoints of mailboxes."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    async def send_mail(self, request: Request, caller: Persona) -> Response:
        """Deliver a mail; a person sends from their own mailbox only."""
        require(caller, "Mail.Send")
        sender = mailbox_owner(request, caller)
        message = part(await json_body(request), "message")
        body = part(message, "body") if message.get("body") else {}
        shown = _given(message, "toRecipients") + _given(message, "ccRecipients")
        addresses = shown + _given(message, "bccRecipients")
        if not addresses:
            raise GraphError(400, "ErrorInvalidRecipients", "At least one recipient is needed.")
        await run_in_threadpool(
            self._messages.send_mail,
            sender,
            addresses,
            str(message.get("subject", "")),
            str(body.get("content", "")),
            str(body.get("contentType", "text")).lower(),
            shown=shown,
            importance=str(message.get("importance") or "normal").lower(),
            attachments=[_kept(each) for each in listed(message, "attachments")],
            request=request.headers.get("client-request-id"),
        )
        return Response(status_code=202)

    async def reply(self, request: Request, caller: Persona) -> Response:
        """Answer a mail: its sender, with ``replyAll`` also the others."""
        row = await self._mail_of(request, caller)
        others = _addresses(row) if request.url.path.endswith("/replyAll") else []
        own = mailbox_owner(request, caller)
        people = [row["sender"], *(each for each in others if each != own)]
        return await self._send_on(request, caller, row, "RE", list(dict.fromkeys(people)))

    async def forward(self, request: Request, caller: Persona) -> Response:
        """Send a mail on, with its attachments."""
        row = await self._mail_of(request, caller)
        return await self._send_on(request, caller, row, "FW", [])

    async def _send_on(
        self, request: Request, caller: Persona, row: Row, prefix: str, people: list[str]
    ) -> Response:
        require(caller, "Mail.Send")
        given = await json_body(request)
        message = part(given, "message") if given.get("message") else {}
        people = _given({**given, **message}, "toRecipients") or people
        if not people:
            raise GraphError(400, "ErrorInvalidRecipients", "At least one recipient is needed.")
        added = [_kept(each) for each in listed(message, "attachments")]
        before = json.loads(row["attachments"]) if prefix == "FW" else []
        await run_in_threadpool(
            self._messages.send_mail,
            mailbox_owner(request, caller),
            people,
            str(message.get("subject") or f"{prefix}: {row['subject']}"),
            _text_above(str(given.get("comment") or _content(message)), row),
            row["body_type"],
            shown=people,
            importance=str(message.get("importance") or row["importance"]).lower(),
            attachments=[*before, *added],
            request=request.headers.get("client-request-id"),
        )
        return Response(status_code=202)

    async def mailbox(self, request: Request, caller: Persona) -> Response:
        """The mails of a mailbox or of one folder, by ``$filter``, ``$orderby`` and ``$top``."""
        owner = mailbox_owner(request, caller)
        require(caller, *MAIL_READ)
        folder = request.path_params.get("folder")
        rows = await run_in_threadpool(self._messages.mailbox, owner, folder=folder)
        mails = [_mail(each) for each in rows]
        query = request.query_params
        try:
            if "$filter" in query:
                test = parse_filter(query["$filter"])
                mails = [each for each in mails if test(each)]
            wanted = order(query.get("$orderby", ORDER))
            if not wanted[0][1]:
                mails.reverse()  # mails of one second stand in the order in which they came
            for path, descending in reversed(wanted):
                mails.sort(key=lambda each: str(property_of(each, path)), reverse=descending)
        except QueryInvalid as error:
            raise GraphError(400, "ErrorInvalidUrlQuery", f"Invalid query: {error}.") from None
        top = whole_number(query, "$top", 1000, code="ErrorInvalidUrlQuery")
        return JSONResponse({"value": mails[:top]})

    async def message(self, request: Request, caller: Persona) -> Response:
        """One mail; PATCH sets ``isRead`` and ``flag``, DELETE removes it."""
        row = await self._mail_of(request, caller)
        if request.method == "GET":
            return JSONResponse(_mail(row))
        require(caller, MAIL_WRITE)
        if request.method == "DELETE":
            await run_in_threadpool(self._messages.delete_mail, row["id"])
            return Response(status_code=204)
        values = _changes(await json_body(request))
        await run_in_threadpool(self._messages.change_mail, row["id"], **values)
        return JSONResponse(_mail(await self._mail_of(request, caller)))

    async def move(self, request: Request, caller: Persona) -> Response:
        """Move a mail to another folder, which is made where it is missing."""
        row = await self._mail_of(request, caller)
        require(caller, MAIL_WRITE)
        folder = (await json_body(request)).get("destinationId")
        if not isinstance(folder, str) or not folder:
            raise GraphError(400, "ErrorInvalidRequest", "destinationId is required.")
        await run_in_threadpool(self._messages.change_mail, row["id"], folder=folder)
        return JSONResponse(_mail(await self._mail_of(request, caller)), status_code=201)

    async def attachments(self, request: Request, caller: Persona) -> Response:
        """The file attachments of a mail with their content."""
        row = await self._mail_of(request, caller)
        return JSONResponse({"value": json.loads(row["attachments"])})

    async def attachment(self, request: Request, caller: Persona) -> Response:
        """One attachment with its content."""
        row = await self._mail_of(request, caller)
        wanted = request.path_params["attachment"]
        for each in json.loads(row["attachments"]):
            if each["id"] == wanted:
                return JSONResponse(each)
        raise GraphError(404, "ErrorItemNotFound", f"The attachment '{wanted}' was not found.")

    async def mime(self, request: Request, caller: Persona) -> Response:
        """A mail as it would travel: RFC 5322."""
        row = await self._mail_of(request, caller)
        return Response(_as_mime(row), media_type="text/plain")

    async def _mail_of(self, request: Request, caller: Persona) -> Row:
        owner = mailbox_owner(request, caller)
        require(caller, *MAIL_READ)
        mail_id = request.path_params["message"]
        found = await run_in_threadpool(self._messages.mail, owner, mail_id)
        if found is None:
            raise GraphError(404, "ErrorItemNotFound", f"The message '{mail_id}' was not found.")
        return found


def _given(message: dict[str, Any], kind: str) -> list[str]:
    """Addresses of recipients. :raises GraphError: when one is none."""
    addresses = [part(each, "emailAddress").get("address") for each in listed(message, kind)]
    if not all(isinstance(each, str) and "@" in each for each in addresses):
        raise GraphError(400, "ErrorInvalidRecipients", "At least one recipient is not valid.")
    return [str(each) for each in addresses]


def mailbox_owner(request: Request, caller: Persona) -> str:
    """Whose mailbox is meant. :raises GraphError: 403 when a person asks for another's."""
    owner = str(request.path_params["user"]).lower()
    if caller.is_person and (caller.mail or "").lower() != owner:
        raise GraphError(403, "ErrorAccessDenied", "Access is denied: not your mailbox.")
    return owner


def _changes(given: dict[str, Any]) -> dict[str, Any]:
    """What a PATCH of a mail changes. :raises GraphError: 400, or 501 for anything else."""
    if not given or set(given) - {"isRead", "flag"}:
        raise not_supported("change of a message but isRead and flag")
    values: dict[str, Any] = {}
    if "isRead" in given:
        if not isinstance(given["isRead"], bool):
            raise GraphError(400, "ErrorInvalidRequest", "isRead must be true or false.")
        values["read"] = given["isRead"]
    if "flag" in given:
        status = part(given, "flag").get("flagStatus")
        if status not in FLAGS:
            raise GraphError(400, "ErrorInvalidRequest", f"flagStatus is {' or '.join(FLAGS)}.")
        values["flag"] = status
    return values


def _content(message: dict[str, Any]) -> str:
    body = part(message, "body") if message.get("body") else {}
    return str(body.get("content") or "")


def _text_above(text: str, row: Row) -> str:
    """A text with the mail that it answers below it."""
    if row["body_type"] == "html":
        return f"{text}<hr>{row['body']}"
    return f"{text}\n\n____\n{row['body']}"


def _as_mime(row: Row) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"] = row["sender"], ", ".join(_addresses(row))
    mail["Subject"] = " ".join(row["subject"].split())
    mail["Date"] = format_datetime(datetime.fromtimestamp(row["sent"], UTC))
    mail["Message-ID"] = f"<{row['id']}@office.example>"
    mail.set_content(row["body"], subtype="html" if row["body_type"] == "html" else "plain")
    for each in json.loads(row["attachments"]):
        kind, _, subtype = str(each["contentType"]).partition("/")
        mail.add_attachment(
            base64.b64decode(each["contentBytes"]),
            maintype=kind or "application",
            subtype=subtype or "octet-stream",
            filename=each["name"],
        )
    return mail.as_bytes()


def _kept(attachment: Any) -> dict[str, Any]:
    """A file attachment as it is kept. :raises GraphError: when it is no file, or too large."""
    if not isinstance(attachment, dict) or not isinstance(attachment.get("name"), str):
        raise GraphError(400, "ErrorInvalidRequest", "An attachment needs a name.")
    try:
        data = base64.b64decode(str(attachment.get("contentBytes") or ""), validate=True)
    except (binascii.Error, ValueError):
        raise GraphError(400, "ErrorInvalidRequest", "contentBytes must be base64.") from None
    if len(data) > MAX_ATTACHMENT_BYTES:
        raise GraphError(413, "ErrorMessageSizeExceeded", "Use an upload session for this size.")
    return {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "id": hashlib.sha256(attachment["name"].encode() + data).hexdigest(),
        "name": attachment["name"],
        "contentType": attachment.get("contentType") or "application/octet-stream",
        "contentBytes": base64.b64encode(data).decode("ascii"),
        "size": len(data),
        "isInline": False,
    }


def _mail(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "subject": row["subject"],
        "body": {"contentType": row["body_type"], "content": row["body"]},
        "bodyPreview": row["body"][:255],
        "from": {"emailAddress": {"address": row["sender"]}},
        "toRecipients": [{"emailAddress": {"address": each}} for each in _addresses(row)],
        "importance": row["importance"],
        "isRead": row["read"],
        "flag": {"flagStatus": row["flag"] or FLAGS[0]},
        "hasAttachments": row["attachments"] != "[]",
        "parentFolderId": row["folder"],
        "receivedDateTime": graph_time(row["sent"]),
    }


def _addresses(row: Row) -> list[str]:
    addresses: list[str] = json.loads(row["recipients"])
    return addresses
