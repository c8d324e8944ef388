"""Office 365 Outlook (``shared_office365``) over Microsoft Graph v1.0: mail and calendar.

The mailbox that sends is the parameter ``emailMessage/From``, or the connection's option
``sender``: an application has no mailbox of its own. A mailbox that is shared is named by the
parameter ``mailboxAddress``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar
from urllib.parse import quote, unquote

from hybridmandate.orchestration.connectors import calendar
from hybridmandate.orchestration.connectors.connector import Handler
from hybridmandate.orchestration.connectors.drive_items import shaped
from hybridmandate.orchestration.connectors.graph_connector import GraphConnector
from hybridmandate.orchestration.connectors.graph_http import graph_request
from hybridmandate.orchestration.connectors.mail_messages import shown_mail
from hybridmandate.orchestration.connectors.mail_options import asked_message, chosen, options_of
from hybridmandate.orchestration.connectors.questions import READ_SECONDS, ask, read_answer
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import ServiceSession, as_content
from hybridmandate.orchestration.engine import Answer

_CALENDAR: Mapping[str, Callable[[ServiceSession, str, OperationCall], Awaitable[Answer]]] = {
    "CalendarGetTables_V2": calendar.calendars,
    "V4CalendarPostItem": calendar.create_event,
    "V3CalendarGetItem": calendar.get_event,
    "V4CalendarPatchItem": calendar.update_event,
    "CalendarDeleteItem_V2": calendar.delete_event,
    "V4CalendarGetItems": calendar.list_events,
    "GetEventsCalendarViewV3": calendar.calendar_view,
}


def _of_calendar(
    handle: Callable[[ServiceSession, str, OperationCall], Awaitable[Answer]],
) -> Handler:
    async def operation(connector: MailConnector, call: OperationCall) -> Answer:
        return await handle(connector.session, connector.mailbox, call)

    return operation


def mailbox_path(address: str) -> str:
    """The Graph path of a mailbox."""
    return f"/v1.0/users/{quote(address, safe='@')}"


class MailConnector(GraphConnector):
    """Mail: send, list, read, answer, mark, move, delete; attachments; the calendar."""

    api_name = "shared_office365"
    triggers = frozenset({"OnNewEmailV3", "SharedMailboxOnNewEmailV2"})

    @property
    def mailbox(self) -> str:
        """The Graph path of the connection's own mailbox, its option ``sender``.

        :raises ValueError: when the option is missing.
        """
        sender = self.settings.options.get("sender")
        if not sender:
            raise ValueError("the connection has no option 'sender': whose mailbox it reads")
        return mailbox_path(sender)

    async def send(self, call: OperationCall) -> Answer:
        """SendEmailV2: addresses are separated by semicolons, the body is HTML."""
        message = call.nested("emailMessage")
        sender = message.get("From") or self.settings.options.get("sender")
        if not sender:
            raise ValueError("SendEmailV2 needs a sender: emailMessage/From or the option 'sender'")
        return await self._send(call, message, str(sender))

    async def send_first(self, call: OperationCall) -> Answer:
        """SendEmail, of older flows: the body is text unless ``emailMessage/IsHtml`` is true."""
        message = call.nested("emailMessage")
        sender = self.settings.options.get("sender")
        if not sender:
            raise ValueError("SendEmail needs a sender: the connection's option 'sender'")
        kind = "HTML" if message.get("IsHtml") is True else "Text"
        return await self._send(call, message, sender, kind)

    async def send_shared(self, call: OperationCall) -> Answer:
        """SharedMailboxSendEmailV2: from the mailbox ``emailMessage/MailboxAddress``."""
        message = call.nested("emailMessage")
        if not message.get("MailboxAddress"):
            raise ValueError("SharedMailboxSendEmailV2 needs 'emailMessage/MailboxAddress'")
        return await self._send(call, message, str(message["MailboxAddress"]))

    async def send_with_options(self, call: OperationCall) -> Answer:
        """SendMailWithOptions, SendApprovalMail: a mail, then the first answer to it."""
        asked = asked_message(call)
        options = options_of(asked)
        text = f"{asked.get('Body') or ''}<p>{' | '.join(options)}</p>"
        own = self.mailbox.rpartition("/")[2]
        sent = await self._send(call, {**asked, "Body": text}, unquote(own))
        if sent.fault is not None or sent.status >= 300:
            return sent
        return await ask(
            self.session,
            call,
            title=str(asked.get("Subject") or ""),
            people=[each["emailAddress"]["address"] for each in _recipients(asked["To"])],
            options=options,
            content={"body": asked.get("Body") or ""},
            read_seconds=self._read_seconds,
        )

    async def read(self, location: str, parameters: Mapping[str, Any], correlation: str) -> Answer:
        """Whether somebody has chosen."""
        return await read_answer(self.session, location, correlation, self._read_seconds, chosen)

    async def _send(
        self, call: OperationCall, message: Mapping[str, Any], sender: str, kind: str = "HTML"
    ) -> Answer:
        if not message.get("To"):
            raise ValueError(f"{call.operation_id} needs a recipient: 'To'")
        body = {"message": _message(message, kind)}
        address = f"{mailbox_path(sender)}/sendMail"
        return await self.session.send("POST", address, call=call, json_body=body)

    async def reply(self, call: OperationCall) -> Answer:
        """ReplyToV3: to the sender, or to all when ``replyParameters/ReplyAll`` says so."""
        given = call.nested("replyParameters")
        message = {
            **({"toRecipients": _recipients(given["To"])} if given.get("To") else {}),
            **({"subject": given["Subject"]} if given.get("Subject") else {}),
            "attachments": [_attachment(each) for each in given.get("Attachments") or []],
        }
        body = {"message": message, "comment": str(given.get("Body") or "")}
        action = "replyAll" if given.get("ReplyAll") else "reply"
        address = f"{self._mail(call)}/{action}"
        return await self.session.send("POST", address, call=call, json_body=body)

    async def forward(self, call: OperationCall) -> Answer:
        """ForwardEmail_V2: to ``body/ToRecipients``, with ``body/Comment`` above it."""
        given = call.nested("body")
        body = {
            "comment": str(given.get("Comment") or ""),
            "toRecipients": _recipients(given.get("ToRecipients")),
        }
        message = quote(str(call.required("message_id")), safe="")
        address = f"{self._box(call)}/messages/{message}/forward"
        return await self.session.send("POST", address, call=call, json_body=body)

    async def flag(self, call: OperationCall) -> Answer:
        """Flag_V2: ``body/flag/flagStatus``, flagged unless it says otherwise."""
        status = (call.nested("body").get("flag") or {}).get("flagStatus") or "flagged"
        body = {"flag": {"flagStatus": str(status)}}
        return await self.session.send("PATCH", self._mail(call), call=call, json_body=body)

    async def export(self, call: OperationCall) -> Answer:
        """ExportEmail_V2: the mail as it travels, as ``$content``."""
        address = f"{self._mail(call)}/$value"
        return await self.session.send("GET", address, call=call, decode=as_content)

    async def http_request(self, call: OperationCall) -> Answer:
        """HttpRequest: any request to Graph."""
        return await graph_request(self.session, call)

    async def list_mails(self, call: OperationCall) -> Answer:
        """GetEmailsV3: newest first; ``fetchOnlyUnread`` is on unless it is switched off."""
        folder = str(call.parameters.get("folderPath") or "Inbox")
        tests = []
        if call.parameters.get("fetchOnlyUnread", True):
            tests.append("isRead eq false")
        if call.parameters.get("from"):
            address = str(call.parameters["from"]).replace("'", "''")
            tests.append(f"from/emailAddress/address eq '{address}'")
        query = {"$top": str(call.parameters.get("top") or 10)}
        if tests:
            query["$filter"] = " and ".join(tests)
        path = f"{self._box(call)}/mailFolders/{quote(folder, safe='')}/messages"
        answer = await self.session.send("GET", path, call=call, query=query)
        return shaped(answer, lambda body: {"value": [shown_mail(each) for each in body["value"]]})

    async def read_mail(self, call: OperationCall) -> Answer:
        """GetEmailV2: one mail."""
        return shaped(await self.session.send("GET", self._mail(call), call=call), shown_mail)

    async def mark(self, call: OperationCall) -> Answer:
        """MarkAsRead_V3: read, or unread when ``body/isRead`` is false."""
        read = call.nested("body").get("isRead", True)
        return await self.session.send(
            "PATCH", self._mail(call), call=call, json_body={"isRead": bool(read)}
        )

    async def move(self, call: OperationCall) -> Answer:
        """MoveV2: to the folder ``folderPath``."""
        body = {"destinationId": str(call.required("folderPath"))}
        answer = await self.session.send(
            "POST", f"{self._mail(call)}/move", call=call, json_body=body
        )
        return shaped(answer, shown_mail)

    async def delete(self, call: OperationCall) -> Answer:
        """DeleteEmail_V2: 404 when the mail is gone already."""
        return await self.session.send("DELETE", self._mail(call), call=call)

    async def attachment(self, call: OperationCall) -> Answer:
        """GetAttachment_V2: one attachment with its content."""
        wanted = quote(str(call.required("attachmentId")), safe="")
        address = f"{self._mail(call)}/attachments/{wanted}"
        return await self.session.send("GET", address, call=call)

    @property
    def _read_seconds(self) -> str:
        return self.settings.options.get("read_seconds", READ_SECONDS)

    def _box(self, call: OperationCall) -> str:
        shared = call.parameters.get("mailboxAddress")
        return mailbox_path(str(shared)) if shared else self.mailbox

    def _mail(self, call: OperationCall) -> str:
        message = quote(str(call.required("messageId")), safe="")
        return f"{self._box(call)}/messages/{message}"

    operations: ClassVar[Mapping[str, Handler]] = {
        "SendEmail": send_first,
        "SendEmailV2": send,
        "GetEmailsV3": list_mails,
        "GetEmailV2": read_mail,
        "MarkAsRead_V3": mark,
        "MoveV2": move,
        "DeleteEmail_V2": delete,
        "GetAttachment_V2": attachment,
        "SharedMailboxSendEmailV2": send_shared,
        "SendMailWithOptions": send_with_options,
        "SendApprovalMail": send_with_options,
        "ReplyToV3": reply,
        "ForwardEmail_V2": forward,
        "Flag_V2": flag,
        "ExportEmail_V2": export,
        "HttpRequest": http_request,
        **{name: _of_calendar(handle) for name, handle in _CALENDAR.items()},
    }


def _message(given: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {
        "subject": given.get("Subject") or "",
        "body": {"contentType": kind, "content": given.get("Body") or ""},
        "toRecipients": _recipients(given.get("To")),
        "ccRecipients": _recipients(given.get("Cc")),
        "bccRecipients": _recipients(given.get("Bcc")),
        "importance": str(given.get("Importance") or "Normal").lower(),
        "attachments": [_attachment(each) for each in given.get("Attachments") or []],
    }


def _attachment(given: Any) -> dict[str, Any]:
    """An attachment of an action: ``Name`` and ``ContentBytes`` (base64, or a ``$content``)."""
    if not isinstance(given, Mapping) or not given.get("Name"):
        raise ValueError("each of emailMessage/Attachments needs Name and ContentBytes")
    content = given.get("ContentBytes")
    data = content["$content"] if isinstance(content, Mapping) else content
    kind = content.get("$content-type") if isinstance(content, Mapping) else None
    return {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "name": str(given["Name"]),
        "contentType": str(kind or "application/octet-stream"),
        "contentBytes": str(data or ""),
    }


def _recipients(addresses: Any) -> list[dict[str, Any]]:
    parts = str(addresses or "").replace(",", ";").split(";")
    return [{"emailAddress": {"address": part.strip()}} for part in parts if part.strip()]
