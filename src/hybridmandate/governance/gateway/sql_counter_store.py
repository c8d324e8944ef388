"""The counts of several gateways in a SQL database: PostgreSQL, or SQLite on one machine.

PostgreSQL rather than a Redis-protocol store: durable jobs stand on it already, so several gateways
need no second kind of server, and the exchange is one short transaction an interval, not one a
call. The table can be read by anyone with ``psql``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from hybridmandate.governance.gateway.exchanged_counters import (
    Cell,
    CellCount,
    CounterStoreUnavailable,
    OtherCount,
)

LOOK_BACK_SECONDS = 15.0
"""Changes of the others are read this far back: longer than their clocks differ and a pause lasts.

A gateway that was cut off for longer reads everything that is still alive."""
_FOREVER = 1e18

_TABLE = sa.Table(
    "gateway_count",
    sa.MetaData(),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("start_ns", sa.BigInteger, nullable=False),
    sa.Column("length_ns", sa.BigInteger, nullable=False),
    sa.Column("gateway", sa.Text, nullable=False),
    sa.Column("amount", sa.Double, nullable=False),
    sa.Column("ends", sa.Double, nullable=False),
    sa.Column("changed", sa.Double, nullable=False),
    sa.PrimaryKeyConstraint("key", "start_ns", "length_ns", "gateway"),
    sa.Index("gateway_count_by_change", "changed"),
)


class SqlCounterStore:
    """Counts in the table ``gateway_count``.

    One store a gateway: it remembers when it last read.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._insert: Any = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}[
            engine.dialect.name
        ]
        self._read_at: float | None = None

    def open(self) -> None:
        """Make the table where there is none."""
        _TABLE.metadata.create_all(self._engine)

    def exchange(self, gateway: str, own: Sequence[CellCount], now: float) -> Sequence[OtherCount]:
        """See :class:`CounterStore`."""
        rows = [self._row(gateway, each, now) for each in own]
        try:
            with self._engine.begin() as connection:
                if rows:
                    connection.execute(self._upsert(), rows)
                found = connection.execute(self._others(gateway, now)).all()
        except sa.exc.DBAPIError as error:
            raise CounterStoreUnavailable(str(error.orig)) from error
        self._read_at = now
        return [self._other(each) for each in found]

    def forget(self, now: float) -> int:
        """See :class:`CounterStore`."""
        try:
            with self._engine.begin() as connection:
                return connection.execute(sa.delete(_TABLE).where(_TABLE.c.ends <= now)).rowcount
        except sa.exc.DBAPIError as error:
            raise CounterStoreUnavailable(str(error.orig)) from error

    @staticmethod
    def _row(gateway: str, count: CellCount, now: float) -> dict[str, Any]:
        cell = count.cell
        return {
            "key": cell.key,
            "start_ns": cell.start_ns,
            "length_ns": cell.length_ns,
            "gateway": gateway,
            "amount": count.amount,
            "ends": min(count.ends, _FOREVER),
            "changed": now,
        }

    def _upsert(self) -> Any:
        statement = self._insert(_TABLE)
        return statement.on_conflict_do_update(
            index_elements=["key", "start_ns", "length_ns", "gateway"],
            set_={name: statement.excluded[name] for name in ("amount", "ends", "changed")},
        )

    def _others(self, gateway: str, now: float) -> sa.Select[Any]:
        """The counts of others: all that live at first and after a gap, then what changed."""
        statement = sa.select(_TABLE).where(_TABLE.c.gateway != gateway, _TABLE.c.ends > now)
        if self._read_at is None or now - self._read_at > LOOK_BACK_SECONDS / 2:
            return statement
        return statement.where(_TABLE.c.changed > self._read_at - LOOK_BACK_SECONDS)

    @staticmethod
    def _other(row: Any) -> OtherCount:
        ends = float("inf") if row.ends >= _FOREVER else float(row.ends)
        cell = Cell(row.key, row.start_ns, row.length_ns)
        return OtherCount(row.gateway, CellCount(cell, float(row.amount), ends))
