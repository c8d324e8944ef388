"""Lists of SharePoint's REST interface: lists, their fields, their items.

Source: learn.microsoft.com/sharepoint/dev/sp-add-ins/working-with-lists-and-list-items-with-rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import Response

from hybridmandate.twin.office.attachments import COLUMN, Attachments
from hybridmandate.twin.office.body import graph_time
from hybridmandate.twin.office.list_query import QueryInvalid, order, parse_filter, property_of
from hybridmandate.twin.office.lists import Lists
from hybridmandate.twin.office.lists_surface import rank
from hybridmandate.twin.office.rest_address import Segment, names
from hybridmandate.twin.office.rest_attachments import SEGMENT, RestAttachments
from hybridmandate.twin.office.rest_errors import RestError
from hybridmandate.twin.office.rest_request import RestRequest
from hybridmandate.twin.office.tables import Row

DEFAULT_PAGE, MAX_PAGE = 100, 5_000
_OPTIONS = frozenset(
    {"$select", "$filter", "$orderby", "$top", "$expand", "$skiptoken", "$skip", "@target"}
)
_TYPED = re.compile(r"\b(?:datetime|guid)('[^']*')", re.IGNORECASE)
_SUBSTRING = re.compile(r"substringof\(\s*('(?:[^']|'')*')\s*,\s*(\w+)\s*\)", re.IGNORECASE)
_READ_ONLY = frozenset({"Id", "ID", "Created", "Modified", "GUID", COLUMN})
_KINDS = {2: "Text", 3: "Note", 4: "DateTime", 6: "Choice", 8: "Boolean", 9: "Number", 11: "URL",
          15: "MultiChoice", 20: "User"}  # fmt: skip
_OWN_FIELDS = {"Title": 2, "ID": 5, "Created": 4, "Modified": 4, "Author": 20, "Editor": 20}


class RestLists:
    """Answers everything below ``web/lists``."""

    def __init__(self, lists: Lists, attachments: Attachments) -> None:
        self._lists = lists
        self._attachments = RestAttachments(attachments)

    def answer(self, asked: RestRequest, segments: list[Segment]) -> Response:
        """``segments`` begin with ``lists``. :raises RestError: for what is refused."""
        found, rest = self._found(asked, segments)
        if found is None:
            return self._all(asked)
        if not rest:
            return self._one(asked, found)
        name, behind = rest[0].name, rest[1:]
        if name == "items" and not rest[0].arguments and not behind:
            return self._items(asked, found)
        if name == "items" and rest[0].arguments:
            return self._item(asked, found, _number(rest[0]), behind)
        if name == "items" and names(behind[:1]) == "getbyid":
            return self._item(asked, found, _number(behind[0]), behind[1:])
        if name == "fields" and not behind:
            return self._fields(asked, found)
        if name == "rootfolder" and not behind and asked.method == "GET":
            return asked.shape.one(_root_folder(asked, found))
        known = {key.lower(): key for key in _list(found)}
        if name in known and not behind and asked.method == "GET":
            return asked.shape.single(known[name], _list(found)[known[name]])
        raise RestError.not_simulated(f"{asked.method} lists/{names(rest)}")

    def _found(
        self, asked: RestRequest, segments: list[Segment]
    ) -> tuple[Row | None, list[Segment]]:
        first, rest = segments[0], segments[1:]
        wanted = first.argument()
        if wanted is None and rest and rest[0].name in ("getbytitle", "getbyid"):
            wanted = rest[0].argument() or rest[0].argument("title")
            rest = rest[1:]
        elif wanted is None and rest:
            raise RestError.not_simulated(f"{asked.method} lists/{names(rest)}")
        if wanted is None:
            return None, rest
        found = self._lists.find(asked.site, wanted)
        if found is None:
            raise RestError.no_list(wanted)
        return found, rest

    def _all(self, asked: RestRequest) -> Response:
        if asked.method == "GET":
            shown = [_list(each) for each in self._lists.of_site(asked.site)]
            return asked.shape.many(_chosen(shown, asked.query))
        if asked.method != "POST":
            raise RestError.not_simulated(f"{asked.method} lists")
        title = asked.body().get("Title")
        if not isinstance(title, str) or not title:
            raise RestError.bad("Title is required.")
        if self._lists.find(asked.site, title) is not None:
            message = "A list, survey, discussion board, or document library with the specified "
            message += "title already exists in this Web site."
            raise RestError(400, "-2130575342, Microsoft.SharePoint.SPException", message)
        made = self._lists.add_list(asked.site, title)
        return asked.shape.one(_list(made), 201)

    def _one(self, asked: RestRequest, found: Row) -> Response:
        if asked.method == "GET":
            return asked.shape.one(_selected(_list(found), asked.query))
        raise RestError.not_simulated(f"{asked.method} of a list")

    def _fields(self, asked: RestRequest, found: Row) -> Response:
        if asked.method == "GET":
            kinds = {**_OWN_FIELDS, **self._lists.fields(found["id"])}
            shown = [_field(name, kind) for name, kind in kinds.items()]
            return asked.shape.many(_chosen(shown, asked.query))
        if asked.method != "POST":
            raise RestError.not_simulated(f"{asked.method} fields")
        given = asked.body()
        title, kind = given.get("Title"), given.get("FieldTypeKind")
        if not isinstance(title, str) or not title or kind not in _KINDS:
            raise RestError.bad(f"Title and FieldTypeKind ({sorted(_KINDS)}) are required.")
        if title in _OWN_FIELDS or not self._lists.add_field(found["id"], title, kind):
            message = f'A duplicate field name "{title}" was found.'
            raise RestError(500, "-2130575306, Microsoft.SharePoint.SPException", message)
        return asked.shape.one(_field(title, kind), 201)

    def _items(self, asked: RestRequest, found: Row) -> Response:
        if asked.method == "POST":
            values = _writable(asked.body())
            made = self._lists.add(
                found["id"], values, asked.caller.to_graph(), request=asked.request_id
            )
            return asked.shape.one(_item(asked, found, made), 201)
        if asked.method != "GET":
            raise RestError.not_simulated(f"{asked.method} items")
        rows = self._lists.items(found["id"])
        items = _chosen([_item(asked, found, each) for each in rows], asked.query)
        start = asked.whole_number("$skiptoken", 0)
        end = start + min(asked.whole_number("$top", DEFAULT_PAGE), MAX_PAGE)
        following = None
        if end < len(items):
            query = urlencode({**asked.query, "$skiptoken": str(end)}, safe="$")
            following = f"{asked.api}/web/lists(guid'{found['id']}')/items?{query}"
        return asked.shape.many(items[start:end], following)

    def _item(self, asked: RestRequest, found: Row, number: int, behind: list[Segment]) -> Response:
        row = self._lists.item(found["id"], number)
        if row is None:
            raise RestError.missing("Item does not exist. It may have been deleted.")
        if behind and behind[0].name == SEGMENT:
            return self._attachments.answer(asked, found, number, behind)
        if names(behind) == "validateupdatelistitem" and asked.method == "POST":
            return self._validated(asked, found, number)
        if len(behind) == 1 and asked.method == "GET":
            shown = _item(asked, found, row)
            return asked.shape.single(behind[0].written, _property(shown, behind[0].written))
        if behind:
            raise RestError.not_simulated(f"{asked.method} items({number})/{names(behind)}")
        if asked.method == "GET":
            return asked.shape.one(_selected(_item(asked, found, row), asked.query))
        _matches(asked, _etag(found, row))
        if asked.method == "DELETE":
            self._lists.delete(found["id"], number)
            return Response(status_code=200)
        if asked.method not in ("MERGE", "PATCH"):
            raise RestError.not_simulated(f"{asked.method} of an item")
        values = _writable(asked.body())
        self._lists.change(found["id"], number, values, asked.caller.to_graph())
        return Response(status_code=204)

    def _validated(self, asked: RestRequest, found: Row, number: int) -> Response:
        given = asked.body().get("formValues")
        values = given if isinstance(given, list) else []
        if not values or not all(isinstance(each, Mapping) for each in values):
            raise RestError.bad("formValues is required.")
        fields = {str(each.get("FieldName")): each.get("FieldValue") for each in values}
        changed = _writable(fields)
        self._lists.change(found["id"], number, changed, asked.caller.to_graph())
        return asked.shape.many([
            {"FieldName": name, "FieldValue": value, "HasException": False, "ErrorMessage": None,
             "ItemId": number}
            for name, value in fields.items()
        ])  # fmt: skip


def _number(segment: Segment) -> int:
    text = segment.argument() or segment.argument("id") or ""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise RestError.bad(f"'{text}' is no id of an item.")
    return int(text)


def _matches(asked: RestRequest, current: str) -> None:
    wanted = asked.if_match
    if wanted is None or (wanted != "*" and wanted.strip('"') != current.strip('"')):
        raise RestError.stale()


def _writable(values: Mapping[str, Any]) -> dict[str, Any]:
    read_only = sorted(values.keys() & _READ_ONLY)
    if read_only or not values:
        name = read_only[0] if read_only else "nothing"
        raise RestError.bad(f"The property '{name}' cannot be written.")
    return {
        name: value["results"] if isinstance(value, Mapping) and "results" in value else value
        for name, value in values.items()
    }


def _chosen(values: list[dict[str, Any]], query: Mapping[str, str]) -> list[dict[str, Any]]:
    unknown = sorted(query.keys() - _OPTIONS)
    if unknown:
        raise RestError.not_simulated(f"query option {unknown[0]}")
    try:
        if query.get("$filter"):
            test = parse_filter(_plain_filter(query["$filter"]))
            values = [each for each in values if test(each)]
        for path, descending in reversed(order(query["$orderby"]) if "$orderby" in query else []):
            values = sorted(
                values, key=lambda each: rank(property_of(each, path)), reverse=descending
            )
    except QueryInvalid as error:
        raise RestError.bad(f"The expression is not valid: {error}.") from None
    return [_selected(each, query) for each in values]


def _plain_filter(text: str) -> str:
    """A filter of OData 3, as SharePoint has it, in the words of OData 4."""
    plain = _TYPED.sub(r"\1", text)
    return _SUBSTRING.sub(r"contains(\2,\1)", plain)


def _selected(value: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
    names = [each.strip() for each in query.get("$select", "").split(",") if each.strip()]
    if not names or "*" in names:
        return value
    shown: dict[str, Any] = {}
    for name in names:
        first, _, inner = name.partition("/")
        if inner:
            shown.setdefault(first, {})[inner] = property_of(value, name)
        else:
            shown[name] = _property(value, name) if name in ("Id", "ID") else value.get(name)
    return shown


def _property(value: Mapping[str, Any], name: str) -> Any:
    for key, found in value.items():
        if key.lower() == name.lower():
            return found
    raise RestError.bad(f"The field or property '{name}' does not exist.")


def _list(row: Row) -> dict[str, Any]:
    return {
        "Id": row["id"],
        "Title": row["name"],
        "BaseTemplate": 100,
        "Hidden": False,
        "ListItemEntityTypeFullName": f"SP.Data.{row['name'].replace(' ', '_x0020_')}ListItem",
    }


def _root_folder(asked: RestRequest, row: Row) -> dict[str, Any]:
    place = f"/sites/{asked.site}/Lists/{row['name']}"
    return {"Name": row["name"], "ServerRelativeUrl": place, "Exists": True}


def _field(name: str, kind: int) -> dict[str, Any]:
    return {
        "Title": name,
        "InternalName": name.replace(" ", "_x0020_"),
        "FieldTypeKind": kind,
        "TypeAsString": _KINDS.get(kind, "Counter"),
        "Hidden": False,
        "ReadOnlyField": name in _READ_ONLY,
    }


def _etag(found: Row, row: Row) -> str:
    return f'"{found["id"]},{row["version"]}"'


def _item(asked: RestRequest, found: Row, row: Row) -> dict[str, Any]:
    plain = {
        **json.loads(row["fields"]),
        "Id": row["number"],
        "ID": row["number"],
        "Created": graph_time(row["created"]),
        "Modified": graph_time(row["modified"]),
        "Author": _person(row["created_by"]),
        "Editor": _person(row["modified_by"]),
        "FileRef": f"/sites/{asked.site}/Lists/{found['name']}/{row['number']}_.000",
    }
    plain.setdefault("Title", None)
    plain.setdefault(COLUMN, False)
    if asked.shape.verbose:
        address = f"{asked.api}/web/lists(guid'{found['id']}')/items({row['number']})"
        metadata = {"id": address, "uri": address, "etag": _etag(found, row),
                    "type": f"SP.Data.{quote(found['name'])}ListItem"}  # fmt: skip
        return {"__metadata": metadata, **plain}
    return {"odata.etag": _etag(found, row), **plain}


def _person(text: str) -> dict[str, Any]:
    identity = json.loads(text)
    user = identity.get("user") or identity.get("application") or {}
    return {"Title": user.get("displayName"), "EMail": user.get("email")}
