"""List Queues and List Containers: one page of names in their order."""

from __future__ import annotations

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from hybridmandate.twin.storage.markup import branch, document, leaf
from hybridmandate.twin.storage.names import MAX_LISTED, number
from hybridmandate.twin.storage.requests import Asked
from hybridmandate.twin.storage.tables import Row

Find = Callable[[str, str, int], list[Row]]
"""Rows with ``name``, by prefix, first name and count."""


async def page(
    asked: Asked, find: Find, shown: Callable[[Row], str], element: str, endpoint: str
) -> Response:
    """The page that the query asks for. :raises StorageError: 400 for a number out of bounds."""
    limit = number(asked.query, "maxresults", MAX_LISTED, lowest=1, highest=MAX_LISTED)
    prefix, marker = asked.query.get("prefix", ""), asked.query.get("marker", "")
    rows = await run_in_threadpool(find, prefix, marker, limit + 1)
    following = rows[limit]["name"] if len(rows) > limit else ""
    inner = branch(element, "".join(shown(each) for each in rows[:limit]))
    body = document(
        "EnumerationResults", inner + leaf("NextMarker", following), ServiceEndpoint=endpoint
    )
    return Response(body, media_type="application/xml")
