"""Links of many-to-many relationships: pairs of rows."""

from __future__ import annotations

from sqlalchemy import Column, Connection, MetaData, Select, String, Table, delete, insert, select

from hybridmandate.twin.dataverse.relations import ManyWithMany


class Links:
    """One SQL table for the pairs of all relationships."""

    def __init__(self, metadata: MetaData) -> None:
        self.table = Table(
            "links",
            metadata,
            Column("relationship", String(100), primary_key=True),
            Column("first", String(36), primary_key=True),
            Column("second", String(36), primary_key=True, index=True),
        )

    def add(self, connection: Connection, via: ManyWithMany, row_id: str, other: str) -> None:
        """Link two rows; rows that are linked already stay so."""
        pair = self._pair(via, row_id, other)
        connection.execute(insert(self.table).prefix_with("OR IGNORE").values(pair))

    def remove(self, connection: Connection, via: ManyWithMany, row_id: str, other: str) -> bool:
        """Undo a link; whether there was one."""
        pair = self._pair(via, row_id, other)
        where = [self.table.c[name] == value for name, value in pair.items()]
        return bool(connection.execute(delete(self.table).where(*where)).rowcount)

    def forget(self, connection: Connection, via: ManyWithMany, row_id: str) -> None:
        """Undo all links of a row in a relationship, on either side."""
        table = self.table.c
        either = (table.first == row_id) | (table.second == row_id)
        connection.execute(delete(self.table).where(table.relationship == via.name, either))

    def others(self, via: ManyWithMany, row_id: str) -> Select[tuple[str]]:
        """The query for the ids of the rows that a row is linked with."""
        table = self.table.c
        here, there = (table.first, table.second) if via.first else (table.second, table.first)
        return select(there).where(table.relationship == via.name, here == row_id)

    def _pair(self, via: ManyWithMany, row_id: str, other: str) -> dict[str, str]:
        first, second = (row_id, other) if via.first else (other, row_id)
        return {"relationship": via.name, "first": first, "second": second}
