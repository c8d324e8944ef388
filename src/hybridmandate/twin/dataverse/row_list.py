"""Rows of a table: `$filter`, `$orderby`, pages, `$count`; and what changed since (delta links).

Source: learn.microsoft.com/power-apps/developer/data-platform (webapi/query/overview and
'Use change tracking to synchronize data with external systems').
"""

from __future__ import annotations

import base64
import re
from typing import Any
from urllib.parse import quote, urlencode

from hybridmandate.twin.dataverse.errors import bad_request
from hybridmandate.twin.dataverse.exchange import ROOT, ApiAnswer, ApiRequest
from hybridmandate.twin.dataverse.fetch_answer import answer_fetch_xml
from hybridmandate.twin.dataverse.ordering import order_by, whole_number
from hybridmandate.twin.dataverse.presentation import Presentation
from hybridmandate.twin.dataverse.row_shape import known_options, preferences
from hybridmandate.twin.dataverse.store import DataverseStore, Transaction
from hybridmandate.twin.dataverse.table import TableDefinition

PAGE = 5_000
_OPTIONS = ("$select", "$filter", "$orderby", "$top", "$count", "$expand", "$skiptoken")


class RowList:
    """Lists rows; ``origin`` is the organisation's address, for links."""

    def __init__(self, store: DataverseStore, origin: str) -> None:
        self._store = store
        self._origin = origin

    def answer(
        self, request: ApiRequest, table: TableDefinition, shown: Presentation, rows: Transaction
    ) -> ApiAnswer:
        """Rows, or changes when the request asks for them.

        :raises DataverseError: 400 for an option that cannot be read, 501 for one not known here.
        """
        if "fetchXml" in request.query:
            return answer_fetch_xml(request, table, shown, self._origin)
        if "$deltatoken" in request.query:
            return self._changes(request, table, shown, rows)
        if request.prefers("odata.track-changes"):
            return self._tracked(request, table, shown, rows)
        return self._rows(request, table, shown, rows)

    def _rows(
        self, request: ApiRequest, table: TableDefinition, shown: Presentation, rows: Transaction
    ) -> ApiAnswer:
        known_options(request, _OPTIONS)
        sql = self._store.sql(table)
        text = request.query.get("$filter")
        where = shown.condition(table, text) if text else None
        order = order_by(request.query.get("$orderby"), sql.c)
        page = _page_size(request)
        offset = _offset(request.query.get("$skiptoken"))
        top = whole_number(request.query.get("$top"), "$top")
        if top is not None and "odata.maxpagesize" not in request.headers.get("prefer", ""):
            page = min(top, PAGE)
        found = rows.query(table, where, order, limit=page + 1, offset=offset)
        body: dict[str, Any] = {"@odata.context": self._context(table)}
        if request.query.get("$count") == "true":
            body["@odata.count"] = min(rows.count_where(table, where), PAGE)
        body["value"] = shown.show(table, found[:page], request.query)
        if len(found) > page and top is None:
            query = {**request.query, "$skiptoken": _token(offset + page)}
            body["@odata.nextLink"] = self._link(table, query)
        return ApiAnswer(200, body, preferences(request))

    def count(
        self, request: ApiRequest, table: TableDefinition, shown: Presentation, rows: Transaction
    ) -> ApiAnswer:
        """`set/$count`: how many rows match, at most 5,000."""
        known_options(request, ("$filter",))
        text = request.query.get("$filter")
        where = shown.condition(table, text) if text else None
        number = min(rows.count_where(table, where), PAGE)
        return ApiAnswer(200, data=str(number).encode())

    def _tracked(
        self, request: ApiRequest, table: TableDefinition, shown: Presentation, rows: Transaction
    ) -> ApiAnswer:
        """Every row in one answer, and the link that will tell what changed after it."""
        known_options(request, ("$select",))
        since = rows.last_change()
        found = rows.query(table, None, [], limit=-1, offset=0)
        body = {
            "@odata.context": f"{self._context(table)}/$delta",
            "@odata.deltaLink": self._link(table, {**request.query, "$deltatoken": str(since)}),
            "value": shown.show(table, found, request.query),
        }
        return ApiAnswer(200, body, {"preference-applied": "odata.track-changes"})

    def _changes(
        self, request: ApiRequest, table: TableDefinition, shown: Presentation, rows: Transaction
    ) -> ApiAnswer:
        known_options(request, ("$select", "$deltatoken"))
        since = whole_number(request.query["$deltatoken"], "$deltatoken") or 0
        changed = rows.changes_after(table, since, limit=PAGE + 1)
        value: list[dict[str, Any]] = []
        for _, row_id in changed[:PAGE]:
            row = rows.find(table, row_id)
            if row is not None:
                value.append(shown.one(table, row, request.query))
                continue
            gone = f"{self._context(table)}/$deletedEntity"
            value.append({"@odata.context": gone, "id": row_id, "reason": "deleted"})
        reached = changed[:PAGE][-1][0] if changed else since
        link = self._link(table, {**request.query, "$deltatoken": str(reached)})
        name = "@odata.nextLink" if len(changed) > PAGE else "@odata.deltaLink"
        context = f"{self._context(table)}/$delta"
        return ApiAnswer(200, {"@odata.context": context, name: link, "value": value})

    def _context(self, table: TableDefinition) -> str:
        return f"{self._origin}{ROOT}$metadata#{table.entity_set}"

    def _link(self, table: TableDefinition, query: dict[str, str]) -> str:
        return f"{self._origin}{ROOT}{table.entity_set}?{urlencode(query, quote_via=quote)}"


def _page_size(request: ApiRequest) -> int:
    match = re.search(r"odata\.maxpagesize=([0-9]{1,9})", request.headers.get("prefer", ""))
    return min(int(match[1]), PAGE) if match and int(match[1]) > 0 else PAGE


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(f"row {offset}".encode()).decode()


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        plain = base64.urlsafe_b64decode(token.encode())
    except ValueError:
        plain = b""
    match = re.fullmatch(rb"row ([0-9]{1,15})", plain)
    if match is None:
        raise bad_request("The skip token cannot be read.")
    return int(match[1])
