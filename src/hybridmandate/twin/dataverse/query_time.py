"""How long one transaction may take: nobody holds the organisation with a query.

Dataverse ends what takes more than two minutes with the same code ('Web service error codes').
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from hybridmandate.twin.dataverse.errors import DataverseError

SECONDS = 120.0
_STEPS = 10_000
"""After how many steps of SQLite's machine the clock is looked at."""


class Deadline:
    """The end of a transaction's time."""

    def __init__(self) -> None:
        self._end = time.monotonic() + SECONDS

    def check(self) -> None:
        """:raises DataverseError: when the time is over."""
        if self.is_over():
            raise _timed_out()

    def is_over(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() > self._end


@contextmanager
def deadline(connection: Connection) -> Iterator[Deadline]:
    """Ends a statement that runs beyond the time. :raises DataverseError: when one did."""
    until = Deadline()
    driver = connection.connection.driver_connection
    if driver is None:  # pragma: no cover - a connection that was just opened has a driver
        raise RuntimeError("the connection is closed")
    driver.set_progress_handler(until.is_over, _STEPS)
    try:
        yield until
    except OperationalError as error:
        if "interrupted" not in str(error.orig):
            raise
        raise _timed_out() from None
    finally:
        driver.set_progress_handler(None, _STEPS)


def _timed_out() -> DataverseError:
    return DataverseError(500, "0x80044151", "SQL timeout expired.")
