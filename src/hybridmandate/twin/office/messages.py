"""Mailboxes and Teams channels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from hybridmandate.twin.item_store import ItemStore
from hybridmandate.twin.office.tables import (
    CHANNEL_MESSAGES,
    MAILS,
    NOTIFICATIONS,
    Row,
    made_by,
    next_number,
)

INBOX = "Inbox"


class Messages(ItemStore):
    """Mails by mailbox and messages by channel; every method is one short transaction."""

    def send_mail(
        self,
        sender: str,
        recipients: Sequence[str],
        subject: str,
        body: str,
        body_type: str,
        *,
        shown: Sequence[str],
        importance: str = "normal",
        attachments: Sequence[Mapping[str, Any]] = (),
        request: str | None = None,
    ) -> None:
        """Deliver a mail to each recipient's inbox; ``attachments`` as Graph's file attachments.

        ``shown`` are the recipients that everybody sees: not those of a blind copy. A repeated
        ``request`` delivers nothing again.
        """
        with self._lock, self._engine.begin() as db:
            if made_by(db, MAILS, request) is not None:
                return
            for recipient in recipients:
                db.execute(
                    insert(MAILS).values(
                        id=self._new_id(),
                        number=next_number(db, MAILS),
                        sender=sender.lower(),
                        recipient=recipient.lower(),
                        subject=subject,
                        body=body,
                        body_type=body_type,
                        sent=self._clock(),
                        recipients=json.dumps([each.lower() for each in shown]),
                        importance=importance,
                        folder=INBOX,
                        read=False,
                        attachments=json.dumps(list(attachments)),
                        request=request,
                    )
                )

    def mail(self, owner: str, mail_id: str) -> Row | None:
        """A mail of somebody's mailbox."""
        query = select(MAILS).where(MAILS.c.recipient == owner.lower(), MAILS.c.id == mail_id)
        with self._engine.connect() as db:
            return db.execute(query).mappings().first()

    def change_mail(self, mail_id: str, **values: Any) -> None:
        """Set ``read``, ``flag`` or ``folder`` of a mail."""
        with self._lock, self._engine.begin() as db:
            db.execute(update(MAILS).where(MAILS.c.id == mail_id).values(values))

    def delete_mail(self, mail_id: str) -> None:
        """Remove a mail."""
        with self._lock, self._engine.begin() as db:
            db.execute(delete(MAILS).where(MAILS.c.id == mail_id))

    def mailbox(self, mail: str, *, folder: str | None = None) -> list[Row]:
        """The mails that somebody has, in all folders or one, newest first."""
        query = select(MAILS).where(MAILS.c.recipient == mail.lower())
        if folder is not None:
            query = query.where(func.lower(MAILS.c.folder) == folder.lower())
        with self._engine.connect() as db:
            return list(db.execute(query.order_by(MAILS.c.number.desc())).mappings())

    def post_message(
        self,
        team: str,
        channel: str,
        body: str,
        body_type: str,
        sender: Mapping[str, Any],
        *,
        attachments: Sequence[Mapping[str, Any]] = (),
        request: str | None = None,
        reply_to: str | None = None,
    ) -> Row:
        """Post a message in a channel, or with an empty team in the chat ``channel``.

        ``request`` names the request: one that is repeated gives the message that it posted.
        ``reply_to`` is the message that this one answers.
        """
        with self._lock, self._engine.begin() as db:
            here = CHANNEL_MESSAGES.c.channel == channel
            known = made_by(db, CHANNEL_MESSAGES, request, here)
            if known is not None:
                return known
            message_id = self._new_id()
            db.execute(
                insert(CHANNEL_MESSAGES).values(
                    id=message_id,
                    number=next_number(db, CHANNEL_MESSAGES),
                    team=team,
                    channel=channel,
                    body=body,
                    body_type=body_type,
                    sender=json.dumps(sender),
                    sent=self._clock(),
                    attachments=json.dumps(list(attachments)),
                    request=request,
                    reply_to=reply_to,
                )
            )
            query = select(CHANNEL_MESSAGES).where(CHANNEL_MESSAGES.c.id == message_id)
            return db.execute(query).mappings().one()

    def messages_after(self, team: str, channel: str, after: int) -> list[Row]:
        """The messages of a channel, replies not among them, after a number, oldest first."""
        query = select(CHANNEL_MESSAGES).where(
            CHANNEL_MESSAGES.c.team == team,
            CHANNEL_MESSAGES.c.channel == channel,
            CHANNEL_MESSAGES.c.reply_to.is_(None),
            CHANNEL_MESSAGES.c.number > after,
        )
        with self._engine.connect() as db:
            return list(db.execute(query.order_by(CHANNEL_MESSAGES.c.number)).mappings())

    def last_message(self) -> int:
        """The number of the newest message of all."""
        with self._engine.connect() as db:
            return next_number(db, CHANNEL_MESSAGES) - 1

    def message(self, team: str, channel: str, message_id: str) -> Row | None:
        """A message of a channel, or with an empty team of the chat ``channel``."""
        place = (CHANNEL_MESSAGES.c.team == team, CHANNEL_MESSAGES.c.channel == channel)
        query = select(CHANNEL_MESSAGES).where(*place, CHANNEL_MESSAGES.c.id == message_id)
        with self._engine.connect() as db:
            return db.execute(query).mappings().first()

    def notify(self, recipient: str, text: str, *, request: str | None = None) -> None:
        """Show a person a notification; a repeated ``request`` shows nothing again."""
        with self._lock, self._engine.begin() as db:
            if made_by(db, NOTIFICATIONS, request) is not None:
                return
            db.execute(
                insert(NOTIFICATIONS).values(
                    id=self._new_id(),
                    number=next_number(db, NOTIFICATIONS),
                    recipient=recipient.lower(),
                    text=text,
                    sent=self._clock(),
                    request=request,
                )
            )

    def notifications(self, recipient: str) -> list[Row]:
        """The notifications of a person, newest first."""
        query = select(NOTIFICATIONS).where(NOTIFICATIONS.c.recipient == recipient.lower())
        with self._engine.connect() as db:
            return list(db.execute(query.order_by(NOTIFICATIONS.c.number.desc())).mappings())

    def messages(self, team: str, channel: str, *, reply_to: str | None = None) -> list[Row]:
        """The messages of a channel, or the replies to one of them, newest first."""
        query = (
            select(CHANNEL_MESSAGES)
            .where(
                CHANNEL_MESSAGES.c.team == team,
                CHANNEL_MESSAGES.c.channel == channel,
                CHANNEL_MESSAGES.c.reply_to == reply_to,
            )
            .order_by(CHANNEL_MESSAGES.c.number.desc())
        )
        with self._engine.connect() as db:
            return list(db.execute(query).mappings())
