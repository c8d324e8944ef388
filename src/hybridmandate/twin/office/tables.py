"""The tables of the office stand-in: one SQLite file that anybody can open."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    select,
)

Row = RowMapping

METADATA = MetaData()

FILES = Table(
    "files",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("site", String(100), nullable=False),
    Column("folder", String(400), nullable=False),
    Column("name", String(255), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("content_type", String(200), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("change", Integer, nullable=False, index=True),
    Column("created", Float, nullable=False),
    Column("modified", Float, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("modified_by", Text, nullable=False),
    Column("fields", Text),
    UniqueConstraint("site", "folder", "name"),
)
FOLDERS = Table(
    "folders",
    METADATA,
    Column("site", String(100), primary_key=True),
    Column("path", String(400), primary_key=True),
)
MAILS = Table(
    "mails",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("sender", String(200), nullable=False),
    Column("recipient", String(200), nullable=False, index=True),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("body_type", String(10), nullable=False),
    Column("sent", Float, nullable=False),
    Column("recipients", Text, nullable=False),
    Column("importance", String(10), nullable=False),
    Column("folder", String(100), nullable=False),
    Column("read", Boolean, nullable=False),
    Column("attachments", Text, nullable=False),
    Column("flag", String(20)),
    Column("request", String(64)),
)
EVENTS = Table(
    "events",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("request", String(64), unique=True),
    Column("owner", String(200), nullable=False, index=True),
    Column("start", Float, nullable=False),
    Column("end", Float, nullable=False),
    Column("content", Text, nullable=False),
    Column("recurrence", Text),
    Column("created", Float, nullable=False),
    Column("modified", Float, nullable=False),
)
LISTS = Table(
    "lists",
    METADATA,
    Column("site", String(100), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("id", String(64), nullable=False, unique=True),
)
LIST_FIELDS = Table(
    "list_fields",
    METADATA,
    Column("list", String(64), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("kind", Integer, nullable=False),
)
LIST_ITEMS = Table(
    "list_items",
    METADATA,
    Column("list", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("request", String(64)),
    Column("fields", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("change", Integer, nullable=False),
    Column("created", Float, nullable=False),
    Column("modified", Float, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("modified_by", Text, nullable=False),
    UniqueConstraint("list", "request"),
)
ITEM_VERSIONS = Table(
    "item_versions",
    METADATA,
    Column("kept_in", String(64), primary_key=True),
    Column("item", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("fields", Text, nullable=False),
    Column("modified", Float, nullable=False),
    Column("modified_by", Text, nullable=False),
)
ATTACHMENTS = Table(
    "list_attachments",
    METADATA,
    Column("list", String(64), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("request", String(64)),
)
CHANNEL_MESSAGES = Table(
    "channel_messages",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("team", String(200), nullable=False),
    Column("channel", String(200), nullable=False),
    Column("body", Text, nullable=False),
    Column("body_type", String(10), nullable=False),
    Column("sender", Text, nullable=False),
    Column("sent", Float, nullable=False),
    Column("attachments", Text, nullable=False),
    Column("request", String(64)),
    Column("reply_to", String(64)),
)
GROUPS = Table(
    "groups",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("request", String(64), unique=True),
    Column("name", String(256), nullable=False),
    Column("nickname", String(64), nullable=False),
    Column("description", Text, nullable=False),
    Column("unified", Boolean, nullable=False),
    Column("team", Boolean, nullable=False),
    Column("created", Float, nullable=False),
)
GROUP_PEOPLE = Table(
    "group_people",
    METADATA,
    Column("group", String(64), primary_key=True),
    Column("role", String(10), primary_key=True),
    Column("mail", String(200), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("request", String(64)),
)
CHANNELS = Table(
    "channels",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("request", String(64), unique=True),
    Column("team", String(64), nullable=False, index=True),
    Column("name", String(50), nullable=False),
    Column("description", Text, nullable=False),
    Column("created", Float, nullable=False),
)
CHATS = Table(
    "chats",
    METADATA,
    Column("id", String(200), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("topic", Text),
    Column("members", Text, nullable=False),
    Column("request", String(64), unique=True),
    Column("created", Float, nullable=False),
)
QUESTIONS = Table(
    "questions",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("request", String(64), unique=True),
    Column("title", Text, nullable=False),
    Column("people", Text),
    Column("options", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("asked", Float, nullable=False),
    Column("answered", Float),
    Column("person", Text),
    Column("answer", Text),
)
NOTIFICATIONS = Table(
    "notifications",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("recipient", String(200), nullable=False, index=True),
    Column("text", Text, nullable=False),
    Column("sent", Float, nullable=False),
    Column("request", String(64)),
)
APPROVALS = Table(
    "approvals",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("request", String(64), unique=True),
    Column("title", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("approvers", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("result", Text),
    Column("created", Float, nullable=False),
    Column("completed", Float),
    Column("options", Text),
)
RESPONSES = Table(
    "approval_responses",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("approval", String(64), nullable=False, index=True),
    Column("person", Text, nullable=False),
    Column("mail", String(200), nullable=False),
    Column("response", String(100), nullable=False),
    Column("comments", Text, nullable=False),
    Column("created", Float, nullable=False),
    UniqueConstraint("approval", "mail"),
)


def next_number(db: Connection, table: Table) -> int:
    """The next number of a table that keeps its items in order."""
    return int(db.execute(select(func.max(table.c.number))).scalar() or 0) + 1


def made_by(
    db: Connection, table: Table, request: str | None, *where: ColumnElement[bool]
) -> Row | None:
    """What a request has made that comes again; None for a new one, or one without an id."""
    if request is None:
        return None
    query = select(table).where(table.c.request == request, *where)
    return db.execute(query).mappings().first()
