"""The application user behind a request, and what it may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hybridmandate.twin.dataverse.errors import not_privileged
from hybridmandate.twin.dataverse.table import TableDefinition

Privileges = Mapping[str, frozenset[str]]
"""What an application user may do: table → create, read, update, delete."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who reads and writes: the application user."""

    user_id: str


@dataclass(frozen=True, slots=True)
class Caller:
    """The application user behind a request."""

    actor: Actor
    privileges: Privileges

    def require(self, privilege: str, table: TableDefinition) -> None:
        """:raises DataverseError: 403 when the privilege is missing."""
        if privilege not in self.privileges.get(table.logical_name, frozenset()):
            raise not_privileged(privilege, table.logical_name)
