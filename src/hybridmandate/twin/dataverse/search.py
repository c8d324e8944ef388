"""Dataverse search: rows of all tables that hold words, the closest first.

The simple syntax: words, ``"phrases"``, ``prefix*``, ``-not``, ``+and``, ``|or``. A row's score is
how often its text columns hold what was asked for; the service's own scores come from its index and
are others. Lucene's syntax, facets and suggestions are 501. Source: learn.microsoft.com/power-apps/
developer/data-platform/search/query (v1.0) and power-automate/dataverse/search.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hybridmandate.twin.dataverse.caller import Caller
from hybridmandate.twin.dataverse.errors import DataverseError, bad_request, unsupported
from hybridmandate.twin.dataverse.exchange import ApiAnswer, ApiRequest
from hybridmandate.twin.dataverse.presentation import Presentation
from hybridmandate.twin.dataverse.store import DataverseStore, Transaction
from hybridmandate.twin.dataverse.table import TableDefinition

MAX_TERM = 100
"""Characters of what is searched for."""
DEFAULT_ROWS, MAX_ROWS = 50, 100
MAX_READ = 5_000
"""Rows of one table that are looked at."""
_TERM = re.compile(r'([+|-]?)\s*("(?:[^"]*)"|[^\s+|"-][^\s+|"]*)')
_OPTIONS = frozenset(
    {"search", "searchtype", "searchmode", "top", "skip", "filter", "entities", "orderby"}
    | {"facets", "returntotalrecordcount"}
)


@dataclass(frozen=True, slots=True)
class Term:
    """One thing that is searched for; ``sign`` is '', '+', '|' or '-'."""

    sign: str
    pattern: re.Pattern[str]

    def times(self, text: str) -> int:
        """How often a text holds it."""
        return sum(1 for _ in self.pattern.finditer(text))


@dataclass(frozen=True, slots=True)
class Found:
    """A row with its score and the columns in which something was found."""

    table: TableDefinition
    row: Mapping[str, Any]
    score: float
    highlights: Mapping[str, Sequence[str]]


class Search:
    """Answers ``POST /api/search/v1.0/query``."""

    def __init__(self, store: DataverseStore) -> None:
        self._store = store

    def answer(
        self, request: ApiRequest, caller: Caller, rows: Transaction, shown: Presentation
    ) -> ApiAnswer:
        """The rows that the caller may read. :raises DataverseError: 400 or 501."""
        asked = request.json()
        _check(asked)
        terms = parse_terms(str(asked["search"]))
        every = asked.get("searchmode") == "all"
        found = [
            each
            for table in self._tables(asked.get("entities"), caller)
            for each in _in_table(table, terms, every, asked.get("filter"), rows, shown)
        ]
        found.sort(key=lambda each: (-each.score, each.row[each.table.primary_id]))
        start = _number(asked, "skip", 0)
        end = start + min(_number(asked, "top", DEFAULT_ROWS), MAX_ROWS)
        total = len(found) if asked.get("returntotalrecordcount") is True else -1
        value = [_shown(each, shown) for each in found[start:end]]
        return ApiAnswer(200, {"value": value, "facets": {}, "totalrecordcount": total})

    def _tables(self, names: Any, caller: Caller) -> list[TableDefinition]:
        if names is None:
            known = [each for _, each in sorted(self._store.tables.items())]
            return [each for each in known if _may_read(caller, each)]
        if not isinstance(names, list):
            raise bad_request("entities must be a list of logical names.")
        found = []
        for name in names:
            table = self._store.named(str(name))
            if table is None:
                raise bad_request(f"The entity '{name}' is not enabled for search.")
            caller.require("read", table)
            found.append(table)
        return found


def parse_terms(text: str) -> list[Term]:
    """What is searched for. :raises DataverseError: 400 when nothing is, or too much."""
    if not text.strip() or len(text) > MAX_TERM:
        raise bad_request(f"search needs 1 to {MAX_TERM} characters.")
    terms = []
    for sign, word in _TERM.findall(text):
        body = word.strip('"')
        prefix = body.endswith("*") and not word.startswith('"')
        pattern = rf"\b{re.escape(body.rstrip('*'))}" + ("" if prefix else r"\b")
        terms.append(Term(sign, re.compile(pattern, re.IGNORECASE)))
    if not any(each.sign != "-" for each in terms):
        raise bad_request("search names nothing to find.")
    return terms


def _check(asked: Mapping[str, Any]) -> None:
    unknown = sorted(asked.keys() - _OPTIONS)
    if unknown:
        raise bad_request(f"'{unknown[0]}' is no option of search.")
    if not isinstance(asked.get("search"), str):
        raise bad_request("search is required.")
    if asked.get("searchtype") not in (None, "simple"):
        raise unsupported("the Lucene syntax of search: use searchtype 'simple'")
    if asked.get("searchmode") not in (None, "any", "all"):
        raise bad_request("searchmode is 'any' or 'all'.")
    for name in ("facets", "orderby"):
        if asked.get(name):
            raise unsupported(f"{name} of search")


def _may_read(caller: Caller, table: TableDefinition) -> bool:
    try:
        caller.require("read", table)
    except DataverseError:
        return False
    return True


def _in_table(
    table: TableDefinition,
    terms: Sequence[Term],
    every: bool,
    condition: Any,
    rows: Transaction,
    shown: Presentation,
) -> list[Found]:
    where = shown.condition(table, str(condition)) if condition else None
    texts_of = [each.name for each in table.columns.values() if each.type in ("string", "memo")]
    found = []
    for row in rows.query(table, where, [], limit=MAX_READ, offset=0):
        texts = {name: str(row[name]) for name in texts_of if row.get(name)}
        score = _score(terms, every, texts.values())
        if score:
            found.append(Found(table, row, score, _highlights(terms, texts)))
    return found


def _score(terms: Sequence[Term], every: bool, texts: Any) -> float:
    whole = "\n".join(texts)
    times = [(each, each.times(whole)) for each in terms]
    if any(count for each, count in times if each.sign == "-"):
        return 0.0
    wanted = [(each, count) for each, count in times if each.sign != "-"]
    required = [count for each, count in wanted if each.sign == "+" or (every and not each.sign)]
    if not all(required):
        return 0.0
    return float(sum(count for _, count in wanted))


def _highlights(terms: Sequence[Term], texts: Mapping[str, str]) -> dict[str, list[str]]:
    marked = {}
    for name, text in texts.items():
        shown = text
        for each in terms:
            if each.sign != "-":
                shown = each.pattern.sub(lambda m: f"{{crmhit}}{m[0]}{{/crmhit}}", shown)
        if shown != text:
            marked[name] = [shown]
    return marked


def _shown(found: Found, shown: Presentation) -> dict[str, Any]:
    row, table = found.row, found.table
    whole = shown.one(table, row, {})
    return {
        "@search.score": found.score,
        "@search.highlights": dict(found.highlights),
        "@search.entityname": table.logical_name,
        "@search.objectid": row[table.primary_id],
        **{name: value for name, value in whole.items() if "@" not in name},
    }


def _number(asked: Mapping[str, Any], name: str, default: int) -> int:
    value = asked.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise bad_request(f"{name} must be a whole number.")
    return value
