"""The seam to Dataverse: few methods, one implementation over the Web API for stand-in and cloud.

Pointing it at the real service changes address and credentials only.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

import httpx

from hybridmandate.contracts import FailureType, Refused, traceparent
from hybridmandate.identity.principal import TokenSource, TokenUnavailable

API = "/api/data/v9.2"
_ABOUT_THE_CHANGE = frozenset({400, 404, 412})
"""Statuses of a change set that say something about one of its changes. 401 and 403 say something
about the data gateway itself; 429 and 5xx about the service: both are no record's fault."""

MAX_QUERY_CHARS = 24_000
"""Longest query that is sent; the address of a GET may have 32 KB (Dataverse guide, Web API)."""

KEYS_A_QUERY = 25
"""Alternate keys asked for in one request: keeps the address short of its limit of 32 KB."""


@dataclass(frozen=True, slots=True)
class EntitySet:
    """How a table is addressed: its set name and the name of its id column."""

    logical_name: str
    name: str
    primary_id: str


@dataclass(frozen=True, slots=True)
class Change:
    """One write of a change set: a new row (with its id), or a change of a row as it was read."""

    entity: EntitySet
    row_id: str
    values: Mapping[str, Any]
    etag: str | None
    """The version that was read; None makes a new row and fails when the id is taken."""


class ChangeSetFailed(Exception):
    """A change set was undone. ``position`` is the failing change, None when it is not known."""

    def __init__(self, position: int | None, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.position = position
        self.status = status
        self.code = code
        self.message = message


class ValuesRefused(Exception):
    """Dataverse cannot look for these values: of another type than their column, or too long."""


class DataverseTables(Protocol):
    """What the data gateway needs of Dataverse."""

    async def describe(self, table: str) -> EntitySet:
        """How a table is addressed. :raises Refused: ``internal_error`` when there is none."""

    async def rows_by_key(
        self, entity: EntitySet, keys: Sequence[Mapping[str, Any]], select: Sequence[str]
    ) -> list[dict[str, Any]]:
        """The rows that have one of these alternate keys, with their ETags.

        :raises ValuesRefused: when one of the keys, not said which, cannot be looked for.
        """

    async def rows_by_id(
        self, entity: EntitySet, ids: Sequence[str], select: Sequence[str]
    ) -> list[dict[str, Any]]:
        """The rows that have one of these ids."""

    async def rows_where(
        self, entity: EntitySet, equal: Mapping[str, Sequence[Any]], select: Sequence[str], top: int
    ) -> list[dict[str, Any]]:
        """Up to ``top`` rows whose columns have one of the given values, in the order of ids.

        :raises ValuesRefused: when they cannot be looked for.
        """

    async def change(self, changes: Sequence[Change]) -> None:
        """Do all changes together or none.

        :raises ChangeSetFailed: when Dataverse undid them.
        :raises Refused: ``throttled`` with its time, ``downstream_unavailable`` when no answer
            came (the changes may have been done: look before repeating).
        """


class WebApiTables:
    """:class:`DataverseTables` over the Web API, for one transaction (correlation id)."""

    def __init__(
        self, origin: str, tokens: TokenSource, http: httpx.AsyncClient, correlation_id: str
    ) -> None:
        self._origin = origin.rstrip("/")
        self._tokens = tokens
        self._http = http
        self._correlation_id = correlation_id

    async def describe(self, table: str) -> EntitySet:
        query = (
            f"$select=LogicalName,EntitySetName,PrimaryIdAttribute&$filter=LogicalName eq '{table}'"
        )
        found = (await self._get(f"EntityDefinitions?{query}"))["value"]
        if not found:
            raise Refused(FailureType.INTERNAL_ERROR, f"Dataverse has no table '{table}'")
        return EntitySet(table, found[0]["EntitySetName"], found[0]["PrimaryIdAttribute"])

    async def rows_by_key(
        self, entity: EntitySet, keys: Sequence[Mapping[str, Any]], select: Sequence[str]
    ) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for start in range(0, len(keys), KEYS_A_QUERY):
            some = keys[start : start + KEYS_A_QUERY]
            condition = " or ".join(f"({_equal(key)})" for key in some)
            rows += await self._rows(entity, condition, select, None)
        return rows

    async def rows_by_id(
        self, entity: EntitySet, ids: Sequence[str], select: Sequence[str]
    ) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for start in range(0, len(ids), KEYS_A_QUERY * 4):
            some = ids[start : start + KEYS_A_QUERY * 4]
            condition = " or ".join(f"{entity.primary_id} eq {each}" for each in some)
            rows += await self._rows(entity, condition, select, None)
        return rows

    async def rows_where(
        self, entity: EntitySet, equal: Mapping[str, Sequence[Any]], select: Sequence[str], top: int
    ) -> list[dict[str, Any]]:
        parts = [
            "(" + " or ".join(_equal({name: value}) for value in values) + ")"
            for name, values in equal.items()
        ]
        return await self._rows(entity, " and ".join(parts), select, top)

    async def change(self, changes: Sequence[Change]) -> None:
        boundary, body = _change_set(self._origin, changes)
        headers = {"content-type": f"multipart/mixed; boundary={boundary}"}
        response = await self._send("POST", "$batch", headers, body)
        failed = _failed_item(response)
        if failed is None and response.status_code < 400:
            return
        if failed is None or failed.status not in _ABOUT_THE_CHANGE:
            raise _refused(response)
        raise failed

    async def _rows(
        self, entity: EntitySet, condition: str, select: Sequence[str], top: int | None
    ) -> list[dict[str, Any]]:
        columns = ",".join(dict.fromkeys((*select, entity.primary_id)))
        query = f"$select={columns}&$orderby={entity.primary_id}"
        query += f"&$filter={quote(condition)}" if condition else ""
        query += f"&$top={top}" if top is not None else ""
        if len(query) > MAX_QUERY_CHARS:
            raise ValuesRefused("the values to look for are too long for one query")
        page = await self._get(f"{entity.name}?{query}")
        rows = list(page["value"])
        while top is None and "@odata.nextLink" in page:
            page = await self._get(page["@odata.nextLink"])
            rows += page["value"]
        return rows

    async def _get(self, path: str) -> dict[str, Any]:
        response = await self._send("GET", path, {}, None)
        if response.status_code == 400:
            # A value, as a rule; or a declared column that the table lacks, which is then named.
            raise ValuesRefused(_error(response.content)[1])
        if response.status_code != 200:
            raise _refused(response)
        value: dict[str, Any] = response.json()
        return value

    async def _send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> httpx.Response:
        url = path if "://" in path else f"{self._origin}{API}/{path}"
        try:
            token = await self._tokens.token(self._origin)
            return await self._http.request(
                method,
                url,
                content=body,
                headers={
                    "authorization": f"Bearer {token}",
                    "accept": "application/json",
                    "odata-version": "4.0",
                    "odata-maxversion": "4.0",
                    "x-ms-correlation-id": self._correlation_id,
                    "traceparent": traceparent(self._correlation_id, "data", url),
                    **headers,
                },
            )
        except TokenUnavailable as error:
            raise _unavailable(f"no token for Dataverse could be had: {error}") from None
        except httpx.HTTPError as error:
            raise _unavailable(f"Dataverse did not answer: {type(error).__name__}") from None


def _equal(key: Mapping[str, Any]) -> str:
    return " and ".join(f"{name} eq {_literal(value)}" for name, value in key.items())


def _literal(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


def _change_set(origin: str, changes: Sequence[Change]) -> tuple[str, bytes]:
    batch, inner = f"batch_{uuid.uuid4()}", f"changeset_{uuid.uuid4()}"
    parts = [f"--{batch}", f"Content-Type: multipart/mixed; boundary={inner}", ""]
    for number, change in enumerate(changes, start=1):
        guard = "If-None-Match: *" if change.etag is None else f"If-Match: {change.etag}"
        parts += [
            f"--{inner}",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            f"Content-ID: {number}",
            "",
            f"PATCH {origin}{API}/{change.entity.name}({change.row_id}) HTTP/1.1",
            "Content-Type: application/json; type=entry",
            guard,
            "",
            json.dumps(change.values, ensure_ascii=False, allow_nan=False),
        ]
    parts += [f"--{inner}--", "", f"--{batch}--", ""]
    return batch, "\r\n".join(parts).encode()


_INNER_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
_INNER_ID = re.compile(rb"Content-ID:\s*(\d+)", re.IGNORECASE)


def _failed_item(response: httpx.Response) -> ChangeSetFailed | None:
    """The failing change of a batch's answer, when the answer is a multipart one that holds it."""
    if not response.headers.get("content-type", "").startswith("multipart/mixed"):
        return None
    for match in _INNER_STATUS.finditer(response.content):
        status = int(match[1])
        if status < 400:
            continue
        numbers = _INNER_ID.findall(response.content[: match.start()])
        position = int(numbers[-1]) - 1 if numbers else None
        code, message = _error(response.content[match.end() :])
        return ChangeSetFailed(position, status, code, message)
    return None


def _error(content: bytes) -> tuple[str, str]:
    start = content.find(b"{")
    if start < 0:
        return "", "Dataverse gave no reason"
    try:
        error = json.JSONDecoder().raw_decode(content[start:].decode("utf-8", "replace"))[0]
        return str(error["error"]["code"]), str(error["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return "", "Dataverse gave no reason that can be read"


def _refused(response: httpx.Response) -> Refused:
    status = response.status_code
    _, message = _error(response.content)
    after = response.headers.get("retry-after", "")
    seconds = int(after) if after.isdigit() else None
    if status == 429:
        return Refused(
            FailureType.THROTTLED,
            f"Dataverse is at its service protection limit: {message}",
            reason="dataverse.limit",
            retry_after_seconds=seconds or 1,
        )
    if status >= 500:
        return Refused(
            FailureType.DOWNSTREAM_UNAVAILABLE,
            f"Dataverse answered {status}: {message}",
            reason="dataverse.unavailable",
            retry_after_seconds=seconds,
        )
    return Refused(
        FailureType.INTERNAL_ERROR,
        f"Dataverse refused the data gateway ({status}): {message}",
        reason="dataverse.refused",
    )


def _unavailable(message: str) -> Refused:
    return Refused(FailureType.DOWNSTREAM_UNAVAILABLE, message, reason="dataverse.unavailable")
