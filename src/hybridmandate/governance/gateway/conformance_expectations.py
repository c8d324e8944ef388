"""What a conformance case expects, compared with what came."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def differences(
    expect: Mapping[str, Any],
    answer: Mapping[str, Any],
    calls: Sequence[Mapping[str, Any]],
    calls_before_last: int,
    service_calls: Sequence[Mapping[str, Any]],
) -> Iterator[str]:
    """Every expectation that does not hold, in words."""
    status = answer["status"]
    if "status" in expect and status != expect["status"]:
        yield f"status is {status}, not {expect['status']}: {answer['body'][:200]}"
    yield from _headers(expect, answer["headers"], "response")
    yield from _body(expect, answer["body"], "response", "body_")
    called = len(calls) > calls_before_last
    if "backend_called" in expect and called != expect["backend_called"]:
        yield f"the back end was {'' if called else 'not '}called"
    yield from _number_of_calls(expect, calls)
    if "backend_request" in expect:
        yield from _request(expect["backend_request"], calls, "back-end request")
    if "service_request" in expect:
        yield from _request(expect["service_request"], service_calls, "service request")


def differences_of_many(
    expect: Mapping[str, Any],
    answers: Sequence[Mapping[str, Any]],
    calls: Sequence[Mapping[str, Any]],
) -> Iterator[str]:
    """What does not hold of requests that were sent side by side.

    A ``status`` is expected of each of them.
    """
    statuses = sorted(each["status"] for each in answers)
    same = [expect["status"]] * len(answers) if "status" in expect else statuses
    wanted = expect.get("statuses_sorted", same)
    if statuses != wanted:
        yield f"statuses are {statuses}, not {wanted}"
    yield from _number_of_calls(expect, calls)


def _number_of_calls(
    expect: Mapping[str, Any], calls: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    if "backend_calls" in expect and len(calls) != expect["backend_calls"]:
        yield f"the back end was called {len(calls)} times, not {expect['backend_calls']}"


def _request(
    expect: Mapping[str, Any], calls: Sequence[Mapping[str, Any]], what: str
) -> Iterator[str]:
    if not calls:
        yield f"there is no {what}"
        return
    call = calls[-1]
    for name in ("method", "path", "url", "body"):
        if name in expect and call[name] != expect[name]:
            yield f"{name} of the {what} is {call[name]!r}, not {expect[name]!r}"
    if "url_startswith" in expect and not call["url"].startswith(expect["url_startswith"]):
        yield f"url of the {what} is {call['url']!r}"
    for name, value in (expect.get("query") or {}).items():
        if call["query"].get(name) != str(value):
            yield f"query {name} of the {what} is {call['query'].get(name)!r}, not {value!r}"
    for name in expect.get("query_absent", ()):
        if name in call["query"]:
            yield f"query {name} stands in the {what}"
    yield from _headers(expect, call["headers"], what)
    yield from _body(expect, call["body"], what, "body_")


def _headers(
    expect: Mapping[str, Any], headers: Sequence[tuple[str, str]], what: str
) -> Iterator[str]:
    found: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        found[key] = f"{found[key]},{value}" if key in found else value
    for name, value in (expect.get("headers") or {}).items():
        given = found.get(name.lower())
        if given is None or _tight(given) != _tight(str(value)):
            yield f"header {name} of the {what} is {given!r}, not {value!r}"
    for name in expect.get("headers_present", ()):
        if name.lower() not in found:
            yield f"header {name} is missing in the {what}"
    for name in expect.get("headers_absent", ()):
        if name.lower() in found:
            yield f"header {name} stands in the {what}: {found[name.lower()]!r}"


def _tight(text: str) -> str:
    return text.replace(", ", ",")


def _body(expect: Mapping[str, Any], body: str, what: str, prefix: str) -> Iterator[str]:
    if f"{prefix}equals" in expect and body != expect[f"{prefix}equals"]:
        yield f"body of the {what} is {body[:200]!r}, not {expect[f'{prefix}equals']!r}"
    if f"{prefix}contains" in expect and expect[f"{prefix}contains"] not in body:
        yield f"body of the {what} is {body[:200]!r}: {expect[f'{prefix}contains']!r} is missing"
    for name in (f"{prefix}json", f"{prefix}json_subset"):
        if name not in expect:
            continue
        try:
            value = json.loads(body)
        except ValueError:
            yield f"body of the {what} is no JSON: {body[:200]!r}"
            continue
        same = value == expect[name] if name.endswith("_json") else _holds(value, expect[name])
        if not same:
            yield f"body of the {what} is {body[:200]!r}, not {expect[name]!r}"


def _holds(value: Any, subset: Any) -> bool:
    """Whether the value holds at least what the subset says."""
    if isinstance(subset, Mapping):
        return isinstance(value, Mapping) and all(
            name in value and _holds(value[name], inner) for name, inner in subset.items()
        )
    if isinstance(subset, list):
        return (
            isinstance(value, list)
            and len(value) == len(subset)
            and all(_holds(each, inner) for each, inner in zip(value, subset, strict=True))
        )
    return bool(value == subset)
