"""What an error of the database means for a write that waits: whether waiting helps.

A locked file, a lost connection or a full disk heal by themselves or by a person while the process
waits. A damaged file, a table that is gone or a right that was taken do not: the process has to be
started again after they have been mended. Anything else is about what was to be written.
Sources: sqlite.org/rescode.html; postgresql.org/docs/current/errcodes-appendix.html.
"""

from __future__ import annotations

from enum import StrEnum

import sqlalchemy as sa

_SQLITE_HEALING = ("BUSY", "LOCKED", "IOERR", "FULL", "CANTOPEN", "NOMEM", "PROTOCOL", "INTERRUPT")
_SQLITE_ABOUT_DATA = ("CONSTRAINT", "MISMATCH", "TOOBIG", "RANGE")
_POSTGRES_HEALING = ("08", "25", "40", "53", "55", "57", "58")
"""Classes: connection, transaction state (a standby), rollback, resources, lock, operator, I/O."""
_POSTGRES_ABOUT_DATA = ("21", "22", "23")
"""Classes: cardinality, data, integrity."""


class Prospect(StrEnum):
    """What may become of a write that failed."""

    HEALS = "heals"
    """The same write is accepted when the database answers again."""
    BROKEN = "broken"
    """The database takes no write any more until somebody has mended it."""
    REFUSED = "refused"
    """The database is well and does not take this write, now or later."""


def prospect(error: Exception) -> Prospect:
    """What may become of a write that failed with an error of SQLAlchemy."""
    if isinstance(error, sa.exc.TimeoutError):
        # Every connection of the pool is taken.
        return Prospect.HEALS
    if not isinstance(error, sa.exc.DBAPIError):
        return Prospect.REFUSED
    named = getattr(error.orig, "sqlite_errorname", None)
    if named is not None:
        return _of_sqlite(str(named).removeprefix("SQLITE_"))
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return _known(str(state), _POSTGRES_HEALING, _POSTGRES_ABOUT_DATA)
    # Without a code of the server: it was not reached, or the driver refused the values.
    return Prospect.HEALS if isinstance(error, sa.exc.OperationalError) else Prospect.REFUSED


def _of_sqlite(name: str) -> Prospect:
    return _known(name, _SQLITE_HEALING, _SQLITE_ABOUT_DATA)


def _known(code: str, healing: tuple[str, ...], about_data: tuple[str, ...]) -> Prospect:
    if code.startswith(healing):
        return Prospect.HEALS
    return Prospect.REFUSED if code.startswith(about_data) else Prospect.BROKEN
