"""The trigger 'When a new email arrives (V3)' of Office 365 Outlook.

The folder of the connection's own mailbox is read from the moment of the first reading on; mails of
the same instant are read again, and their run ids keep them from starting twice. One mail gives
one run. A trigger that is pointed at another folder begins there at that moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from hybridmandate.orchestration.connectors.mail import MailConnector
from hybridmandate.orchestration.connectors.mail_messages import shown_mail
from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.shells.durable import FlowHost
from hybridmandate.orchestration.triggers.polling import (
    Found,
    ReadingFailed,
    start_each,
    trigger_parameters,
)

OPERATION = "OnNewEmailV3"
PAGE = 1000


class MailArrives:
    """Reads one flow's mail folder."""

    def __init__(self, flow: Flow, connector: MailConnector, host: FlowHost) -> None:
        self._flow = flow
        self._connector = connector
        self._host = host

    async def read(self) -> int:
        """Start a run for every new mail that the filters let through; returns how many were new.

        :raises ReadingFailed: when the mailbox cannot be read.
        """
        history = self._host.history
        cursor = await asyncio.to_thread(history.cursor, self._flow.name)
        parameters = trigger_parameters(self._flow, self._host)
        folder = str(parameters.get("folderPath") or "Inbox")
        if cursor is None or cursor.get("folder") != folder:
            await self._keep(folder, _text(self._host.now()))
            return 0
        since = str(cursor["since"])
        mails = await self._since(folder, since)
        wanted = [each for each in mails if _passes(each, parameters)]
        found = [await self._found(each, parameters) for each in wanted]
        started = await start_each(self._flow, self._host, found)
        newest = max([since, *(str(each["receivedDateTime"]) for each in mails)])
        if newest != since:
            await self._keep(folder, newest)
        elif len(mails) >= PAGE:
            raise ReadingFailed(
                f"more than {PAGE} mails arrived at {since}: those after them are not read"
            )
        return started

    async def _keep(self, folder: str, since: str) -> None:
        cursor = {"folder": folder, "since": since}
        await asyncio.to_thread(self._host.history.keep_cursor, self._flow.name, cursor)

    async def _since(self, folder: str, since: str) -> list[Mapping[str, Any]]:
        query = {
            "$filter": f"receivedDateTime ge {since}",
            "$orderby": "receivedDateTime",
            "$top": str(PAGE),
        }
        try:
            address = f"{self._connector.mailbox}/mailFolders/{quote(folder, safe='')}/messages"
        except ValueError as error:
            raise ReadingFailed(str(error)) from None
        answer = await self._connector.session.send("GET", address, query=query)
        if answer.fault is not None or answer.status != 200:
            raise ReadingFailed(answer.message or f"the mailbox answered {answer.status}")
        mails: list[Mapping[str, Any]] = answer.body["value"]
        return mails

    async def _found(self, mail: Mapping[str, Any], parameters: Mapping[str, Any]) -> Found:
        attachments: list[Any] = []
        if mail.get("hasAttachments") and parameters.get("includeAttachments"):
            message = quote(str(mail["id"]), safe="")
            address = f"{self._connector.mailbox}/messages/{message}/attachments"
            answer = await self._connector.session.send("GET", address)
            if answer.fault is not None or answer.status != 200:
                raise ReadingFailed(answer.message or f"attachments answered {answer.status}")
            attachments = answer.body["value"]
        return Found((str(mail["id"]),), shown_mail(mail, attachments))


def _passes(mail: Mapping[str, Any], parameters: Mapping[str, Any]) -> bool:
    """Whether a mail meets the trigger's filters; one that is not set lets everything through."""
    shown = shown_mail(mail)
    senders = _list(parameters.get("from"))
    recipients = _list(parameters.get("to"))
    importance = str(parameters.get("importance") or "Any").lower()
    subject = str(parameters.get("subjectFilter") or "").lower()
    return (
        (not senders or shown["from"].lower() in senders)
        and (not recipients or bool(recipients & _list(shown["toRecipients"])))
        and (importance == "any" or importance == str(shown["importance"]).lower())
        and subject in str(shown["subject"] or "").lower()
        and (bool(shown["hasAttachments"]) or not parameters.get("fetchOnlyWithAttachment"))
    )


def _list(addresses: Any) -> set[str]:
    parts = str(addresses or "").lower().replace(",", ";").split(";")
    return {each.strip() for each in parts if each.strip()}


def _text(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
