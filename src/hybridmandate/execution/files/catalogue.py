"""What is known of each stored file: one row, in the same database as the claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

_METADATA = sa.MetaData()
FILES = sa.Table(
    "mandate_file",
    _METADATA,
    sa.Column("handle", sa.Text, primary_key=True),
    sa.Column("origin", sa.Text, nullable=False, unique=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("content_type", sa.Text, nullable=False),
    sa.Column("file_name", sa.Text),
    sa.Column("correlation_id", sa.Text, nullable=False, index=True),
    sa.Column("owner_app_id", sa.Text, nullable=False),
    sa.Column("owner_object_id", sa.Text, nullable=False),
    sa.Column("stored_at", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False, index=True),
)


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A stored file. ``origin`` names the call and the place in it that stored it: the same effect
    of a call that runs again has the same origin. Times are epoch seconds."""

    handle: str
    origin: str
    digest: str
    size: int
    content_type: str
    file_name: str | None
    correlation_id: str
    owner_app_id: str
    owner_object_id: str
    stored_at: float
    expires_at: float


class FileCatalogue:
    """The rows of all stored files; blocking calls, to be made in a thread."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        self._insert = (
            insert(FILES)
            .on_conflict_do_nothing(index_elements=[FILES.c.origin])
            .returning(FILES.c.handle)
        )

    def open(self) -> None:
        """Make the table when there is none."""
        with self._engine.begin() as connection:
            _METADATA.create_all(connection, checkfirst=True)

    def add(self, entry: FileEntry) -> FileEntry:
        """Note a file. The entry that stands: the earlier one when its origin was noted before."""
        row = {name: getattr(entry, name) for name in FileEntry.__slots__}
        with self._engine.begin() as connection:
            if connection.execute(self._insert, row).first() is not None:
                return entry
            found = connection.execute(sa.select(FILES).where(FILES.c.origin == entry.origin))
            return _entry(found.mappings().one())

    def find(self, handle: str) -> FileEntry | None:
        """The entry of a handle, or None."""
        with self._engine.connect() as connection:
            found = connection.execute(sa.select(FILES).where(FILES.c.handle == handle))
            row = found.mappings().first()
        return None if row is None else _entry(row)

    def expired(self, now: float, limit: int) -> list[str]:
        """Handles past their retention, oldest first, at most ``limit``."""
        query = (
            sa.select(FILES.c.handle)
            .where(FILES.c.expires_at <= now)
            .order_by(FILES.c.expires_at)
            .limit(limit)
        )
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def forget(self, handle: str) -> None:
        """Remove an entry; its content is removed first, by whoever calls."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(FILES).where(FILES.c.handle == handle))


def _entry(row: Any) -> FileEntry:
    return FileEntry(**row)
