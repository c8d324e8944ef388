"""What is wrong with a definition: a JSON path and a sentence each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DefinitionError:
    """One fault. ``path`` is a JSON path such as ``$.properties.definition.actions.Get_row``."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class DefinitionInvalid(Exception):
    """A definition that cannot be run; ``errors`` lists every fault, not the first."""

    def __init__(self, name: str, errors: Sequence[DefinitionError]) -> None:
        listed = "\n".join(f"  {each}" for each in errors)
        super().__init__(f"flow '{name}' cannot be loaded:\n{listed}")
        self.name = name
        self.errors = tuple(errors)
