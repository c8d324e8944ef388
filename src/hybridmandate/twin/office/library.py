"""Document libraries: files in folders of sites, with a feed of changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from hybridmandate.twin.item_store import ItemStore
from hybridmandate.twin.office.tables import FILES, FOLDERS, Row
from hybridmandate.twin.office.versions import (
    FILES_KEPT,
    forget_versions,
    keep_version,
    versions,
)


class NameTaken(Exception):
    """A file of that name is in the folder and was not to be replaced."""


class Library(ItemStore):
    """The files of a tenant; every method is one short transaction."""

    def add_folder(self, site: str, path: str) -> None:
        """Make a folder, and the folders above it, where they are missing."""
        parts = path.strip("/").split("/")
        with self._engine.begin() as db:
            for end in range(1, len(parts) + 1):
                folder = "/".join(parts[:end])
                known = select(FOLDERS).where(FOLDERS.c.site == site, FOLDERS.c.path == folder)
                if db.execute(known).first() is None:
                    db.execute(insert(FOLDERS).values(site=site, path=folder))

    def has_folder(self, site: str, path: str) -> bool:
        """Whether a folder exists; the root always does where the site exists."""
        query = select(FOLDERS.c.path).where(FOLDERS.c.site == site)
        if path:
            query = query.where(func.lower(FOLDERS.c.path) == path.lower())
        with self._engine.connect() as db:
            return db.execute(query).first() is not None

    def put_file(
        self,
        site: str,
        folder: str,
        name: str,
        content: bytes,
        *,
        content_type: str,
        author: Mapping[str, Any],
        on_conflict: str,
    ) -> Row:
        """Store a file; ``on_conflict`` is ``replace``, ``rename`` or ``fail``.

        :raises NameTaken: when the name is taken and the behaviour is ``fail``.
        """
        with self._lock, self._engine.begin() as db:
            existing = self._by_name(db, site, folder, name)
            if existing is not None and on_conflict == "fail":
                raise NameTaken(name)
            if existing is not None and on_conflict == "rename":
                name = self._free_name(db, site, folder, name)
                existing = None
            now = self._clock()
            change = (db.execute(select(func.max(FILES.c.change))).scalar() or 0) + 1
            values = {
                "content": content,
                "content_type": content_type,
                "digest": hashlib.sha256(content).hexdigest(),
                "change": change,
                "modified": now,
                "modified_by": json.dumps(author),
            }
            if existing is not None:
                keep_version(db, FILES_KEPT, existing["id"], existing, kept_columns(existing))
                values["version"] = existing["version"] + 1
                db.execute(update(FILES).where(FILES.c.id == existing["id"]).values(values))
                file_id = existing["id"]
            else:
                file_id = self._new_id()
                values |= {
                    "id": file_id,
                    "site": site,
                    "folder": folder,
                    "name": name,
                    "version": 1,
                    "created": now,
                    "created_by": json.dumps(author),
                }
                db.execute(insert(FILES).values(values))
            return db.execute(select(FILES).where(FILES.c.id == file_id)).mappings().one()

    def copy_file(
        self,
        file: Row,
        site: str,
        folder: str,
        name: str,
        *,
        author: Mapping[str, Any],
        on_conflict: str,
    ) -> Row:
        """Store a file's content once more, in another place.

        :raises NameTaken: when the name is taken and ``on_conflict`` is ``fail``.
        """
        return self.put_file(
            site,
            folder,
            name,
            file["content"],
            content_type=file["content_type"],
            author=author,
            on_conflict=on_conflict,
        )

    def move_file(
        self,
        file: Row,
        site: str,
        folder: str,
        name: str,
        *,
        author: Mapping[str, Any],
        on_conflict: str,
    ) -> Row:
        """Put a file into another place: it stays the same file.

        :raises NameTaken: when the name is taken and ``on_conflict`` is ``fail``.
        """
        with self._lock, self._engine.begin() as db:
            existing = self._by_name(db, site, folder, name)
            if existing is not None and existing["id"] != file["id"]:
                if on_conflict == "fail":
                    raise NameTaken(name)
                if on_conflict == "rename":
                    name = self._free_name(db, site, folder, name)
                else:
                    forget_versions(db, FILES_KEPT, existing["id"])
                    db.execute(delete(FILES).where(FILES.c.id == existing["id"]))
            return self._changed(db, file["id"], author, site=site, folder=folder, name=name)

    def set_fields(self, file_id: str, fields: Mapping[str, Any], author: Mapping[str, Any]) -> Row:
        """Change the columns of a file in its library."""
        with self._lock, self._engine.begin() as db:
            found = db.execute(select(FILES).where(FILES.c.id == file_id)).mappings().one()
            whole = json.dumps({**json.loads(found["fields"] or "{}"), **fields})
            return self._changed(db, file_id, author, fields=whole)

    def file(self, site: str, file_id: str) -> Row | None:
        """A file by id."""
        query = select(FILES).where(FILES.c.site == site, FILES.c.id == file_id)
        with self._engine.connect() as db:
            return db.execute(query).mappings().first()

    def file_at(self, site: str, folder: str, name: str) -> Row | None:
        """A file by its place; names are compared as SharePoint does, without case."""
        with self._engine.connect() as db:
            return self._by_name(db, site, folder, name)

    def delete_file(self, site: str, file_id: str) -> bool:
        """Remove a file; False when there is none."""
        own = (FILES.c.site == site, FILES.c.id == file_id)
        with self._lock, self._engine.begin() as db:
            forget_versions(db, FILES_KEPT, file_id)
            return db.execute(delete(FILES).where(*own)).rowcount > 0

    def versions(self, site: str, file_id: str) -> list[dict[str, Any]] | None:
        """The versions of a file's columns, newest first; None when there is no such file."""
        query = select(FILES).where(FILES.c.site == site, FILES.c.id == file_id)
        with self._engine.connect() as db:
            found = db.execute(query).mappings().first()
            if found is None:
                return None
            return versions(db, FILES_KEPT, file_id, found, kept_columns(found))

    def folders_in(self, site: str, folder: str) -> list[str]:
        """The paths of the folders right under a folder."""
        under = f"{folder.lower()}/" if folder else ""
        query = select(FOLDERS.c.path).where(FOLDERS.c.site == site).order_by(FOLDERS.c.path)
        with self._engine.connect() as db:
            paths = db.execute(query).scalars()
            return [
                str(path)
                for path in paths
                if path.lower().startswith(under) and path and "/" not in path[len(under) :]
            ]

    def files_in(self, site: str, folder: str) -> list[Row]:
        """The files right in a folder, oldest change first."""
        own = (FILES.c.site == site, func.lower(FILES.c.folder) == folder.lower())
        with self._engine.connect() as db:
            return list(db.execute(select(FILES).where(*own).order_by(FILES.c.change)).mappings())

    def files_under(self, site: str, folder: str, *, after_change: int = 0) -> list[Row]:
        """The files of a folder and of all folders in it that changed after a point of the feed.

        In the order of their changes.
        """
        under = f"{folder.lower()}/" if folder else ""
        own = (FILES.c.site == site, FILES.c.change > after_change)
        query = select(FILES).where(*own).order_by(FILES.c.change)
        with self._engine.connect() as db:
            rows = db.execute(query).mappings()
            return [each for each in rows if f"{each['folder'].lower()}/".startswith(under)]

    def last_change(self) -> int:
        """The newest point of the change feed."""
        with self._engine.connect() as db:
            return int(db.execute(select(func.max(FILES.c.change))).scalar() or 0)

    def _changed(
        self, db: Connection, file_id: str, author: Mapping[str, Any], **values: Any
    ) -> Row:
        own = FILES.c.id == file_id
        before = db.execute(select(FILES).where(own)).mappings().one()
        keep_version(db, FILES_KEPT, file_id, before, kept_columns(before))
        changed = {
            **values,
            "version": FILES.c.version + 1,
            "change": (db.execute(select(func.max(FILES.c.change))).scalar() or 0) + 1,
            "modified": self._clock(),
            "modified_by": json.dumps(dict(author)),
        }
        db.execute(update(FILES).where(own).values(changed))
        return db.execute(select(FILES).where(own)).mappings().one()

    def _by_name(self, db: Connection, site: str, folder: str, name: str) -> Row | None:
        query = select(FILES).where(
            FILES.c.site == site,
            func.lower(FILES.c.folder) == folder.lower(),
            func.lower(FILES.c.name) == name.lower(),
        )
        found: Row | None = db.execute(query).mappings().first()
        return found

    def _free_name(self, db: Connection, site: str, folder: str, name: str) -> str:
        stem, dot, suffix = name.rpartition(".")
        if not dot:
            stem, suffix = name, ""
        number = 1
        while True:
            candidate = f"{stem} {number}{dot}{suffix}"
            if self._by_name(db, site, folder, candidate) is None:
                return candidate
            number += 1


def kept_columns(file: Row) -> dict[str, Any]:
    """The columns of a file that its versions have: its own, its name and its folder."""
    own = json.loads(file["fields"] or "{}")
    return {**own, "FileLeafRef": file["name"], "FileDirRef": file["folder"]}
