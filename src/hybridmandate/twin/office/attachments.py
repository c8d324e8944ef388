"""Files that are attached to items of SharePoint lists.

An item with attachments says so in its column ``Attachments``; adding one, or removing the last,
is a change of the item like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from hybridmandate.twin.item_store import ItemStore
from hybridmandate.twin.office.lists import changed_item, item_of
from hybridmandate.twin.office.tables import ATTACHMENTS, Row

COLUMN = "Attachments"
"""The column of an item that says whether it has attachments."""


class AttachmentTaken(Exception):
    """The item has an attachment of that name."""


class Attachments(ItemStore):
    """The attachments of all lists; every method is one short transaction."""

    def of(self, list_id: str, number: int) -> list[Row]:
        """The attachments of an item by their names."""
        with self._engine.connect() as db:
            return _all(db, list_id, number)

    def find(self, list_id: str, number: int, name: str) -> Row | None:
        """An attachment by its name; case does not count."""
        with self._engine.connect() as db:
            return _named(db, list_id, number, name)

    def add(
        self,
        list_id: str,
        number: int,
        name: str,
        content: bytes,
        author: Mapping[str, Any],
        *,
        request: str | None,
    ) -> Row:
        """Attach a file to an item that exists; a repeated ``request`` gives what it made.

        :raises AttachmentTaken: when the item has one of that name.
        :raises LookupError: when the item is gone.
        """
        with self._lock, self._engine.begin() as db:
            known = _named(db, list_id, number, name)
            if known is not None and (request is None or known["request"] != request):
                raise AttachmentTaken(name)
            if known is not None:
                return known
            item = item_of(db, list_id, number)
            if item is None:
                raise LookupError(number)
            made = {"list": list_id, "number": number, "name": name, "content": content}
            db.execute(insert(ATTACHMENTS).values(**made, request=request))
            changed_item(db, item, {COLUMN: True}, author, self._clock())
            return _all(db, list_id, number, name)[0]

    def delete(self, list_id: str, number: int, name: str, author: Mapping[str, Any]) -> bool:
        """Remove an attachment; False when there is none of that name."""
        with self._lock, self._engine.begin() as db:
            known, item = _named(db, list_id, number, name), item_of(db, list_id, number)
            if known is None or item is None:
                return False
            own = (ATTACHMENTS.c.list == list_id, ATTACHMENTS.c.number == number)
            db.execute(delete(ATTACHMENTS).where(*own, ATTACHMENTS.c.name == known["name"]))
            left = bool(_all(db, list_id, number))
            changed_item(db, item, {COLUMN: left}, author, self._clock())
            return True


def _all(db: Connection, list_id: str, number: int, name: str | None = None) -> list[Row]:
    query = select(ATTACHMENTS).where(ATTACHMENTS.c.list == list_id, ATTACHMENTS.c.number == number)
    if name is not None:
        query = query.where(func.lower(ATTACHMENTS.c.name) == name.lower())
    return list(db.execute(query.order_by(ATTACHMENTS.c.name)).mappings())


def _named(db: Connection, list_id: str, number: int, name: str) -> Row | None:
    return next(iter(_all(db, list_id, number, name)), None)
