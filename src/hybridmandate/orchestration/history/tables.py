"""Tables of the run history (SQLAlchemy core; SQLite or PostgreSQL)."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

METADATA = MetaData()

RUNS = Table(
    "flow_run",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("flow", String(256), nullable=False),
    Column("definition", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("correlation_id", String(64)),
    Column("code", String(128)),
    Column("error", JSON),
    Column("trigger", JSON, nullable=False),
    Column("start", JSON, nullable=False),
    Column("response", JSON),
    Column("resubmit_of", String(64)),
    Column("cancel_reason", String(512)),
    Column("turn", Integer, nullable=False),
)
"""A run. ``start`` is what it was started with (for a resubmit), ``trigger`` what may be shown,
``turn`` how many turns of the run have been written."""

ACTIONS = Table(
    "flow_action",
    METADATA,
    Column("run_id", String(64), primary_key=True),
    Column("key", String(256), primary_key=True),
    Column("sequence", Integer, nullable=False),
    Column("name", String(128), nullable=False),
    Column("status", String(16), nullable=False),
    Column("record", JSON, nullable=False),
)
"""The record of an action in an iteration: how it ended, or that it goes on."""

DEFINITIONS = Table(
    "flow_definition",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("file_name", String(512), nullable=False),
    Column("raw", LargeBinary, nullable=False),
)
"""The definition that a run was started with: a run goes on with it when the file changes."""

CURSORS = Table(
    "flow_cursor",
    METADATA,
    Column("flow", String(256), primary_key=True),
    Column("cursor", JSON, nullable=False),
)
"""How far a polling trigger has read."""

Index("flow_run_by_flow", RUNS.c.flow, RUNS.c.started_at)
Index("flow_run_by_correlation", RUNS.c.correlation_id)
