"""Office 365 Outlook (``shared_office365``) over Microsoft Graph v1.0.

The mailbox that sends is the parameter ``emailMessage/From``, or the connection's option
``sender``: an application has no mailbox of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from hybridmandate.orchestration.connectors.connector import Connector, Handler
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.engine import Answer


class MailConnector(Connector):
    """Mail: send."""

    api_name = "shared_office365"

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
            }
        }
        address = f"/v1.0/users/{quote(str(sender), safe='@')}/sendMail"
        return await self.session.send("POST", address, call=call, json_body=body)

    operations: ClassVar[Mapping[str, Handler]] = {"SendEmailV2": send}


def _recipients(addresses: Any) -> list[dict[str, Any]]:
    parts = str(addresses or "").replace(",", ";").split(";")
    return [{"emailAddress": {"address": part.strip()}} for part in parts if part.strip()]
