"""Lists of Microsoft Graph: one page, or as many as an action's pagination says."""

from __future__ import annotations

from hybridmandate.orchestration.connectors.http_pages import all_pages
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import ServiceSession
from hybridmandate.orchestration.engine import Answer

_OPTIONS = ("$filter", "$orderby", "$top", "$skiptoken", "$select")


async def listed_pages(session: ServiceSession, path: str, call: OperationCall) -> Answer:
    """The list at a path; a page that fails is the answer. A link to another origin is refused."""
    given = {name: call.parameters.get(name) for name in _OPTIONS}
    query = {name: str(value) for name, value in given.items() if value not in (None, "")}
    first = await session.send("GET", path, call=call, query=query)
    if call.pagination is None:
        return first

    async def follow(link: str) -> Answer:
        return await session.send("GET", link, call=call)

    return await all_pages(first, path, call.pagination, follow)
