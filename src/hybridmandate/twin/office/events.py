"""Calendars: the events of each person, in the one calendar that everybody has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from hybridmandate.twin.item_store import ItemStore
from hybridmandate.twin.office.tables import EVENTS, Row, made_by, next_number


class Events(ItemStore):
    """The events of a tenant; every method is one short transaction.

    ``start`` and ``end`` are epoch seconds, ``content`` the rest of an event as Graph has it.
    """

    def add(
        self,
        owner: str,
        start: float,
        end: float,
        content: Mapping[str, Any],
        *,
        recurrence: Mapping[str, Any] | None = None,
        request: str | None,
    ) -> Row:
        """A new event, or a series; a repeated ``request`` gives the event that it made."""
        with self._lock, self._engine.begin() as db:
            known = made_by(db, EVENTS, request)
            if known is not None:
                return known
            event_id, now = self._new_id(), self._clock()
            db.execute(
                insert(EVENTS).values(
                    id=event_id,
                    number=next_number(db, EVENTS),
                    request=request,
                    owner=owner.lower(),
                    start=start,
                    end=end,
                    content=json.dumps(dict(content)),
                    recurrence=_text(recurrence),
                    created=now,
                    modified=now,
                )
            )
            return _one(db, event_id)

    def find(self, owner: str, event_id: str) -> Row | None:
        """An event of somebody's calendar."""
        query = select(EVENTS).where(EVENTS.c.owner == owner.lower(), EVENTS.c.id == event_id)
        with self._engine.connect() as db:
            return db.execute(query).mappings().first()

    def of(
        self, owner: str, *, after: float | None = None, before: float | None = None
    ) -> list[Row]:
        """Somebody's events by their start; those that touch a time, where one is given.

        A series stands here as its first event.
        """
        query = select(EVENTS).where(EVENTS.c.owner == owner.lower())
        if after is not None:
            query = query.where(EVENTS.c.end > after)
        if before is not None:
            query = query.where(EVENTS.c.start < before)
        with self._engine.connect() as db:
            ordered = query.order_by(EVENTS.c.start, EVENTS.c.number)
            return list(db.execute(ordered).mappings())

    def series(self, owner: str, *, before: float) -> list[Row]:
        """Somebody's series that begin before a moment."""
        own = (EVENTS.c.owner == owner.lower(), EVENTS.c.recurrence.is_not(None))
        query = select(EVENTS).where(*own, EVENTS.c.start < before)
        with self._engine.connect() as db:
            return list(db.execute(query.order_by(EVENTS.c.start, EVENTS.c.number)).mappings())

    def change(
        self,
        event_id: str,
        start: float,
        end: float,
        content: Mapping[str, Any],
        recurrence: Mapping[str, Any] | None = None,
    ) -> Row:
        """Replace an event's times and content, and how it recurs."""
        values = {
            "start": start,
            "end": end,
            "content": json.dumps(dict(content)),
            "recurrence": _text(recurrence),
            "modified": self._clock(),
        }
        with self._lock, self._engine.begin() as db:
            db.execute(update(EVENTS).where(EVENTS.c.id == event_id).values(values))
            return _one(db, event_id)

    def delete(self, event_id: str) -> None:
        """Remove an event."""
        with self._lock, self._engine.begin() as db:
            db.execute(delete(EVENTS).where(EVENTS.c.id == event_id))


def _one(db: Connection, event_id: str) -> Row:
    found: Row = db.execute(select(EVENTS).where(EVENTS.c.id == event_id)).mappings().one()
    return found


def _text(recurrence: Mapping[str, Any] | None) -> str | None:
    return None if recurrence is None else json.dumps(dict(recurrence))
