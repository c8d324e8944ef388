"""Request and expectation files beside the policies: ``policies/tests/*.toml``.

A file holds ``[[case]]`` tables: ``name``, ``request`` (see :meth:`Rehearsal.send`), ``expect`` (as
the conformance cases: status, headers, body_contains, body_json_subset, backend_called,
backend_request …), optionally ``repeat`` (the last answer counts), ``back_end``, ``named_values``.
Each case gets a gateway of its own, so that limits do not leak from one into the next.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hybridmandate.governance.gateway.configuration import Configuration
from hybridmandate.governance.gateway.conformance_expectations import differences
from hybridmandate.governance.gateway.rehearsal import Rehearsal

_KNOWN = frozenset({"name", "request", "expect", "repeat", "back_end", "named_values"})
_EXPECTATIONS = frozenset(
    {
        "status",
        "headers",
        "headers_present",
        "headers_absent",
        "body_equals",
        "body_contains",
        "body_json",
        "body_json_subset",
        "backend_called",
        "backend_calls",
        "backend_request",
    }
)


class TestFileInvalid(Exception):
    """A test file that cannot be read or understood; the text names file and case."""

    __test__ = False


@dataclass(frozen=True, slots=True)
class PolicyCase:
    """One case and the file that it came from."""

    file: str
    name: str
    content: Mapping[str, Any]


def read_cases(folder: Path) -> list[PolicyCase]:
    """All cases of a folder, by file name, in their order.

    :raises TestFileInvalid: for a file that is no TOML, and a case with unknown or missing parts.
    """
    return [each for file in sorted(folder.glob("*.toml")) for each in _cases(file)]


async def run_case(
    case: PolicyCase, configuration: Configuration, claims: Mapping[str, Any]
) -> str:
    """An empty text, or what differs from the expectation.

    :raises PolicyDocumentError: when the policies cannot be served.
    """
    values = {**configuration.named_values, **case.content.get("named_values", {})}
    rehearsal = Rehearsal(
        replace(configuration, named_values=values), claims, case.content.get("back_end")
    )
    answer: Mapping[str, Any] = {}
    before_last = 0
    for _ in range(case.content.get("repeat", 1)):
        before_last = len(rehearsal.calls)
        answer = await rehearsal.send(case.content["request"])
    return "; ".join(differences(case.content["expect"], answer, rehearsal.calls, before_last, ()))


def _cases(file: Path) -> list[PolicyCase]:
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TestFileInvalid(f"{file}: {error}") from error
    cases = content.get("case")
    if content.keys() != {"case"} or not isinstance(cases, list) or not cases:
        raise TestFileInvalid(f"{file}: [[case]] tables are expected, and nothing else")
    return [_case(file, number, each) for number, each in enumerate(cases, start=1)]


def _case(file: Path, number: int, content: Mapping[str, Any]) -> PolicyCase:
    where = f"{file}: case {number}"
    for part in ("name", "request", "expect"):
        if not content.get(part):
            raise TestFileInvalid(f"{where} has no '{part}'")
    if "path" not in content["request"]:
        raise TestFileInvalid(f"{where}: its request has no 'path'")
    unknown = (content.keys() - _KNOWN) | (content["expect"].keys() - _EXPECTATIONS)
    if unknown:
        raise TestFileInvalid(f"{where}: '{min(unknown)}' is not known")
    repeat = content.get("repeat", 1)
    if not isinstance(repeat, int) or repeat < 1:
        raise TestFileInvalid(f"{where}: 'repeat' is a whole number from 1")
    return PolicyCase(str(file), str(content["name"]), content)
