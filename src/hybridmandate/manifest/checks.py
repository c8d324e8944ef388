"""Checks between the parts of a manifest that a single model cannot see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hybridmandate.manifest.environment import Environment
from hybridmandate.manifest.positions import Path
from hybridmandate.manifest.solution import Solution

CATCH_ALL_WORDS = frozenset({"All", "Any", "Admin", "Everything", "Owner", "Contributor", "Full"})


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two parts of a manifest that do not fit: where, what, and what to write instead."""

    path: Path
    message: str
    hint: str


def check_solution(solution: Solution) -> Iterator[Conflict]:
    """Everything in ``mandate.toml`` that contradicts itself."""
    yield from _roles(solution)
    yield from _interfaces(solution)
    yield from _people(solution)
    for position, reader in enumerate(solution.files.readers):
        if reader not in solution.principals:
            yield Conflict(
                ("files", "readers", position),
                f"'{reader}' is not a principal of this solution",
                f"Write one of: {_names(solution.principals)}",
            )


def check_environment(solution: Solution, environment: Environment) -> Iterator[Conflict]:
    """Everything in an environment that does not fit the solution."""
    for name, connection in environment.connections.items():
        path: Path = ("connections", name, "principal")
        principal = solution.principals.get(connection.principal)
        if principal is None:
            yield Conflict(
                path,
                f"'{connection.principal}' is not a principal of this solution",
                f"Write one of: {_names(solution.principals)}",
            )
        elif principal.tier != "orchestration":
            yield Conflict(
                path,
                f"'{connection.principal}' belongs to the {principal.tier} tier",
                "Flows connect as principals of the orchestration tier; declare one",
            )


def _roles(solution: Solution) -> Iterator[Conflict]:
    for name, principal in solution.principals.items():
        for kind, roles in (("roles", principal.roles), ("internal", principal.internal)):
            for position, role in enumerate(roles):
                if CATCH_ALL_WORDS & set(role.split(".")):
                    yield Conflict(
                        ("principals", name, kind, position),
                        f"'{role}' is a catch-all role",
                        "Name one role per operation, such as Spreadsheets.Normalize",
                    )


def _interfaces(solution: Solution) -> Iterator[Conflict]:
    for name, view in solution.views.items():
        for position, column in enumerate(view.filter):
            if column not in view.columns:
                yield Conflict(
                    ("views", name, "filter", position),
                    f"the filter column '{column}' is not among the view's columns",
                    "A caller may filter only by what it may see: add it to columns or remove it",
                )
    for name, commit in solution.commits.items():
        for position, column in enumerate(commit.key):
            if column not in commit.columns:
                yield Conflict(
                    ("commits", name, "key", position),
                    f"the key column '{column}' is not among the commit's columns",
                    "Add it to columns",
                )
        if commit.ledger == commit.table:
            yield Conflict(
                ("commits", name, "ledger"),
                "the ledger is the table that it should account for",
                "Name a table of its own, such as hm_jobrecord",
            )


def _people(solution: Solution) -> Iterator[Conflict]:
    for name, person in solution.people.items():
        if person.manager is not None and person.manager not in solution.people:
            yield Conflict(
                ("people", name, "manager"),
                f"'{person.manager}' is not among the people",
                f"Write one of: {_names(solution.people)}",
            )
    contacts = {person.mail.lower() for person in solution.people.values()}
    for tier in ("orchestration", "execution", "governance"):
        owner = getattr(solution.owners, tier)
        if owner.contact.lower() in contacts:
            yield Conflict(
                ("owners", tier, "contact"),
                f"'{owner.contact}' is a person",
                "Name a team's address: ownership survives people (requirement T1)",
            )


def _names(mapping: Mapping[str, object]) -> str:
    return ", ".join(sorted(mapping)) or "(none is declared)"
