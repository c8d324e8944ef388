"""Which API and operation a request belongs to.

APIs are told apart by the longest path suffix that matches whole segments; operations by method and
URL template, where a literal segment wins over a parameter and a parameter over ``*``
(learn.microsoft.com/azure/api-management/mock-api-responses and edit-api pages).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar
from urllib.parse import unquote

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Match(Generic[T]):
    """What was found, and the values of the template's parameters (percent-decoded)."""

    target: T
    parameters: Mapping[str, str]


class OperationTable(Generic[T]):
    """The operations of one API by method and template."""

    def __init__(self, entries: Iterable[tuple[str, str, T]]) -> None:
        self._literal: dict[tuple[str, str], T] = {}
        self._templates: list[tuple[tuple[int, ...], str, list[str], T]] = []
        for method, template, target in entries:
            path = template.split("?", 1)[0]
            segments = path.strip("/").split("/") if path.strip("/") else []
            if "{" not in path and "*" not in path:
                self._literal.setdefault((method, "/" + "/".join(segments)), target)
            else:
                self._templates.append((_rank(segments), method, segments, target))
        self._templates.sort(key=lambda each: each[0])

    def find(self, method: str, path: str) -> Match[T] | None:
        """The operation for a path below the API's own (``/items/7``), or None."""
        trimmed = path.rstrip("/") or "/"
        literal = self._literal.get((method, trimmed)) or self._literal.get(("*", trimmed))
        if literal is not None:
            return Match(literal, {})
        return self._template(path, (method, "*"))

    def find_any(self, path: str) -> Match[T] | None:
        """An operation for a path whatever its method, or None."""
        trimmed = path.rstrip("/") or "/"
        for (_, literal), target in self._literal.items():
            if literal == trimmed:
                return Match(target, {})
        return self._template(path, None)

    def _template(self, path: str, methods: tuple[str, str] | None) -> Match[T] | None:
        parts = path.strip("/").split("/") if path.strip("/") else []
        for _, wanted, segments, target in self._templates:
            if methods is not None and wanted not in methods:
                continue
            parameters = _match(segments, parts)
            if parameters is not None:
                return Match(target, parameters)
        return None


class ApiTable(Generic[T]):
    """APIs by path prefix; the longest wins."""

    def __init__(self, entries: Iterable[tuple[str, T]]) -> None:
        found = [(("/" + path.strip("/")) if path.strip("/") else "", api) for path, api in entries]
        self._entries = sorted(found, key=lambda each: -len(each[0]))

    def find(self, path: str) -> tuple[T, str] | None:
        """The API and the rest of the path below it (starts with ``/``), or None."""
        for prefix, api in self._entries:
            if path == prefix or path.startswith(prefix + "/"):
                return api, path[len(prefix) :] or "/"
        return None


@lru_cache(maxsize=4096)
def query_template(template: str) -> Mapping[str, str]:
    """Query parameters of a URL template (``/get?a={b}``): the template's parameter by name."""
    names = (each.partition("=") for each in template.partition("?")[2].split("&"))
    return {
        unquote(name): value[1:-1]
        for name, _, value in names
        if value.startswith("{") and value.endswith("}")
    }


def _rank(segments: list[str]) -> tuple[int, ...]:
    return tuple(2 if each == "*" else 1 if "{" in each else 0 for each in segments)


def _match(segments: list[str], parts: list[str]) -> dict[str, str] | None:
    parameters: dict[str, str] = {}
    for index, segment in enumerate(segments):
        if segment == "*" and index == len(segments) - 1:
            return parameters
        if segment.startswith("{*"):
            parameters[segment[2:-1]] = unquote("/".join(parts[index:]))
            return parameters
        if index >= len(parts) or not _match_segment(segment, parts[index], parameters):
            return None
    return parameters if len(parts) == len(segments) else None


def _match_segment(segment: str, part: str, parameters: dict[str, str]) -> bool:
    """One segment: a literal, ``*``, or literals around one parameter such as ``v{version}``."""
    begin = segment.find("{")
    if begin < 0:
        return segment in ("*", part)
    end = segment.index("}", begin)
    prefix, suffix = segment[:begin], segment[end + 1 :]
    if not (part.startswith(prefix) and part.endswith(suffix)):
        return False
    value = part[len(prefix) : len(part) - len(suffix)]
    if not value:
        return False
    parameters[segment[begin + 1 : end]] = unquote(value)
    return True
