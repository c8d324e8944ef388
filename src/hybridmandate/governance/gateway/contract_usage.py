"""Who called which version of a contract, when last, how often: retirement as a query (A3).

The gateway sees every call, also those that it refused; execution knows which calls it ran and
which were answered from an earlier outcome. Both write evidence under the caller's object id.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_CALLS = """
SELECT subject, principal, count(*), min(time_ns), max(time_ns), sum(outcome = 'refused'),
       sum(failure_type = 'contract_retired')
FROM evidence WHERE kind = 'gateway.call' AND time_ns >= ? GROUP BY subject, principal
"""
_RUNS = """
SELECT subject, principal, count(*), min(time_ns), max(time_ns), sum(outcome = 'replayed'),
       sum(failure_type IS NOT NULL)
FROM evidence WHERE kind = 'call.finished' AND time_ns >= ? GROUP BY subject, principal
"""
_PATH = re.compile(
    r"[A-Z]+ /[^ ]*?(?:operations/(?P<operation>[^/]+)|(?P<kind>view|commit)s/(?P<name>[^/]+))"
    r"/v(?P<version>[0-9]+)"
)
_SUBJECT = re.compile(r"(?P<operation>[^/]+)/(?P<version>[0-9]+)")


@dataclass(slots=True)
class Use:
    """One caller's use of one contract version.

    ``calls`` reached the gateway, ``refused`` of them ended there or at the service with a status
    of the caller's doing, ``retired`` because the version had ended; ``executed`` finished in the
    execution tier, ``replayed`` and ``failed`` of those. ``first_ns`` and ``last_ns`` are epoch
    nanoseconds. ``principal`` is an object id, None for calls that nobody could be named for.
    """

    operation: str
    version: int
    principal: str | None
    first_ns: int
    last_ns: int
    calls: int = 0
    refused: int = 0
    retired: int = 0
    executed: int = 0
    replayed: int = 0
    failed: int = 0

    def to_json(self) -> dict[str, Any]:
        """The use with times as ISO 8601."""
        return {
            "operation": self.operation,
            "version": self.version,
            "principal": self.principal,
            "calls": self.calls,
            "refused": self.refused,
            "retired": self.retired,
            "executed": self.executed,
            "replayed": self.replayed,
            "failed": self.failed,
            "first": _iso(self.first_ns),
            "last": _iso(self.last_ns),
        }


def contract_usage(evidence: sqlite3.Connection, since_ns: int) -> list[Use]:
    """The uses since a time (epoch nanoseconds), by contract and version, latest caller first."""
    found: dict[tuple[str, int, str | None], Use] = {}
    for subject, principal, count, first, last, refused, retired in evidence.execute(
        _CALLS, (since_ns,)
    ):
        contract = _called(subject)
        if contract is not None:
            use = _use(found, contract, principal, first, last)
            use.calls += count
            use.refused += refused
            use.retired += retired or 0
    for subject, principal, count, first, last, replayed, failed in evidence.execute(
        _RUNS, (since_ns,)
    ):
        named = _SUBJECT.fullmatch(subject)
        if named is not None:
            contract = named["operation"], int(named["version"])
            use = _use(found, contract, principal, first, last)
            use.executed += count
            use.replayed += replayed
            use.failed += failed
    return sorted(found.values(), key=lambda use: (use.operation, use.version, -use.last_ns))


def _called(subject: str) -> tuple[str, int] | None:
    """The contract of a gateway's subject (``POST /exec/operations/files.read/v1``)."""
    path = _PATH.fullmatch(subject)
    if path is None:
        return None
    name = path["operation"] or f"data.{path['kind']}.{path['name']}"
    return name, int(path["version"])


def _use(
    found: dict[tuple[str, int, str | None], Use],
    contract: tuple[str, int],
    principal: str | None,
    first_ns: int,
    last_ns: int,
) -> Use:
    use = found.setdefault((*contract, principal), Use(*contract, principal, first_ns, last_ns))
    use.first_ns, use.last_ns = min(use.first_ns, first_ns), max(use.last_ns, last_ns)
    return use


def _iso(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat(timespec="seconds")
