"""SharePoint lists: items with columns, numbered in each list, with a feed of changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from hybridmandate.twin.item_store import ItemStore
from hybridmandate.twin.office.tables import (
    ATTACHMENTS,
    LIST_FIELDS,
    LIST_ITEMS,
    LISTS,
    Row,
    made_by,
)
from hybridmandate.twin.office.versions import forget_versions, keep_version, versions


class Lists(ItemStore):
    """The lists of a tenant; every method is one short transaction."""

    def add_list(self, site: str, name: str) -> Row:
        """The list of that name, made where it is missing."""
        with self._lock, self._engine.begin() as db:
            found = _found(db, site, name)
            if found is None:
                db.execute(insert(LISTS).values(site=site, name=name, id=self._new_id()))
                found = _found(db, site, name)
            if found is None:  # pragma: no cover - it was written in this transaction
                raise LookupError(name)
            return found

    def find(self, site: str, name_or_id: str) -> Row | None:
        """A list by its name or id."""
        with self._engine.connect() as db:
            return _found(db, site, name_or_id)

    def of_site(self, site: str) -> list[Row]:
        """The lists of a site."""
        query = select(LISTS).where(LISTS.c.site == site).order_by(LISTS.c.name)
        with self._engine.connect() as db:
            return list(db.execute(query).mappings())

    def fields(self, list_id: str) -> dict[str, int]:
        """The columns that were added to a list, with the numbers of their types."""
        query = select(LIST_FIELDS).where(LIST_FIELDS.c.list == list_id)
        with self._engine.connect() as db:
            return {each["name"]: each["kind"] for each in db.execute(query).mappings()}

    def add_field(self, list_id: str, name: str, kind: int) -> bool:
        """Add a column; False when the list has one of that name."""
        with self._lock, self._engine.begin() as db:
            own = (LIST_FIELDS.c.list == list_id, func.lower(LIST_FIELDS.c.name) == name.lower())
            if db.execute(select(LIST_FIELDS).where(*own)).first() is not None:
                return False
            db.execute(insert(LIST_FIELDS).values(list=list_id, name=name, kind=kind))
            return True

    def items(self, list_id: str, *, after_change: int = 0) -> list[Row]:
        """The items that changed after a point of the feed, in the order of their numbers."""
        query = select(LIST_ITEMS).where(
            LIST_ITEMS.c.list == list_id, LIST_ITEMS.c.change > after_change
        )
        with self._engine.connect() as db:
            return list(db.execute(query.order_by(LIST_ITEMS.c.number)).mappings())

    def item(self, list_id: str, number: int) -> Row | None:
        """One item."""
        with self._engine.connect() as db:
            return item_of(db, list_id, number)

    def last_change(self) -> int:
        """The newest point of the change feed."""
        with self._engine.connect() as db:
            return _last_change(db)

    def add(
        self,
        list_id: str,
        fields: Mapping[str, Any],
        author: Mapping[str, Any],
        *,
        request: str | None,
    ) -> Row:
        """A new item; ``request`` names the request: a repeated one gives the item that it made."""
        now = self._clock()
        with self._lock, self._engine.begin() as db:
            known = made_by(db, LIST_ITEMS, request, LIST_ITEMS.c.list == list_id)
            if known is not None:
                return known
            highest = select(func.max(LIST_ITEMS.c.number)).where(LIST_ITEMS.c.list == list_id)
            number = int(db.execute(highest).scalar() or 0) + 1
            db.execute(
                insert(LIST_ITEMS).values(
                    list=list_id,
                    number=number,
                    request=request,
                    fields=json.dumps(dict(fields)),
                    version=1,
                    change=_last_change(db) + 1,
                    created=now,
                    modified=now,
                    created_by=json.dumps(dict(author)),
                    modified_by=json.dumps(dict(author)),
                )
            )
            return _known(db, list_id, number)

    def change(
        self, list_id: str, number: int, fields: Mapping[str, Any], author: Mapping[str, Any]
    ) -> Row | None:
        """Change an item's columns; None when there is no such item."""
        with self._lock, self._engine.begin() as db:
            found = item_of(db, list_id, number)
            return None if found is None else changed_item(db, found, fields, author, self._clock())

    def versions(self, list_id: str, number: int) -> list[dict[str, Any]] | None:
        """The versions of an item, newest first; None when there is no such item."""
        with self._engine.connect() as db:
            found = item_of(db, list_id, number)
            if found is None:
                return None
            return versions(db, list_id, str(number), found, json.loads(found["fields"]))

    def delete(self, list_id: str, number: int) -> bool:
        """Remove an item with its versions and attachments; False when there is none."""
        own = (LIST_ITEMS.c.list == list_id, LIST_ITEMS.c.number == number)
        attached = (ATTACHMENTS.c.list == list_id, ATTACHMENTS.c.number == number)
        with self._lock, self._engine.begin() as db:
            forget_versions(db, list_id, str(number))
            db.execute(delete(ATTACHMENTS).where(*attached))
            return db.execute(delete(LIST_ITEMS).where(*own)).rowcount > 0


def _found(db: Connection, site: str, name_or_id: str) -> Row | None:
    named = or_(func.lower(LISTS.c.name) == name_or_id.lower(), LISTS.c.id == name_or_id)
    return db.execute(select(LISTS).where(LISTS.c.site == site, named)).mappings().first()


def item_of(db: Connection, list_id: str, number: int) -> Row | None:
    """An item of a list."""
    own = (LIST_ITEMS.c.list == list_id, LIST_ITEMS.c.number == number)
    return db.execute(select(LIST_ITEMS).where(*own)).mappings().first()


def changed_item(
    db: Connection,
    found: Row,
    fields: Mapping[str, Any],
    author: Mapping[str, Any],
    moment: float,
) -> Row:
    """An item with other columns: a new version of it, and a new point of the feed."""
    list_id, number, before = found["list"], found["number"], json.loads(found["fields"])
    keep_version(db, list_id, str(number), found, before)
    values = {
        "fields": json.dumps({**before, **fields}),
        "version": found["version"] + 1,
        "change": _last_change(db) + 1,
        "modified": moment,
        "modified_by": json.dumps(dict(author)),
    }
    own = (LIST_ITEMS.c.list == list_id, LIST_ITEMS.c.number == number)
    db.execute(update(LIST_ITEMS).where(*own).values(values))
    return _known(db, list_id, number)


def _known(db: Connection, list_id: str, number: int) -> Row:
    own = (LIST_ITEMS.c.list == list_id, LIST_ITEMS.c.number == number)
    return db.execute(select(LIST_ITEMS).where(*own)).mappings().one()


def _last_change(db: Connection) -> int:
    return int(db.execute(select(func.max(LIST_ITEMS.c.change))).scalar() or 0)
