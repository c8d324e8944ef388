"""The columns of DBOS's tables that durable work reads, and only reads.

DBOS 3.4 keeps them in schema ``dbos`` on PostgreSQL and without a schema on SQLite.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

ENDED = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
"""The states in which DBOS never runs a workflow again."""


@dataclass(frozen=True, slots=True)
class DbosTables:
    """Runs with their owners, and what went in and came out."""

    runs: sa.TableClause
    inputs: sa.TableClause
    outputs: sa.TableClause


def dbos_tables(engine: sa.Engine) -> DbosTables:
    """The tables as the database behind the engine names them."""
    schema = "dbos" if engine.dialect.name == "postgresql" else None

    def table(name: str, *columns: str) -> sa.TableClause:
        return sa.table(name, *(sa.column(each) for each in columns), schema=schema)

    return DbosTables(
        runs=table(
            "workflow_status",
            "workflow_uuid",
            "status",
            "name",
            "application_name",
            "owner_xid",
            "created_at",
            "updated_at",
        ),
        inputs=table("workflow_input", "workflow_uuid", "inputs"),
        outputs=table("workflow_output", "workflow_uuid", "output", "error"),
    )
