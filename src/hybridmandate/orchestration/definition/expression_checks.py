"""Every expression of a definition is parsed when it is loaded; faults come with their path."""

from __future__ import annotations

from typing import Any

from hybridmandate.orchestration.definition.errors import DefinitionError
from hybridmandate.orchestration.expressions import ExpressionError, parse_template

_PLAIN = frozenset({"$schema", "contentVersion", "description", "metadata", "schema"})
"""Keys whose content holds no expressions."""


def check_expressions(value: Any, path: str, errors: list[DefinitionError]) -> None:
    """Add a fault for every text that cannot be parsed."""
    if isinstance(value, str):
        if "@" not in value:
            return
        try:
            parse_template(value)
        except ExpressionError as error:
            errors.append(DefinitionError(path, str(error)))
    elif isinstance(value, dict):
        for key, each in value.items():
            if key not in _PLAIN:
                check_expressions(each, f"{path}.{key}", errors)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            check_expressions(each, f"{path}[{index}]", errors)
