"""What the office stand-in keeps, in one database."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from sqlalchemy import Engine

from hybridmandate.twin.office.approvals import Approvals
from hybridmandate.twin.office.attachments import Attachments
from hybridmandate.twin.office.chats import Chats
from hybridmandate.twin.office.events import Events
from hybridmandate.twin.office.groups import Groups
from hybridmandate.twin.office.library import Library
from hybridmandate.twin.office.lists import Lists
from hybridmandate.twin.office.messages import Messages
from hybridmandate.twin.office.questions import Questions
from hybridmandate.twin.office.tables import METADATA
from hybridmandate.twin.stored_tables import make_tables


class OfficeStore:
    """The stored items of a tenant's office services.

    ``clock`` gives epoch seconds, ``new_id`` unique ids. One process owns the store: the numbers
    that order its items are taken and used under one lock.
    """

    def __init__(
        self, engine: Engine, *, clock: Callable[[], float], new_id: Callable[[], str]
    ) -> None:
        make_tables(engine, METADATA)
        lock = Lock()
        self.library = Library(engine, lock, clock=clock, new_id=new_id)
        self.lists = Lists(engine, lock, clock=clock, new_id=new_id)
        self.attachments = Attachments(engine, lock, clock=clock, new_id=new_id)
        self.messages = Messages(engine, lock, clock=clock, new_id=new_id)
        self.groups = Groups(engine, lock, clock=clock, new_id=new_id)
        self.chats = Chats(engine, lock, clock=clock, new_id=new_id)
        self.events = Events(engine, lock, clock=clock, new_id=new_id)
        self.questions = Questions(engine, lock, clock=clock, new_id=new_id)
        self.approvals = Approvals(engine, lock, clock=clock, new_id=new_id)
