"""The tables of the storage stand-in: one SQLite file that anybody can open."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
)

Row = RowMapping

METADATA = MetaData()

QUEUES = Table(
    "queues",
    METADATA,
    Column("name", String(63), primary_key=True),
    Column("metadata", Text, nullable=False),
)
MESSAGES = Table(
    "messages",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("queue", String(63), nullable=False, index=True),
    Column("text", Text, nullable=False),
    Column("receipt", String(64), nullable=False),
    Column("inserted", Float, nullable=False),
    Column("expires", Float),
    Column("visible", Float, nullable=False),
    Column("dequeued", Integer, nullable=False),
)
CONTAINERS = Table(
    "containers",
    METADATA,
    Column("name", String(63), primary_key=True),
    Column("etag", String(40), nullable=False),
    Column("modified", Float, nullable=False),
    Column("metadata", Text, nullable=False),
)
BLOBS = Table(
    "blobs",
    METADATA,
    Column("container", String(63), primary_key=True),
    Column("name", String(1024), primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("size", Integer, nullable=False),
    Column("etag", String(40), nullable=False),
    Column("created", Float, nullable=False),
    Column("modified", Float, nullable=False),
    Column("blocks", Text, nullable=False),
    Column("headers", Text, nullable=False),
    Column("metadata", Text, nullable=False),
)
BLOCKS = Table(
    "uncommitted_blocks",
    METADATA,
    Column("container", String(63), primary_key=True),
    Column("blob", String(1024), primary_key=True),
    Column("id", String(88), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
