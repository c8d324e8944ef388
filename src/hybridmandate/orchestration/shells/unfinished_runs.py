"""Runs that the history has written down as running, a page at a time.

A process can end between writing a run down and handing it to the durable engine; the next one
looks for such runs (:meth:`.durable.FlowHost.start_left`). Only runs that go on are read, by an
index of their own: how many have ended since the solution was set up does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from hybridmandate.orchestration.history.tables import RUNS

RUNS_A_PAGE = 200
_RUNNING = RUNS.c.status == "Running"
_BY_ID = sa.Index(
    "flow_run_unfinished", RUNS.c.id, sqlite_where=_RUNNING, postgresql_where=_RUNNING
)

Page = Mapping[str, Mapping[str, Any]]
"""What runs were started with, by their ids."""


class UnfinishedRuns:
    """The runs of a history that have not ended."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        with engine.begin() as connection:
            connection.execute(sa.schema.CreateIndex(_BY_ID, if_not_exists=True))

    def pages(self) -> Iterator[Page]:
        """All of them, in pages."""
        after = ""
        while page := self._page(after):
            yield page
            after = max(page)

    def _page(self, after: str) -> Page:
        # The status stands in the text of the query: a parameter would not match the index.
        running = RUNS.c.status == sa.literal_column("'Running'", sa.String)
        query = (
            sa.select(RUNS.c.id, RUNS.c.start)
            .where(running, RUNS.c.id > after)
            .order_by(RUNS.c.id)
            .limit(RUNS_A_PAGE)
        )
        with self._engine.connect() as connection:
            return {row.id: row.start for row in connection.execute(query)}
