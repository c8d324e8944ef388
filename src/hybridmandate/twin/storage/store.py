"""What the storage stand-in keeps, in one database."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from sqlalchemy import Engine

from hybridmandate.twin.storage.blobs import Blobs
from hybridmandate.twin.storage.queues import Queues
from hybridmandate.twin.storage.tables import METADATA
from hybridmandate.twin.stored_tables import make_tables


class StorageStore:
    """Queues and blobs of one account.

    ``clock`` gives epoch seconds, ``new_id`` unique ids. One process owns the store.
    """

    def __init__(
        self, engine: Engine, *, clock: Callable[[], float], new_id: Callable[[], str]
    ) -> None:
        make_tables(engine, METADATA)
        lock = Lock()
        self.queues = Queues(engine, lock, clock=clock, new_id=new_id)
        self.blobs = Blobs(engine, lock, clock=clock, new_id=new_id)
