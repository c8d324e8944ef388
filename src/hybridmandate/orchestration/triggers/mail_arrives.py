"""The triggers 'When a new email arrives', also in a shared mailbox, of Office 365 Outlook.

The folder of the connection's own mailbox, or of ``mailboxAddress``, is read from the moment of the
first reading on; mails of the same instant are read again, and their run ids keep them from
starting twice. One mail gives one run. A trigger that is pointed at another folder begins there at
that moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from hybridmandate.orchestration.connectors.mail import MailConnector, mailbox_path
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
SHARED_OPERATION = "SharedMailboxOnNewEmailV2"
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
        mailbox = self._mailbox(parameters)
        folder = str(parameters.get("folderPath") or parameters.get("folderId") or "Inbox")
        place = f"{mailbox}/{folder}" if self._is_shared else folder
        if cursor is None or cursor.get("folder") != place:
            await self._keep(place, _text(self._host.now()))
            return 0
        since = str(cursor["since"])
        mails = await self._since(f"{mailbox}/mailFolders/{quote(folder, safe='')}", since)
        wanted = [each for each in mails if _passes(each, parameters)]
        found = [await self._found(mailbox, each, parameters) for each in wanted]
        started = await start_each(self._flow, self._host, found)
        newest = max([since, *(str(each["receivedDateTime"]) for each in mails)])
        if newest != since:
            await self._keep(place, newest)
        elif len(mails) >= PAGE:
            raise ReadingFailed(
                f"more than {PAGE} mails arrived at {since}: those after them are not read"
            )
        return started

    @property
    def _is_shared(self) -> bool:
        return self._flow.trigger.operation_id == SHARED_OPERATION

    def _mailbox(self, parameters: Mapping[str, Any]) -> str:
        """The path of the mailbox. :raises ReadingFailed: when nothing names one."""
        shared = parameters.get("mailboxAddress")
        if self._is_shared and not shared:
            raise ReadingFailed("the trigger names no mailbox: its parameter is mailboxAddress")
        try:
            return self._connector.mailbox if not self._is_shared else mailbox_path(str(shared))
        except ValueError as error:
            raise ReadingFailed(str(error)) from None

    async def _keep(self, place: str, since: str) -> None:
        cursor = {"folder": place, "since": since}
        await asyncio.to_thread(self._host.history.keep_cursor, self._flow.name, cursor)

    async def _since(self, folder: str, since: str) -> list[Mapping[str, Any]]:
        query = {
            "$filter": f"receivedDateTime ge {since}",
            "$orderby": "receivedDateTime",
            "$top": str(PAGE),
        }
        answer = await self._connector.session.send("GET", f"{folder}/messages", query=query)
        if answer.fault is not None or answer.status != 200:
            raise ReadingFailed(answer.message or f"the mailbox answered {answer.status}")
        mails: list[Mapping[str, Any]] = answer.body["value"]
        return mails

    async def _found(
        self, mailbox: str, mail: Mapping[str, Any], parameters: Mapping[str, Any]
    ) -> Found:
        attachments: list[Any] = []
        if mail.get("hasAttachments") and parameters.get("includeAttachments"):
            message = quote(str(mail["id"]), safe="")
            address = f"{mailbox}/messages/{message}/attachments"
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
