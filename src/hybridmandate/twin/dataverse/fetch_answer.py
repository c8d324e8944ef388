"""The answer to `?fetchXml=`: rows with annotations, pages and their cookies."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from sqlalchemy import func, select

from hybridmandate.twin.dataverse.errors import DataverseError
from hybridmandate.twin.dataverse.exchange import ROOT, ApiAnswer, ApiRequest
from hybridmandate.twin.dataverse.fetch_query import FetchQuery, Output, build_query
from hybridmandate.twin.dataverse.fetch_xml import MAX_PAGE, Fetch, invalid, parse_fetch_xml
from hybridmandate.twin.dataverse.presentation import Presentation
from hybridmandate.twin.dataverse.row_shape import known_options, preferences
from hybridmandate.twin.dataverse.table import TableDefinition

MAX_AGGREGATED = 50_000
"""How many rows an aggregate query may read (0x8004E023 above it)."""
_MORE = "@Microsoft.Dynamics.CRM.morerecords"
_COOKIE = "@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"
_TOTAL = "@Microsoft.Dynamics.CRM.totalrecordcount"
_TOTAL_EXCEEDED = "@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"


def answer_fetch_xml(
    request: ApiRequest, table: TableDefinition, shown: Presentation, origin: str
) -> ApiAnswer:
    """Run a query. :raises DataverseError: 400, 403 or 501 for what it asks."""
    known_options(request, ("fetchXml",))
    fetch = parse_fetch_xml(request.query["fetchXml"])
    if fetch.source.table != table.logical_name:
        raise invalid(f"the entity '{fetch.source.table}' is not that of {table.entity_set}")
    query = build_query(fetch, table, shown.store, shown.caller)
    size = fetch.top or fetch.count or MAX_PAGE
    connection = shown.rows.connection
    if fetch.aggregate:
        _check_aggregated(query, shown)
    offset = (fetch.page - 1) * size
    found = connection.execute(query.statement.limit(size + 1).offset(offset)).all()
    body: dict[str, Any] = {"@odata.context": f"{origin}{ROOT}$metadata#{table.entity_set}"}
    if fetch.total:
        total = _counted(query, shown, MAX_PAGE + 1)
        body[_TOTAL] = min(total, MAX_PAGE)
        body[_TOTAL_EXCEEDED] = total > MAX_PAGE
    more = len(found) > size and fetch.top is None
    body[_MORE] = more
    if more and not query.by_link and query.extra:
        first, last = found[0], found[size - 1]
        body[_COOKIE] = _cookie(fetch, table, _key(query, first), _key(query, last))
    body["value"] = _rows(query, found[:size], table, shown)
    return ApiAnswer(200, body, preferences(request))


def _rows(
    query: FetchQuery, found: Any, table: TableDefinition, shown: Presentation
) -> list[dict[str, Any]]:
    names = [
        shown.names(each.column, (row[n] for row in found)) if each.column.type == "lookup" else {}
        for n, each in enumerate(query.outputs)
    ]
    return [_row(query, row, names, table, shown) for row in found]


def _row(
    query: FetchQuery,
    row: Any,
    names: list[dict[str, str]],
    table: TableDefinition,
    shown: Presentation,
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if query.extra:
        row_id, version = row[len(query.outputs)], row[len(query.outputs) + 1]
        made["@odata.etag"] = f'W/"{version}"'
        made[table.primary_id] = row_id
        if shown.root:
            made["@odata.id"] = f"{shown.root}{table.entity_set}({row_id})"
    for n, output in enumerate(query.outputs):
        if row[n] is None and output.linked:
            continue
        made[output.name] = row[n]
        made.update(_annotations(output, row[n], names[n], shown))
    return made


def _annotations(
    output: Output, value: Any, names: dict[str, str], shown: Presentation
) -> dict[str, Any]:
    if output.column.type == "lookup":
        return shown.lookup(output.column, output.name, value, names)
    return shown.annotated(output.column, output.name, value)


def _key(query: FetchQuery, row: Any) -> str:
    return str(row[len(query.outputs)])


def _cookie(fetch: Fetch, table: TableDefinition, first: str, last: str) -> str:
    """The cookie of the next page; its inner part is URL-encoded twice, as Dataverse does it."""
    inner = (
        f'<cookie page="{fetch.page}"><{table.primary_id} last="{{{last.upper()}}}" '
        f'first="{{{first.upper()}}}" /></cookie>'
    )
    coded = quoteattr(quote(quote(inner, safe=""), safe=""))
    return f'<cookie pagenumber="{fetch.page + 1}" pagingcookie={coded} istracking="False" />'


def _counted(query: FetchQuery, shown: Presentation, most: int) -> int:
    """How many rows match, counted up to a bound."""
    some = query.counted.limit(most).subquery()
    return int(shown.rows.connection.execute(select(func.count()).select_from(some)).scalar_one())


def _check_aggregated(query: FetchQuery, shown: Presentation) -> None:
    if _counted(query, shown, MAX_AGGREGATED + 1) > MAX_AGGREGATED:
        raise DataverseError(
            400,
            "0x8004e023",
            "The maximum record limit is exceeded. Reduce the number of records.",
        )
