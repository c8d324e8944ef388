"""Office 365 Outlook (``shared_office365``) over Microsoft Graph v1.0.

The mailbox that sends is the parameter ``emailMessage/From``, or the connection's option
``sender``: an application has no mailbox of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from hybridmandate.orchestration.connectors.connector import Connector, Handler
from hybridmandate.orchestration.connectors.drive_items import shaped
from hybridmandate.orchestration.connectors.mail_messages import shown_mail
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.engine import Answer


class MailConnector(Connector):
    """Mail: send, list, read, mark, move, delete; attachments."""

    api_name = "shared_office365"
    triggers = frozenset({"OnNewEmailV3"})

    @property
    def mailbox(self) -> str:
        """The Graph path of the connection's own mailbox, its option ``sender``.

        :raises ValueError: when the option is missing.
        """
        sender = self.settings.options.get("sender")
        if not sender:
            raise ValueError("the connection has no option 'sender': whose mailbox it reads")
        return f"/v1.0/users/{quote(sender, safe='@')}"

    async def send(self, call: OperationCall) -> Answer:
        """SendEmailV2: addresses are separated by semicolons, the body is HTML."""
        message = call.nested("emailMessage")
        sender = message.get("From") or self.settings.options.get("sender")
        if not sender:
            raise ValueError("SendEmailV2 needs a sender: emailMessage/From or the option 'sender'")
        if not message.get("To"):
            raise ValueError("SendEmailV2 needs 'emailMessage/To'")
        body = {
            "message": {
                "subject": message.get("Subject") or "",
                "body": {"contentType": "HTML", "content": message.get("Body") or ""},
                "toRecipients": _recipients(message.get("To")),
                "ccRecipients": _recipients(message.get("Cc")),
                "bccRecipients": _recipients(message.get("Bcc")),
                "importance": str(message.get("Importance") or "Normal").lower(),
                "attachments": [_attachment(each) for each in message.get("Attachments") or []],
            }
        }
        address = f"/v1.0/users/{quote(str(sender), safe='@')}/sendMail"
        return await self.session.send("POST", address, call=call, json_body=body)

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
        path = f"{self.mailbox}/mailFolders/{quote(folder, safe='')}/messages"
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
        wanted = str(call.required("attachmentId"))
        answer = await self.session.send("GET", f"{self._mail(call)}/attachments", call=call)
        if answer.fault is not None or answer.status != 200:
            return answer
        for each in answer.body["value"]:
            if each["id"] == wanted:
                return Answer(200, answer.headers, each)
        return Answer(404, answer.headers, {"error": {"code": "ErrorItemNotFound"}})

    def _mail(self, call: OperationCall) -> str:
        message = quote(str(call.required("messageId")), safe="")
        return f"{self.mailbox}/messages/{message}"

    operations: ClassVar[Mapping[str, Handler]] = {
        "SendEmailV2": send,
        "GetEmailsV3": list_mails,
        "GetEmailV2": read_mail,
        "MarkAsRead_V3": mark,
        "MoveV2": move,
        "DeleteEmail_V2": delete,
        "GetAttachment_V2": attachment,
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
