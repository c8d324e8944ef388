"""Pages of an HTTP action: the links of its answers are followed up to the action's threshold.

A page holds its rows in ``value`` and names the next one as ``nextLink`` or ``@odata.nextLink``;
the pages come back as one. Source: learn.microsoft.com/azure/logic-apps/
logic-apps-exceed-default-page-size-with-pagination.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urljoin

from hybridmandate.orchestration.engine import Answer

MAX_PAGES = 1_000
_LINKS = ("nextLink", "@odata.nextLink", "odata.nextLink")
Follow = Callable[[str], Awaitable[Answer]]
"""Gets the page at an address."""


async def all_pages(first: Answer, address: str, wanted: int, follow: Follow) -> Answer:
    """The first page with the rows of those after it; a page that fails is the answer.

    ``wanted`` is the action's threshold, which the engine has held to the environment's profile.
    """
    rows, page, seen = _rows(first), first, {address}
    if rows is None:
        return first
    for _ in range(MAX_PAGES):
        link = _link(page.body)
        if link is None or len(rows) >= wanted:
            break
        address = urljoin(address, link)
        if address in seen:
            return Answer.refused(f"the pages go round in a circle: {address}")
        seen.add(address)
        page = await follow(address)
        more = _rows(page)
        if more is None:
            return page
        rows.extend(more)
    whole = {key: value for key, value in first.body.items() if key not in _LINKS}
    return Answer(200, first.headers, {**whole, "value": rows})


def _rows(answer: Answer) -> list[Any] | None:
    if answer.fault is not None or answer.status != 200 or not isinstance(answer.body, Mapping):
        return None
    rows = answer.body.get("value")
    return list(rows) if isinstance(rows, list) else None


def _link(body: Mapping[str, Any]) -> str | None:
    found = (body.get(name) for name in _LINKS)
    return next((str(each) for each in found if each), None)
