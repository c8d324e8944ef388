"""FetchXML as values: read from XML within bounds, checked against the language's elements.

Source: learn.microsoft.com/power-apps/developer/data-platform/fetchxml (reference pages of
fetch, entity, attribute, order, link-entity, filter, condition).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lxml import etree

from hybridmandate.twin.dataverse.errors import DataverseError, unsupported

MAX_LENGTH = 65_536
"""Characters of a query: what a URL in a batch may hold."""
MAX_CONDITIONS = 500
MAX_LINKS = 15
MAX_COLUMNS = 500
"""Attributes of a query; and its orders."""
MAX_DEPTH = 30
"""How deep filters and links may be nested."""
MAX_PAGE = 5_000
_ALIAS = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
AGGREGATES = frozenset({"count", "countcolumn", "sum", "avg", "min", "max"})
_CHILDREN: Mapping[str, frozenset[str]] = {
    "fetch": frozenset({"entity"}),
    "entity": frozenset({"attribute", "all-attributes", "order", "filter", "link-entity"}),
    "link-entity": frozenset({"attribute", "all-attributes", "order", "filter", "link-entity"}),
    "filter": frozenset({"condition", "filter"}),
    "condition": frozenset({"value"}),
}
_ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "fetch": frozenset(
        {"version", "mapping", "output-format", "no-lock", "distinct", "top", "count", "page",
         "paging-cookie", "aggregate", "returntotalrecordcount", "latematerialize", "options",
         "useraworderby", "utc-offset"}
    ),
    "entity": frozenset({"name", "enableprefiltering", "prefilterparametername"}),
    "attribute": frozenset(
        {"name", "alias", "aggregate", "groupby", "distinct", "dategrouping", "usertimezone"}
    ),
    "all-attributes": frozenset(),
    "order": frozenset({"attribute", "alias", "descending", "entityname"}),
    "link-entity": frozenset(
        {"name", "from", "to", "alias", "link-type", "intersect", "visible", "enableprefiltering"}
    ),
    "filter": frozenset({"type", "isquickfindfields", "overridequickfindrecordlimitenabled",
                         "hint"}),
    "condition": frozenset({"attribute", "operator", "value", "valueof", "entityname", "uiname",
                            "uitype", "uihidden", "column"}),
    "value": frozenset({"uiname", "uitype", "hidden"}),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Attribute:
    """A column that is asked for."""

    name: str
    alias: str
    aggregate: str
    group_by: bool
    distinct: bool
    date_grouping: str


@dataclass(frozen=True, slots=True)
class Order:
    """An order by a column, or by an alias of an aggregate query."""

    attribute: str
    alias: str
    descending: bool
    entity: str


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a column; ``value_of`` compares with another column."""

    attribute: str
    operator: str
    values: tuple[str, ...]
    value_of: str
    entity: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions and filters, joined by and or by or."""

    any: bool
    parts: tuple[Condition | Filter, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """A joined table with what is asked of it."""

    start: str
    end: str
    alias: str
    outer: bool
    source: Source


@dataclass(frozen=True, slots=True)
class Source:
    """A table: what is asked of it, and what is joined with it."""

    table: str
    attributes: tuple[Attribute, ...]
    everything: bool
    orders: tuple[Order, ...]
    filters: tuple[Filter, ...]
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Fetch:
    """A whole query; ``count`` is the page's size, ``cookie`` the paging cookie of the page."""

    source: Source
    distinct: bool
    aggregate: bool
    total: bool
    top: int | None
    count: int | None
    page: int
    cookie: str


def parse_fetch_xml(text: str) -> Fetch:
    """The query of a text. :raises DataverseError: 400 where it is not understood, 501."""
    if len(text) > MAX_LENGTH:
        raise invalid(f"the query is longer than {MAX_LENGTH} characters")
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False
    )
    try:
        root: Any = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise invalid(f"it is not well-formed XML: {error}") from None
    if root.getroottree().docinfo.doctype:
        raise invalid("a document type is not allowed")
    if root.tag != "fetch":
        raise invalid(f"the root element is '{root.tag}', not 'fetch'")
    _check(root, 0)
    _check_numbers(root)
    (entity,) = _only(root, "entity")
    fetch = Fetch(
        source=_source(entity),
        distinct=_flag(root, "distinct"),
        aggregate=_flag(root, "aggregate"),
        total=_flag(root, "returntotalrecordcount"),
        top=_number(root, "top", MAX_PAGE),
        count=_number(root, "count", MAX_PAGE),
        page=_number(root, "page", 1_000_000) or 1,
        cookie=root.get("paging-cookie", ""),
    )
    _check_fetch(fetch)
    _check_aliases(fetch.source)
    return fetch


def invalid(message: str) -> DataverseError:
    """400: the query cannot be understood (0x80041103, invalid query)."""
    return DataverseError(400, "0x80041103", f"Invalid FetchXml: {message}.")


def _check(element: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise invalid(f"elements are nested deeper than {MAX_DEPTH} levels")
    for name in element.attrib:
        if name not in _ATTRIBUTES[element.tag]:
            raise unsupported(f"the FetchXML attribute '{name}' of '{element.tag}'")
    allowed = _CHILDREN.get(element.tag, frozenset())
    for child in _elements(element):
        if child.tag not in _ATTRIBUTES:
            raise unsupported(f"the FetchXML element '{child.tag}'")
        if child.tag not in allowed:
            raise invalid(f"'{child.tag}' may not stand within '{element.tag}'")
        _check(child, depth + 1)


def _check_numbers(root: Any) -> None:
    if sum(1 for _ in root.iter("condition")) > MAX_CONDITIONS:
        raise DataverseError(
            400, "0x8004430c", "Number of conditions in query exceeded maximum limit."
        )
    if sum(1 for _ in root.iter("link-entity")) > MAX_LINKS:
        raise DataverseError(
            400,
            "0x8004430d",
            f"Number of link entities in query exceeded maximum limit of {MAX_LINKS}.",
        )
    for name in ("attribute", "order"):
        if sum(1 for _ in root.iter(name)) > MAX_COLUMNS:
            raise invalid(f"there are more than {MAX_COLUMNS} elements '{name}'")


def _check_fetch(fetch: Fetch) -> None:
    if fetch.top is not None and (fetch.count is not None or fetch.page > 1 or fetch.cookie):
        raise invalid("top does not go with page, count or a paging cookie")
    attributes = list(_attributes(fetch.source))
    if fetch.aggregate and not attributes:
        raise invalid("an aggregate query needs an attribute")
    for attribute in attributes:
        if fetch.aggregate and not (attribute.aggregate or attribute.group_by):
            raise invalid(f"'{attribute.name}' is neither an aggregate nor grouped by")
        if fetch.aggregate and not attribute.alias:
            raise invalid(f"'{attribute.name}' needs an alias in an aggregate query")
        if not fetch.aggregate and (attribute.aggregate or attribute.group_by):
            raise invalid("aggregates need aggregate='true' at fetch")
        if attribute.aggregate and attribute.aggregate not in AGGREGATES:
            raise invalid(f"'{attribute.aggregate}' is no aggregate")


def _check_aliases(source: Source) -> None:
    aliases = [each.alias for each in _attributes(source) if each.alias]
    for alias in (*aliases, *_link_aliases(source)):
        if _ALIAS.fullmatch(alias) is None:
            raise invalid(
                f"the alias '{alias}' is not valid. Only characters within the ranges [A-Z], [a-z] "
                "or [0-9] or _ are allowed. The first character may only be in the ranges [A-Z], "
                "[a-z] or _"
            )
    if len(set(aliases)) < len(aliases):
        raise invalid("an alias of an attribute is there twice")


def _link_aliases(source: Source) -> Iterator[str]:
    for link in source.links:
        if link.alias:
            yield link.alias
        yield from _link_aliases(link.source)


def _attributes(source: Source) -> Iterator[Attribute]:
    yield from source.attributes
    for link in source.links:
        yield from _attributes(link.source)


def _source(element: Any) -> Source:
    return Source(
        table=_required(element, "name"),
        attributes=tuple(_attribute(each) for each in element.iterchildren("attribute")),
        everything=element.find("all-attributes") is not None,
        orders=tuple(_order(each) for each in element.iterchildren("order")),
        filters=tuple(_filter(each) for each in element.iterchildren("filter")),
        links=tuple(_link(each) for each in element.iterchildren("link-entity")),
    )


def _attribute(element: Any) -> Attribute:
    return Attribute(
        name=_required(element, "name"),
        alias=element.get("alias", ""),
        aggregate=element.get("aggregate", ""),
        group_by=_flag(element, "groupby"),
        distinct=_flag(element, "distinct"),
        date_grouping=element.get("dategrouping", ""),
    )


def _order(element: Any) -> Order:
    attribute, alias = element.get("attribute", ""), element.get("alias", "")
    if not attribute and not alias:
        raise invalid("an order names neither an attribute nor an alias")
    return Order(attribute, alias, _flag(element, "descending"), element.get("entityname", ""))


def _link(element: Any) -> Link:
    kind = element.get("link-type", "inner")
    if kind not in ("inner", "outer"):
        raise unsupported(f"the link type '{kind}' of FetchXML")
    return Link(
        start=element.get("to", ""),
        end=element.get("from", ""),
        alias=element.get("alias", ""),
        outer=kind == "outer",
        source=_source(element),
    )


def _filter(element: Any) -> Filter:
    kind = element.get("type", "and")
    if kind not in ("and", "or"):
        raise invalid(f"the filter type '{kind}' is neither and nor or")
    parts = (
        _condition(each) if each.tag == "condition" else _filter(each)
        for each in _elements(element)
    )
    return Filter(kind == "or", tuple(parts))


def _condition(element: Any) -> Condition:
    values = tuple(each.text or "" for each in element.iterchildren("value"))
    if element.get("value") is not None:
        values = (element.get("value"), *values)
    return Condition(
        attribute=_required(element, "attribute"),
        operator=_required(element, "operator"),
        values=values,
        value_of=element.get("valueof", ""),
        entity=element.get("entityname", ""),
    )


def _elements(element: Any) -> Iterator[Any]:
    """Child elements, without comments."""
    return (child for child in element if isinstance(child.tag, str))


def _only(root: Any, name: str) -> list[Any]:
    found = list(root.iterchildren(name))
    if len(found) != 1:
        raise invalid(f"there must be one '{name}'")
    return found


def _required(element: Any, name: str) -> str:
    value = element.get(name)
    if not value:
        raise invalid(f"'{element.tag}' needs the attribute '{name}'")
    return str(value)


def _flag(element: Any, name: str) -> bool:
    value = element.get(name, "false").lower()
    if value not in ("true", "false", "1", "0"):
        raise invalid(f"'{name}' must be true or false")
    return value in ("true", "1")


def _number(element: Any, name: str, most: int) -> int | None:
    value = element.get(name)
    if value is None:
        return None
    if not value.isascii() or not value.isdigit() or len(value) > 9 or not 0 < int(value) <= most:
        raise invalid(f"'{name}' must be a number from 1 to {most}")
    return int(value)
