"""Every expression of a definition is parsed when it is loaded; faults come with their path.

A function that the language has not is one of them, though a run meets it only where it is reached:
the platform refuses to save such a flow.
"""

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
            unknown = parse_template(value).unknown_functions()
        except ExpressionError as error:
            errors.append(DefinitionError(path, str(error)))
            return
        errors.extend(
            DefinitionError(path, f"the template function '{name}' is not defined or not valid")
            for name in unknown
        )
    elif isinstance(value, dict):
        for key, each in value.items():
            if key not in _PLAIN:
                check_expressions(each, f"{path}.{key}", errors)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            check_expressions(each, f"{path}[{index}]", errors)
