"""Blobs: containers, block blobs, blocks that wait to be committed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from hybridmandate.twin.item_store import ItemStore
from hybridmandate.twin.storage.conditions import Conditions
from hybridmandate.twin.storage.errors import StorageError, blob_not_found, container_not_found
from hybridmandate.twin.storage.tables import BLOBS, BLOCKS, CONTAINERS, Row

_SHOWN = [each for each in BLOBS.c if each.name != "content"]

MAX_BLOB_BYTES = 900 * 1024 * 1024
"""Largest blob: it is one row, and SQLite's rows end at 1,000,000,000 bytes."""


@dataclass(frozen=True, slots=True)
class Content:
    """What is written: bytes, the blocks they are made of, HTTP headers and metadata."""

    data: bytes
    headers: Mapping[str, str]
    metadata: Mapping[str, str]
    blocks: Sequence[tuple[str, int]] = ()


@dataclass(frozen=True, slots=True)
class Chosen:
    """A block of a block list: its id, and where it is looked up."""

    block_id: str
    place: str


class Blobs(ItemStore):
    """The containers and blobs of an account; every method is one short transaction.

    Methods on a container or blob that is not there raise :class:`StorageError`.
    """

    def create_container(self, name: str, metadata: Mapping[str, str]) -> Row:
        """Make a container. :raises StorageError: 409 when it is there."""
        with self._lock, self._engine.begin() as db:
            if _found_container(db, name) is not None:
                raise StorageError(
                    409, "ContainerAlreadyExists", "The specified container already exists."
                )
            db.execute(
                insert(CONTAINERS).values(
                    name=name,
                    etag=self._etag(),
                    modified=self._clock(),
                    metadata=json.dumps(dict(metadata)),
                )
            )
            return _container(db, name)

    def container(self, name: str) -> Row:
        """A container's properties."""
        with self._engine.connect() as db:
            return _container(db, name)

    def set_container_metadata(self, name: str, metadata: Mapping[str, str]) -> Row:
        """Replace a container's metadata."""
        with self._lock, self._engine.begin() as db:
            _container(db, name)
            values = {
                "metadata": json.dumps(dict(metadata)),
                "etag": self._etag(),
                "modified": self._clock(),
            }
            db.execute(update(CONTAINERS).where(CONTAINERS.c.name == name).values(values))
            return _container(db, name)

    def drop_container(self, name: str) -> None:
        """Remove a container with its blobs."""
        with self._lock, self._engine.begin() as db:
            _container(db, name)
            db.execute(delete(BLOCKS).where(BLOCKS.c.container == name))
            db.execute(delete(BLOBS).where(BLOBS.c.container == name))
            db.execute(delete(CONTAINERS).where(CONTAINERS.c.name == name))

    def containers(self, prefix: str, after: str, limit: int) -> list[Row]:
        """Containers whose name begins with ``prefix`` and sorts from ``after`` on."""
        query = select(CONTAINERS).where(
            CONTAINERS.c.name.startswith(prefix, autoescape=True), CONTAINERS.c.name >= after
        )
        with self._engine.connect() as db:
            return list(db.execute(query.order_by(CONTAINERS.c.name).limit(limit)).mappings())

    def names(self, container: str, prefix: str, after: str) -> list[Row]:
        """Properties of the blobs whose name begins with ``prefix``, in order, without content."""
        # Names are compared here: SQLite's LIKE knows no case.
        query = select(*_SHOWN).where(BLOBS.c.container == container, BLOBS.c.name >= after)
        with self._engine.connect() as db:
            _container(db, container)
            rows = db.execute(query.order_by(BLOBS.c.name)).mappings()
            return [each for each in rows if each["name"].startswith(prefix)]

    def put(self, container: str, name: str, content: Content, conditions: Conditions) -> Row:
        """Write a blob whole; blocks that waited are given up."""
        with self._lock, self._engine.begin() as db:
            _container(db, container)
            conditions.check_write(_found(db, container, name))
            return self._write(db, container, name, content)

    def put_block(self, container: str, name: str, block_id: str, data: bytes) -> None:
        """Keep a block until a block list commits it; one of the same id is replaced."""
        with self._lock, self._engine.begin() as db:
            _container(db, container)
            waiting = list(
                db.execute(
                    select(BLOCKS.c.id).where(*_blocks_of(container, name)).limit(1)
                ).scalars()
            )
            if waiting and len(waiting[0]) != len(block_id):
                raise StorageError(
                    400, "InvalidBlobOrBlock", "The specified blob or block content is invalid."
                )
            own = (*_blocks_of(container, name), BLOCKS.c.id == block_id)
            db.execute(delete(BLOCKS).where(*own))
            last = db.execute(select(func.max(BLOCKS.c.number))).scalar() or 0
            db.execute(
                insert(BLOCKS).values(
                    container=container, blob=name, id=block_id, number=last + 1, content=data
                )
            )

    def commit(
        self,
        container: str,
        name: str,
        chosen: Sequence[Chosen],
        content: Content,
        conditions: Conditions,
    ) -> Row:
        """Make a blob of blocks; ``content`` gives its headers and metadata.

        :raises StorageError: 400 when a block is not there.
        """
        with self._lock, self._engine.begin() as db:
            _container(db, container)
            existing = _found(db, container, name)
            conditions.check_write(existing)
            rows = db.execute(select(BLOCKS).where(*_blocks_of(container, name))).mappings()
            waiting = {each["id"]: bytes(each["content"]) for each in rows}
            committed = {} if existing is None else _committed(db, container, name)
            parts = [_block(each, waiting, committed) for each in chosen]
            if sum(len(each) for each in parts) > MAX_BLOB_BYTES:
                raise StorageError(
                    413,
                    "RequestBodyTooLarge",
                    f"A blob of the stand-in has at most {MAX_BLOB_BYTES} bytes.",
                )
            return self._write(
                db,
                container,
                name,
                Content(
                    b"".join(parts),
                    content.headers,
                    content.metadata,
                    [(c.block_id, len(p)) for c, p in zip(chosen, parts, strict=True)],
                ),
            )

    def block_lists(
        self, container: str, name: str
    ) -> tuple[Row | None, list[tuple[str, int]], list[tuple[str, int]]]:
        """The blob where there is one, its committed blocks, the blocks that wait."""
        query = select(BLOCKS.c.id, func.length(BLOCKS.c.content)).where(
            *_blocks_of(container, name)
        )
        with self._engine.connect() as db:
            _container(db, container)
            blob = _found(db, container, name)
            rows = db.execute(query.order_by(BLOCKS.c.number))
            waiting = [(str(block_id), int(size)) for block_id, size in rows]
        if blob is None and not waiting:
            raise blob_not_found()
        committed = [] if blob is None else [(i, s) for i, s in json.loads(blob["blocks"])]
        return blob, committed, waiting

    def properties(self, container: str, name: str) -> Row:
        """A blob without its content."""
        with self._engine.connect() as db:
            _container(db, container)
            return _blob(db, container, name)

    def read(
        self, container: str, name: str, choose: Callable[[Row], tuple[int, int]]
    ) -> tuple[Row, bytes]:
        """A blob and the part of its content that ``choose`` gives: start and length."""
        with self._lock, self._engine.connect() as db:
            _container(db, container)
            row = _blob(db, container, name)
            start, length = choose(row)
            part = select(func.substr(BLOBS.c.content, start + 1, length))
            found = db.execute(part.where(*_is(container, name))).scalar_one()
        return row, bytes(found or b"")

    def change(
        self, container: str, name: str, values: Mapping[str, Mapping[str, str]], c: Conditions
    ) -> Row:
        """Replace ``headers`` or ``metadata`` of a blob."""
        with self._lock, self._engine.begin() as db:
            _container(db, container)
            c.check_write(_blob(db, container, name))
            changed = {key: json.dumps(dict(value)) for key, value in values.items()}
            stamped = {**changed, "etag": self._etag(), "modified": self._clock()}
            db.execute(update(BLOBS).where(*_is(container, name)).values(stamped))
            return _blob(db, container, name)

    def delete(self, container: str, name: str, conditions: Conditions) -> None:
        """Remove a blob."""
        with self._lock, self._engine.begin() as db:
            _container(db, container)
            conditions.check_write(_blob(db, container, name))
            db.execute(delete(BLOBS).where(*_is(container, name)))

    def _write(self, db: Connection, container: str, name: str, content: Content) -> Row:
        existing = _found(db, container, name)
        now = self._clock()
        db.execute(delete(BLOCKS).where(*_blocks_of(container, name)))
        db.execute(delete(BLOBS).where(*_is(container, name)))
        db.execute(
            insert(BLOBS).values(
                container=container,
                name=name,
                content=content.data,
                size=len(content.data),
                etag=self._etag(),
                created=now if existing is None else existing["created"],
                modified=now,
                blocks=json.dumps(list(content.blocks)),
                headers=json.dumps(dict(content.headers)),
                metadata=json.dumps(dict(content.metadata)),
            )
        )
        return _blob(db, container, name)

    def _etag(self) -> str:
        return f'"0x{self._new_id().replace("-", "")[-15:].upper()}"'


def _is(container: str, name: str) -> tuple[ColumnElement[bool], ...]:
    return (BLOBS.c.container == container, BLOBS.c.name == name)


def _blocks_of(container: str, name: str) -> tuple[ColumnElement[bool], ...]:
    return (BLOCKS.c.container == container, BLOCKS.c.blob == name)


def _found_container(db: Connection, name: str) -> Row | None:
    return db.execute(select(CONTAINERS).where(CONTAINERS.c.name == name)).mappings().first()


def _container(db: Connection, name: str) -> Row:
    found = _found_container(db, name)
    if found is None:
        raise container_not_found()
    return found


def _found(db: Connection, container: str, name: str) -> Row | None:
    return db.execute(select(*_SHOWN).where(*_is(container, name))).mappings().first()


def _blob(db: Connection, container: str, name: str) -> Row:
    found = _found(db, container, name)
    if found is None:
        raise blob_not_found()
    return found


def _committed(db: Connection, container: str, name: str) -> dict[str, bytes]:
    row = db.execute(select(BLOBS).where(*_is(container, name))).mappings().one()
    blocks, offset = {}, 0
    for block_id, size in json.loads(row["blocks"]):
        blocks[block_id] = bytes(row["content"][offset : offset + size])
        offset += size
    return blocks


def _block(chosen: Chosen, waiting: Mapping[str, bytes], committed: Mapping[str, bytes]) -> bytes:
    places = {
        "Uncommitted": (waiting,),
        "Committed": (committed,),
        "Latest": (waiting, committed),
    }[chosen.place]
    for place in places:
        if chosen.block_id in place:
            return place[chosen.block_id]
    raise StorageError(400, "InvalidBlockList", "The specified block list is invalid.")
