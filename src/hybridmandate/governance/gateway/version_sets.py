"""Versions and revisions: which API of a path a request means.

A version set tells its versions apart by a path segment, a header or a query parameter
(learn.microsoft.com/azure/api-management/api-management-versions). ``;rev=N`` behind the API's part
of the path, or behind the whole path, asks for a revision; without it the current one answers
(learn.microsoft.com/azure/api-management/api-management-revisions).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from hybridmandate.governance.gateway.configuration import (
    ApiEntry,
    Configuration,
    VersioningScheme,
    VersionSet,
)
from hybridmandate.governance.gateway.errors import PolicyDocumentError
from hybridmandate.governance.gateway.messages import Request
from hybridmandate.governance.gateway.routing import ApiTable

T = TypeVar("T")

_REVISION = re.compile(r"(?P<before>[^;]*);rev=(?P<number>[1-9][0-9]{0,8})(?P<after>/.*)?")
_SEGMENT = re.compile(r"[A-Za-z0-9._~-]+")
_PARAMETERS = {
    VersioningScheme.HEADER: "versionHeaderName",
    VersioningScheme.QUERY: "versionQueryName",
}
_ORIGINAL = ""
"""The name of the version that answers when a request names none."""

_Ask = Callable[[Request], str]


@dataclass(slots=True)
class _Place(Generic[T]):
    """The APIs of one path: by version, then by revision (None: the current one)."""

    ask: _Ask
    version_set: VersionSet | None
    file: str
    versions: dict[str, dict[str | None, T]] = field(default_factory=dict)


class VersionedApis(Generic[T]):
    """Finds the API of a request by path, version and revision."""

    def __init__(self, configuration: Configuration, entries: Iterable[tuple[ApiEntry, T]]) -> None:
        """Arrange the APIs.

        :raises PolicyDocumentError: for a version without its set, two APIs in one place, or a
            revision whose current one is missing.
        """
        sets = {each.id: each for each in configuration.version_sets}
        places: dict[str, _Place[T]] = {}
        for api, target in entries:
            _add(places, api, _set_of(api, sets), target)
        for place in places.values():
            _require_current(place)
        self._table = ApiTable(list(places.items()))

    def find(self, path: str, request: Request) -> tuple[T, str] | None:
        """The API and the path below it, or None."""
        revision = None
        asked = _REVISION.fullmatch(path)
        if asked is not None:
            revision = asked["number"]
            path = asked["before"] + (asked["after"] or "")
        found = self._table.find(path)
        if found is None:
            return None
        place, rest = found
        if asked is not None and asked["after"] is not None and rest != asked["after"]:
            return None
        target = place.versions.get(place.ask(request), {}).get(revision)
        return None if target is None else (target, rest)


def _set_of(api: ApiEntry, sets: Mapping[str, VersionSet]) -> VersionSet | None:
    if api.version_set is None:
        if api.version:
            raise _error(api, f"version '{api.version}' has no version set (apiVersionSetId)")
        return None
    found = sets.get(api.version_set)
    if found is None:
        raise _error(api, f"there is no version set '{api.version_set}'")
    if found.scheme is VersioningScheme.SEGMENT:
        if api.version and _SEGMENT.fullmatch(api.version) is None:
            raise _error(api, f"version '{api.version}' cannot stand in a path")
    elif not found.parameter:
        raise _error(api, f"version set '{found.id}' needs a {_PARAMETERS[found.scheme]}")
    return found


def _add(
    places: dict[str, _Place[T]], api: ApiEntry, version_set: VersionSet | None, target: T
) -> None:
    path, version = api.path.strip("/"), api.version or _ORIGINAL
    ask: _Ask = _asks_nothing
    if version_set is not None and version_set.scheme is VersioningScheme.SEGMENT:
        path, version = "/".join(filter(None, (path, version))), _ORIGINAL
        version_set = None
    elif version_set is not None:
        ask = _asks(version_set)
    place = places.setdefault(path, _Place(ask, version_set, api.file))
    if place.version_set != version_set:
        raise _error(api, f"path '/{path}' has versions of another set or none: {place.file}")
    revisions = place.versions.setdefault(version, {})
    keys = [api.revision, None] if api.current else [api.revision]
    for key in keys:
        if key in revisions:
            what = f"revision {key}" if key is not None else "the current revision"
            raise _error(api, f"path '/{path}' has {what} of version '{version}' twice")
        revisions[key] = target


def _require_current(place: _Place[T]) -> None:
    for version, revisions in place.versions.items():
        if None not in revisions:
            raise PolicyDocumentError(
                place.file, 1, 1, f"version '{version}' has revisions and none that is current"
            )


def _asks_nothing(_: Request) -> str:
    return _ORIGINAL


def _asks(version_set: VersionSet) -> _Ask:
    name = version_set.parameter

    def by_header(request: Request) -> str:
        return request.headers.get(name) or _ORIGINAL

    def by_query(request: Request) -> str:
        if not request.url.raw_query:
            return _ORIGINAL
        return next(iter(request.url.query.get(name, ())), _ORIGINAL)

    return by_header if version_set.scheme is VersioningScheme.HEADER else by_query


def _error(api: ApiEntry, reason: str) -> PolicyDocumentError:
    return PolicyDocumentError(api.file, 1, 1, reason)
