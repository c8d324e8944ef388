"""Contents of file columns, and uploads that come in chunks."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import (
    Column,
    Connection,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)

SESSION_SECONDS = 86_400.0
"""How long an upload may take; a session that is older is forgotten."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a row."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload under way; ``received`` bytes are there."""

    token: str
    row_id: str
    column: str
    name: str
    received: int


class FileContents:
    """Files by row and column; ``clock`` gives epoch seconds."""

    def __init__(self, metadata: MetaData, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._files = Table(
            "files",
            metadata,
            Column("row", String(36), primary_key=True),
            Column("column", String(100), primary_key=True),
            Column("id", String(36), nullable=False),
            Column("name", String(255), nullable=False),
            Column("data", LargeBinary, nullable=False),
        )
        self._uploads = Table(
            "uploads",
            metadata,
            Column("token", String(36), primary_key=True),
            Column("row", String(36), nullable=False, index=True),
            Column("column", String(100), nullable=False),
            Column("name", String(255), nullable=False),
            Column("received", Integer, nullable=False),
            Column("began", Float, nullable=False),
        )
        self._chunks = Table(
            "upload_chunks",
            metadata,
            Column("token", String(36), primary_key=True),
            Column("start", Integer, primary_key=True),
            Column("data", LargeBinary, nullable=False),
        )

    def find(self, connection: Connection, row_id: str, column: str) -> StoredFile | None:
        """The file of a row's column."""
        files = self._files.c
        query = select(files.name, files.data).where(files.row == row_id, files.column == column)
        found = connection.execute(query).first()
        return None if found is None else StoredFile(str(found[0]), bytes(found[1]))

    def keep(self, connection: Connection, row_id: str, column: str, file: StoredFile) -> str:
        """Keep a file in the place of the one before; gives its new id."""
        self.remove(connection, row_id, column)
        file_id = str(uuid.uuid4())
        values = {"row": row_id, "column": column, "id": file_id}
        connection.execute(
            insert(self._files).values({**values, "name": file.name, "data": file.data})
        )
        return file_id

    def remove(self, connection: Connection, row_id: str, column: str) -> bool:
        """Remove a file; whether there was one."""
        files = self._files.c
        found = delete(self._files).where(files.row == row_id, files.column == column)
        return bool(connection.execute(found).rowcount)

    def forget(self, connection: Connection, row_id: str) -> None:
        """Remove all files of a row that is deleted, and its uploads."""
        connection.execute(delete(self._files).where(self._files.c.row == row_id))
        uploads = select(self._uploads.c.token).where(self._uploads.c.row == row_id)
        connection.execute(delete(self._chunks).where(self._chunks.c.token.in_(uploads)))
        connection.execute(delete(self._uploads).where(self._uploads.c.row == row_id))

    def begin(self, connection: Connection, row_id: str, column: str, name: str) -> str:
        """Begin an upload in chunks; gives its token."""
        old = select(self._uploads.c.token).where(
            self._uploads.c.began < self._clock() - SESSION_SECONDS
        )
        connection.execute(delete(self._chunks).where(self._chunks.c.token.in_(old)))
        connection.execute(delete(self._uploads).where(self._uploads.c.token.in_(old)))
        token = str(uuid.uuid4())
        connection.execute(
            insert(self._uploads).values(
                token=token, row=row_id, column=column, name=name, received=0, began=self._clock()
            )
        )
        return token

    def upload(self, connection: Connection, token: str) -> Upload | None:
        """An upload that is under way."""
        table = self._uploads.c
        query = select(table.token, table.row, table.column, table.name, table.received)
        found = connection.execute(query.where(table.token == token)).first()
        return None if found is None else Upload(*found)

    def add_chunk(self, connection: Connection, upload: Upload, data: bytes) -> None:
        """Append to an upload."""
        chunk = insert(self._chunks).values(token=upload.token, start=upload.received, data=data)
        connection.execute(chunk)
        received = upload.received + len(data)
        connection.execute(
            update(self._uploads)
            .where(self._uploads.c.token == upload.token)
            .values(received=received)
        )

    def finish(self, connection: Connection, upload: Upload) -> bytes:
        """The whole of an upload, which ends with this."""
        chunks = self._chunks.c
        query = select(chunks.data).where(chunks.token == upload.token).order_by(chunks.start)
        data = b"".join(bytes(part) for part in connection.execute(query).scalars())
        connection.execute(delete(self._chunks).where(chunks.token == upload.token))
        connection.execute(delete(self._uploads).where(self._uploads.c.token == upload.token))
        return data
