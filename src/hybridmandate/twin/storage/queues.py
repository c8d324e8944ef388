"""Queues: messages with a lease (visibility time-out), a life and a count of deliveries.

A message that was taken is invisible until its time-out ends; only the last receipt may change or
delete it. Source: learn.microsoft.com/rest/api/storageservices, 'Operations on Messages'.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import ColumnElement, Connection, delete, func, insert, or_, select, update

from hybridmandate.twin.item_store import ItemStore
from hybridmandate.twin.storage.errors import StorageError, queue_not_found
from hybridmandate.twin.storage.tables import MESSAGES, QUEUES, Row


class Queues(ItemStore):
    """The queues of an account; every method is one short transaction.

    Methods on a queue that is not there raise :class:`StorageError` ``QueueNotFound``.
    """

    def create(self, name: str, metadata: Mapping[str, str]) -> bool:
        """Make a queue; False when it was there with the same metadata.

        :raises StorageError: 409 when it was there with other metadata.
        """
        with self._lock, self._engine.begin() as db:
            found = db.execute(select(QUEUES).where(QUEUES.c.name == name)).mappings().first()
            if found is None:
                db.execute(insert(QUEUES).values(name=name, metadata=json.dumps(dict(metadata))))
                return True
            if json.loads(found["metadata"]) == dict(metadata):
                return False
        raise StorageError(409, "QueueAlreadyExists", "The specified queue already exists.")

    def drop(self, name: str) -> None:
        """Remove a queue with its messages."""
        with self._lock, self._engine.begin() as db:
            _queue(db, name)
            db.execute(delete(MESSAGES).where(MESSAGES.c.queue == name))
            db.execute(delete(QUEUES).where(QUEUES.c.name == name))

    def listed(self, prefix: str, after: str, limit: int) -> list[Row]:
        """Queues whose name begins with ``prefix`` and sorts from ``after`` on."""
        query = select(QUEUES).where(
            QUEUES.c.name.startswith(prefix, autoescape=True), QUEUES.c.name >= after
        )
        with self._engine.connect() as db:
            return list(db.execute(query.order_by(QUEUES.c.name).limit(limit)).mappings())

    def properties(self, name: str) -> tuple[dict[str, str], int]:
        """Metadata, and how many messages there are, invisible ones included."""
        alive = _alive(self._clock())
        count = select(func.count()).where(MESSAGES.c.queue == name, alive)
        with self._engine.connect() as db:
            metadata = json.loads(_queue(db, name)["metadata"])
            return metadata, int(db.execute(count).scalar_one())

    def set_metadata(self, name: str, metadata: Mapping[str, str]) -> None:
        """Replace a queue's metadata."""
        with self._lock, self._engine.begin() as db:
            _queue(db, name)
            values = {"metadata": json.dumps(dict(metadata))}
            db.execute(update(QUEUES).where(QUEUES.c.name == name).values(values))

    def put(self, name: str, text: str, *, invisible: int, life: int) -> Row:
        """Add a message; ``life`` in seconds, -1 for one that never expires."""
        now = self._clock()
        with self._lock, self._engine.begin() as db:
            _queue(db, name)
            message_id = self._new_id()
            db.execute(
                insert(MESSAGES).values(
                    id=message_id,
                    queue=name,
                    text=text,
                    receipt=self._new_id(),
                    inserted=now,
                    expires=None if life == -1 else now + life,
                    visible=now + invisible,
                    dequeued=0,
                )
            )
            return _message(db, message_id)

    def peek(self, name: str, count: int) -> list[Row]:
        """The next visible messages, unchanged."""
        with self._engine.connect() as db:
            _queue(db, name)
            return _visible(db, name, self._clock(), count)

    def take(self, name: str, count: int, invisible: int) -> list[Row]:
        """Lease the next visible messages for some seconds; each counts one delivery more."""
        now = self._clock()
        with self._lock, self._engine.begin() as db:
            _queue(db, name)
            db.execute(delete(MESSAGES).where(MESSAGES.c.queue == name, MESSAGES.c.expires <= now))
            taken = []
            for each in _visible(db, name, now, count):
                values = {
                    "receipt": self._new_id(),
                    "visible": now + invisible,
                    "dequeued": each["dequeued"] + 1,
                }
                db.execute(update(MESSAGES).where(MESSAGES.c.id == each["id"]).values(values))
                taken.append(_message(db, each["id"]))
            return taken

    def change(
        self, name: str, message_id: str, receipt: str, *, invisible: int, text: str | None
    ) -> Row:
        """Renew a lease, and the text where one is given; the receipt is a new one."""
        now = self._clock()
        with self._lock, self._engine.begin() as db:
            _held(db, name, message_id, receipt, now)
            values = {"receipt": self._new_id(), "visible": now + invisible}
            if text is not None:
                values["text"] = text
            db.execute(update(MESSAGES).where(MESSAGES.c.id == message_id).values(values))
            return _message(db, message_id)

    def delete(self, name: str, message_id: str, receipt: str) -> None:
        """Remove a message that the receipt still holds."""
        with self._lock, self._engine.begin() as db:
            _held(db, name, message_id, receipt, self._clock())
            db.execute(delete(MESSAGES).where(MESSAGES.c.id == message_id))

    def clear(self, name: str) -> None:
        """Remove all messages."""
        with self._lock, self._engine.begin() as db:
            _queue(db, name)
            db.execute(delete(MESSAGES).where(MESSAGES.c.queue == name))


def _queue(db: Connection, name: str) -> Row:
    found = db.execute(select(QUEUES).where(QUEUES.c.name == name)).mappings().first()
    if found is None:
        raise queue_not_found()
    return found


def _message(db: Connection, message_id: str) -> Row:
    return db.execute(select(MESSAGES).where(MESSAGES.c.id == message_id)).mappings().one()


def _alive(now: float) -> ColumnElement[bool]:
    return or_(MESSAGES.c.expires.is_(None), MESSAGES.c.expires > now)


def _visible(db: Connection, name: str, now: float, count: int) -> list[Row]:
    query = (
        select(MESSAGES)
        .where(MESSAGES.c.queue == name, MESSAGES.c.visible <= now, _alive(now))
        .order_by(MESSAGES.c.visible, MESSAGES.c.number)
        .limit(count)
    )
    return list(db.execute(query).mappings())


def _held(db: Connection, name: str, message_id: str, receipt: str, now: float) -> None:
    """:raises StorageError: when there is no such message, or the receipt is not its last one."""
    _queue(db, name)
    query = select(MESSAGES).where(
        MESSAGES.c.queue == name, MESSAGES.c.id == message_id, _alive(now)
    )
    found = db.execute(query).mappings().first()
    if found is None:
        raise StorageError(404, "MessageNotFound", "The specified message does not exist.")
    if found["receipt"] != receipt:
        raise StorageError(
            400,
            "PopReceiptMismatch",
            "The specified pop receipt did not match the pop receipt for a dequeued message.",
        )
