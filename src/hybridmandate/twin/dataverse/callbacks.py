"""Callback registrations: what the platform's flows are told when a row changes.

Dataverse calls the address of a registration; here the registrant reads its events, oldest first,
and acknowledges those that it has dealt with. An event is written in the transaction of the change
that it tells of, with the row as it was then.
Source: learn.microsoft.com/power-apps/developer/data-platform/reference/entities/
callbackregistration; learn.microsoft.com/power-automate/dataverse/create-update-delete-trigger.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
)

from hybridmandate.twin.dataverse.errors import DataverseError, bad_request
from hybridmandate.twin.dataverse.filter_expression import parse_filter
from hybridmandate.twin.dataverse.table import TableDefinition

MESSAGES: Mapping[int, frozenset[str]] = {
    1: frozenset({"Create"}),
    2: frozenset({"Delete"}),
    3: frozenset({"Update"}),
    4: frozenset({"Create", "Update"}),
    5: frozenset({"Create", "Delete"}),
    6: frozenset({"Update", "Delete"}),
    7: frozenset({"Create", "Update", "Delete"}),
}
"""Added, deleted, modified, and their combinations."""
SCOPE_USER = 1
SCOPES = (1, 2, 3, 4)
"""User, business unit, parent and child business units, organization."""
RUN_AS: Mapping[int, str] = {1: "owner", 2: "createdby", 3: "modifiedby"}
"""Whose connections a run uses: the flow's owner, the row's owner, who modified the row."""


@dataclass(frozen=True, slots=True)
class Registration:
    """Which changes of a table the registrant wants to hear of."""

    registration_id: str
    owner: str
    entity: str
    message: int
    scope: int
    attributes: tuple[str, ...] = ()
    filter: str = ""
    postpone_until: str = ""
    run_as: int = 1


@dataclass(frozen=True, slots=True)
class Event:
    """One change; ``row`` is the row's stored form as it was then, ``at`` epoch seconds."""

    number: int
    message: str
    at: float
    row: Mapping[str, Any]


class Callbacks:
    """Registrations and their events; ``clock`` gives epoch seconds."""

    def __init__(
        self,
        metadata: MetaData,
        tables: Mapping[str, TableDefinition],
        sql: Mapping[str, Table],
        clock: Callable[[], float],
    ) -> None:
        self._tables = {table.logical_name: table for table in tables.values()}
        self._sql = sql
        self._clock = clock
        self._registrations = Table(
            "callback_registrations",
            metadata,
            Column("id", String(36), primary_key=True),
            Column("owner", String(64), nullable=False),
            Column("entity", String(100), nullable=False, index=True),
            Column("message", Integer, nullable=False),
            Column("scope", Integer, nullable=False),
            Column("attributes", Text, nullable=False),
            Column("filter", Text, nullable=False),
            Column("postpone_until", Text, nullable=False),
            Column("run_as", Integer, nullable=False),
        )
        self._events = Table(
            "callback_events",
            metadata,
            Column("number", Integer, primary_key=True, autoincrement=True),
            Column("registration", String(36), nullable=False, index=True),
            Column("message", String(10), nullable=False),
            Column("at", Float, nullable=False),
            Column("due", Float, nullable=False),
            Column("row", Text, nullable=False),
            sqlite_autoincrement=True,
        )

    def check(self, wanted: Registration) -> None:
        """:raises DataverseError: 400 when the registration cannot be followed."""
        table = self._tables.get(wanted.entity)
        if table is None:
            raise bad_request(f"There is no table with the logical name '{wanted.entity}'.")
        if wanted.message not in MESSAGES:
            raise bad_request(f"{wanted.message} is no value of message: 1 to 7 are.")
        if wanted.scope not in SCOPES:
            raise bad_request(f"{wanted.scope} is no value of scope: 1 to 4 are.")
        if wanted.run_as not in RUN_AS:
            raise bad_request(f"{wanted.run_as} is no value of runas: 1 to 3 are.")
        for name in wanted.attributes:
            if name not in table.columns:
                raise bad_request(f"filteringattributes names '{name}', which is no column.")
        if wanted.filter:
            parse_filter(wanted.filter, self._sql[table.entity_set])
        column = table.columns.get(wanted.postpone_until)
        if column is None:
            _moment(wanted.postpone_until)
        elif column.type not in ("date", "datetime"):
            raise bad_request(f"postponeuntil names '{column.name}', which is no date.")

    def keep(self, connection: Connection, wanted: Registration) -> None:
        """Register, or change the registration of that id. :raises DataverseError: 400."""
        self.check(wanted)
        known = self._registrations.c
        connection.execute(delete(self._registrations).where(known.id == wanted.registration_id))
        connection.execute(
            insert(self._registrations).values(
                id=wanted.registration_id,
                owner=wanted.owner,
                entity=wanted.entity,
                message=wanted.message,
                scope=wanted.scope,
                attributes=",".join(wanted.attributes),
                filter=wanted.filter,
                postpone_until=wanted.postpone_until,
                run_as=wanted.run_as,
            )
        )

    def find(self, connection: Connection, registration_id: str) -> Registration | None:
        """A registration by id."""
        query = select(self._registrations).where(self._registrations.c.id == registration_id)
        return next((_registration(row) for row in connection.execute(query)), None)

    def remove(self, connection: Connection, registration_id: str) -> None:
        """Forget a registration with its events."""
        connection.execute(
            delete(self._events).where(self._events.c.registration == registration_id)
        )
        connection.execute(
            delete(self._registrations).where(self._registrations.c.id == registration_id)
        )

    def due(self, connection: Connection, registration_id: str, *, limit: int) -> list[Event]:
        """Events that are not acknowledged and whose time has come, oldest first."""
        events = self._events.c
        query = (
            select(events.number, events.message, events.at, events.row)
            .where(events.registration == registration_id, events.due <= self._clock())
            .order_by(events.number)
            .limit(limit)
        )
        return [
            Event(int(number), str(message), float(at), json.loads(row))
            for number, message, at, row in connection.execute(query)
        ]

    def acknowledge(
        self, connection: Connection, registration_id: str, numbers: Sequence[int]
    ) -> None:
        """Forget events that were dealt with; numbers that are gone already change nothing."""
        events = self._events.c
        found = events.registration == registration_id, events.number.in_(numbers)
        connection.execute(delete(self._events).where(*found))

    def registered(self, connection: Connection) -> dict[str, list[Registration]]:
        """All registrations by the logical name of their table."""
        found: dict[str, list[Registration]] = {}
        for row in connection.execute(select(self._registrations)):
            found.setdefault(row.entity, []).append(_registration(row))
        return found

    def note(
        self,
        connection: Connection,
        registrations: Sequence[Registration],
        table: TableDefinition,
        message: str,
        row: Mapping[str, Any],
        written: Mapping[str, Any],
    ) -> None:
        """Write the events of one change for a table's registrations.

        The row must be there, also when it is about to be deleted.
        """
        for registration in registrations:
            if self._concerns(connection, registration, table, message, row, written):
                self._write(connection, registration, message, row)

    def _concerns(
        self,
        connection: Connection,
        registration: Registration,
        table: TableDefinition,
        message: str,
        row: Mapping[str, Any],
        written: Mapping[str, Any],
    ) -> bool:
        if message not in MESSAGES[registration.message]:
            return False
        if registration.scope == SCOPE_USER and row["createdby"] != registration.owner:
            return False
        if message == "Update" and registration.attributes:
            names = {table.columns[name].property_name for name in registration.attributes}
            if names.isdisjoint(written):
                return False
        if not registration.filter:
            return True
        sql = self._sql[table.entity_set]
        this_row = sql.c[table.primary_id] == row[table.primary_id]
        matching = select(sql.c[table.primary_id]).where(
            this_row, parse_filter(registration.filter, sql)
        )
        return connection.execute(matching).first() is not None

    def _write(
        self,
        connection: Connection,
        registration: Registration,
        message: str,
        row: Mapping[str, Any],
    ) -> None:
        now = self._clock()
        connection.execute(
            insert(self._events).values(
                registration=registration.registration_id,
                message=message,
                at=now,
                due=_due(registration.postpone_until, row, now),
                row=json.dumps(dict(row), ensure_ascii=False),
            )
        )


def _registration(row: Any) -> Registration:
    return Registration(
        registration_id=row.id,
        owner=row.owner,
        entity=row.entity,
        message=row.message,
        scope=row.scope,
        attributes=tuple(row.attributes.split(",")) if row.attributes else (),
        filter=row.filter,
        postpone_until=row.postpone_until,
        run_as=row.run_as,
    )


def _due(postpone_until: str, row: Mapping[str, Any], now: float) -> float:
    """When an event may be told: a moment, or the value of a column of the row."""
    if not postpone_until:
        return now
    value = row.get(postpone_until, postpone_until)
    return max(now, _moment(str(value))) if value else now


def _moment(text: str) -> float:
    if not text:
        return 0.0
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise DataverseError(
            400, "0x80060888", f"postponeuntil '{text}' is neither a time stamp nor a column."
        ) from None
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
