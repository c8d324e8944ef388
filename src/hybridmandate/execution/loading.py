"""Loading a team's own operations from the solution's ``operations/*.py``."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

from hybridmandate.contracts import Operation, Registry

_MODULE_NAME = re.compile(r"[a-z][a-z0-9_]*")
PACKAGE = "hybridmandate_solution_operations"


class OperationsRefused(Exception):
    """A folder of operations that cannot be served; the message names file, line and remedy."""


def load_operations(folder: Path) -> list[Operation]:
    """The operations declared in the files of a folder, by file name; none when there is no folder.

    Files whose names begin with ``_`` are skipped. Each file is a module of its own.
    :raises OperationsRefused: for a file that cannot be imported, has an unusable name or declares
        nothing, and for a contract that is declared twice.
    """
    registry = Registry()
    seen: dict[tuple[str, int], str] = {}
    for path in sorted(folder.glob("*.py")):
        if path.name.startswith("_"):
            continue
        for each in _operations_of(path):
            key = (each.ref.operation, each.ref.version)
            if key in seen:
                raise OperationsRefused(
                    f"operations/{path.name}: {key[0]} v{key[1]} is declared in "
                    f"operations/{seen[key]} already; give one of them another name or version"
                )
            seen[key] = path.name
            registry.add(each)
    return list(registry)


def _operations_of(path: Path) -> list[Operation]:
    declared = Registry()
    try:
        found = declared.add_module(_import(path))
    except ValueError as error:
        raise OperationsRefused(f"operations/{path.name}: {error}") from error
    if found == 0:
        raise OperationsRefused(
            f"operations/{path.name} declares no operation: use @operation, or begin the file's "
            "name with '_' when other files import it"
        )
    return list(declared)


def _import(path: Path) -> ModuleType:
    if _MODULE_NAME.fullmatch(path.stem) is None:
        raise OperationsRefused(
            f"operations/{path.name}: name the file in lower-case letters, digits and '_'"
        )
    name = f"{PACKAGE}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise OperationsRefused(f"operations/{path.name} cannot be imported as a Python module")
    module = importlib.util.module_from_spec(spec)
    # Annotations are looked up in sys.modules while the file runs.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise OperationsRefused(
            f"operations/{path.name}, line {_line_in(path, error)}: {type(error).__name__}: {error}"
        ) from error
    return module


def _line_in(path: Path, error: Exception) -> int:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 1
    line = 1
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
