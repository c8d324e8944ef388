"""Whether a request keeps to OData 4: versions, resource path, system query options.

Sources: OData Version 4.01, Part 1 (headers 8.2.6 to 8.2.8) and Part 2 (URL conventions, 4 and
5.1). Names are compared with a metadata document (EDMX) where one is at hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from hybridmandate.governance.gateway.xml_schemas import read_xml

_VERSION = re.compile(r"\d{1,2}\.\d{1,2}")
_SEGMENT = re.compile(r"(?P<name>\$?[A-Za-z_][\w.]*)(?P<key>\(.*\))?")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_OPTIONS = frozenset(
    {
        "$apply",
        "$compute",
        "$count",
        "$deltatoken",
        "$expand",
        "$filter",
        "$format",
        "$id",
        "$index",
        "$levels",
        "$orderby",
        "$schemaversion",
        "$search",
        "$select",
        "$skip",
        "$skiptoken",
        "$top",
    }
)
_NUMBERS = ("$top", "$skip", "$index")
_RESERVED = frozenset({"$metadata", "$batch", "$entity", "$all", "$crossjoin"})
_EDM = "{http://docs.oasis-open.org/odata/ns/edm}"
_MOST_NESTING = 64


class MetadataUnreadable(Exception):
    """A text that is no OData metadata document."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What stands at the root of the service, and the properties behind each entity set."""

    resources: frozenset[str]
    properties: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> Metadata:
        """From an EDMX document. :raises MetadataUnreadable: when it is none."""
        root = read_xml(text.encode())
        container = None if root is None else root.find(f".//{_EDM}EntityContainer")
        if root is None or container is None:
            raise MetadataUnreadable("no EntityContainer stands in it")
        types = {str(each.get("Name")): each for each in root.iter(f"{_EDM}EntityType")}
        properties: dict[str, frozenset[str]] = {}
        for each in container.iter(f"{_EDM}EntitySet", f"{_EDM}Singleton"):
            full = str(each.get("EntityType") or each.get("Type"))
            properties[str(each.get("Name"))] = frozenset(_properties(types, full))
        named = {str(each.get("Name")) for each in container if each.get("Name")}
        return cls(frozenset(named), properties)


def _properties(types: Mapping[str, object], name: str) -> Iterator[str]:
    """Property names of a type and of the types that it is derived from."""
    for _ in range(len(types)):
        found = types.get(name.rpartition(".")[2])
        if found is None:
            return
        for each in found:  # type: ignore[attr-defined]
            if each.tag in (f"{_EDM}Property", f"{_EDM}NavigationProperty"):
                yield str(each.get("Name"))
        name = str(found.get("BaseType") or "")  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions that are taken: the one that stands where none is said, least and most."""

    default: str = "4.0"
    least: str = "4.0"
    most: str | None = None


def version_problems(headers: Mapping[str, str], versions: Versions) -> Iterator[str]:
    """What is wrong with ``OData-Version`` and ``OData-MaxVersion``."""
    for name in ("OData-Version", "OData-MaxVersion"):
        said = headers.get(name.lower(), versions.default)
        if _VERSION.fullmatch(said) is None:
            yield f"Header {name} value of {said[:40]} is not a version."
            continue
        if _number(said) < _number(versions.least):
            yield f"{name} {said} is lower than {versions.least}."
        if (
            versions.most is not None
            and name == "OData-Version"
            and _number(said) > _number(versions.most)
        ):
            yield f"{name} {said} is higher than {versions.most}."


def url_problems(
    path: str, query: Mapping[str, Sequence[str]], metadata: Metadata | None
) -> Iterator[str]:
    """What is wrong with the resource path and the system query options."""
    segments = [unquote(each) for each in path.strip("/").split("/") if each]
    for each in segments:
        if each not in _RESERVED and not _is_segment(each):
            yield f"Path segment {each[:80]} is not an OData resource."
    first = _SEGMENT.fullmatch(segments[0]) if segments else None
    set_name = first["name"] if first else ""
    if metadata is not None and first and set_name not in metadata.resources | _RESERVED:
        yield f"Resource {set_name} is not in the metadata document."
    known = None if metadata is None or len(segments) > 1 else metadata.properties.get(set_name)
    for name, values in query.items():
        if not name.startswith("$"):
            continue
        if name.lower() not in _OPTIONS:
            yield f"Query option {name[:40]} is not an OData system query option."
        elif len(values) > 1:
            yield f"Query option {name} stands more than once."
        else:
            yield from _option_problems(name.lower(), values[0], known)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(each) for each in version.split("."))


def _is_segment(text: str) -> bool:
    found = _SEGMENT.fullmatch(text)
    if found is None or (found["name"].startswith("$") and found["name"] not in _AFTER):
        return False
    return found["key"] is None or is_balanced(found["key"])


_AFTER = frozenset({"$value", "$count", "$ref", "$each", "$crossjoin", "$filter"})


def _option_problems(name: str, value: str, known: frozenset[str] | None) -> Iterator[str]:
    if name in _NUMBERS:
        if not value.isascii() or not value.isdigit():
            yield f"Query option {name} must be a whole number."
    elif name == "$count":
        if value not in ("true", "false"):
            yield "Query option $count must be true or false."
    elif not value.strip():
        yield f"Query option {name} is empty."
    elif not is_balanced(value):
        yield f"Query option {name} has brackets or quotes that do not match."
    elif name in ("$select", "$orderby", "$expand") and known is not None:
        for each in _outermost(value):
            property = _IDENTIFIER.match(each)
            if property is not None and property[0] not in known and "." not in each:
                yield f"Property {property[0]} of {name} is not in the metadata document."


def is_balanced(text: str) -> bool:
    """Whether brackets match and strings end; nesting deeper than 64 counts as not."""
    depth = 0
    inside = False
    for sign in text:
        if sign == "'":
            inside = not inside
        elif inside:
            continue
        elif sign == "(":
            depth += 1
        elif sign == ")":
            depth -= 1
        if not 0 <= depth <= _MOST_NESTING:
            return False
    return depth == 0 and not inside


def _outermost(text: str) -> Iterator[str]:
    """The parts between commas that stand in no brackets."""
    depth = start = 0
    for index, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth == 0:
            yield text[start:index].strip()
            start = index + 1
    yield text[start:].strip()
