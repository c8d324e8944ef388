"""Chats of Teams: who belongs to each."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, insert, select

from hybridmandate.twin.item_store import ItemStore
from hybridmandate.twin.office.tables import CHATS, Row, made_by, next_number

ONE_ON_ONE, GROUP, WITH_BOT = "oneOnOne", "group", "bot"


class Chats(ItemStore):
    """The chats of a tenant; every method is one short transaction."""

    def add(
        self, kind: str, members: Sequence[str], topic: str | None, *, request: str | None
    ) -> Row:
        """A chat; ``members`` are mail addresses.

        Two people, or one and the bot, have one chat with each other: it is given again. So is the
        chat that a repeated request made.
        """
        people = json.dumps(sorted({each.lower() for each in members}))
        with self._lock, self._engine.begin() as db:
            known = _known(db, kind, people, request)
            if known is not None:
                return known
            chat_id = f"19:{self._new_id()}@thread.v2"
            db.execute(
                insert(CHATS).values(
                    id=chat_id,
                    number=next_number(db, CHATS),
                    kind=kind,
                    topic=topic,
                    members=people,
                    request=request,
                    created=self._clock(),
                )
            )
            return db.execute(select(CHATS).where(CHATS.c.id == chat_id)).mappings().one()

    def find(self, chat_id: str) -> Row | None:
        """A chat by id."""
        with self._engine.connect() as db:
            return db.execute(select(CHATS).where(CHATS.c.id == chat_id)).mappings().first()

    def of(self, mail: str) -> list[Row]:
        """The chats that a person belongs to, newest first."""
        with self._engine.connect() as db:
            rows = db.execute(select(CHATS).order_by(CHATS.c.number.desc())).mappings()
            return [each for each in rows if belongs(each, mail)]


def belongs(chat: Row, mail: str) -> bool:
    """Whether a person is a member of a chat."""
    return mail.lower() in json.loads(chat["members"])


def _known(db: Connection, kind: str, people: str, request: str | None) -> Row | None:
    found = made_by(db, CHATS, request)
    if found is None and kind != GROUP:
        same = (CHATS.c.kind == kind, CHATS.c.members == people)
        found = db.execute(select(CHATS).where(*same)).mappings().first()
    return found
