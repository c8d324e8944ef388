"""Everything in a solution's folders that would keep it from running, found before it is started.

The manifest checks itself when it loads; here stand its artefacts (profiles, tables, operations,
policies, flows) as the processes load them, and what one artefact expects of another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hybridmandate.contracts import Refused, Registry
from hybridmandate.execution.loading import OperationsRefused, load_operations
from hybridmandate.execution.services.spreadsheets import ProfileError
from hybridmandate.execution.services.spreadsheets.profile import read_profile
from hybridmandate.governance.gateway.errors import PolicyDocumentError
from hybridmandate.governance.gateway.policy_findings import policy_findings
from hybridmandate.local.operations import shipped_operations
from hybridmandate.local.policies import rehearsed_policies
from hybridmandate.manifest import Environment, Finding, SolutionFolder
from hybridmandate.manifest.positions import LineIndex
from hybridmandate.orchestration.definition import DefinitionInvalid, Flow, read_flow
from hybridmandate.twin.dataverse.table import TableDefinition, TableInvalid, read_tables

MANIFEST = "mandate.toml"
PATHS = "paths"
"""The member of an OpenAPI document that holds its operations."""


def solution_findings(folder: SolutionFolder) -> list[Finding]:
    """What must change in the artefacts of a loaded solution, by kind of artefact and file.

    The files of the team's own operations are imported, as the execution service does.
    """
    return [
        *_profiles(folder),
        *_operations(folder),
        *_tables(folder),
        *_policies(folder),
        *_flows(folder),
    ]


def _profiles(folder: SolutionFolder) -> Iterator[Finding]:
    for path in sorted(folder.profiles.glob("*.toml")):
        text = path.read_text(encoding="utf-8", errors="replace")
        try:
            read_profile(text, source=path.name)
        except ProfileError as error:
            index = LineIndex(text)
            for line in str(error).splitlines():
                where, _, message = line.removeprefix(f"{path.name}: ").partition(": ")
                place = tuple(int(p) if p.isdigit() else p for p in where.split("."))
                yield Finding(_in(folder, path), index.line_of(place), where, message, "")


def _operations(folder: SolutionFolder) -> Iterator[Finding]:
    shipped = Registry(shipped_operations(None))
    for ref in folder.solution.services.refs:
        try:
            shipped.find(ref)
        except Refused as refused:
            known = ", ".join(str(each.ref) for each in shipped)
            hint = f"Publish one of: {known}"
            yield Finding(MANIFEST, None, "services.operations", refused.message, hint)
    try:
        load_operations(folder.operations)
    except OperationsRefused as refused:
        yield Finding("operations", None, "", str(refused), "")


def _tables(folder: SolutionFolder) -> Iterator[Finding]:
    try:
        tables = {each.logical_name: each for each in read_tables(folder.tables).values()}
    except TableInvalid as invalid:
        yield Finding("tables", None, "", str(invalid), "")
        return
    solution = folder.solution
    for name, view in solution.views.items():
        yield from _columns(f"views.{name}", view.table, view.columns, tables)
    for name, commit in solution.commits.items():
        yield from _columns(f"commits.{name}", commit.table, commit.columns, tables)
        yield from _columns(f"commits.{name}", commit.ledger, (), tables)


def _columns(
    where: str, table: str, columns: tuple[str, ...], tables: dict[str, TableDefinition]
) -> Iterator[Finding]:
    """A table of a view or commit that tables/*.json describes otherwise, or not at all."""
    found = tables.get(table)
    if found is None:
        hint = f"Describe it in tables/{table}.json, or name one of: {', '.join(sorted(tables))}"
        yield Finding(MANIFEST, None, where, f"there is no table '{table}'", hint)
        return
    for column in columns:
        if column not in found.columns and column != found.primary_id:
            message = f"the table '{table}' has no column '{column}'"
            hint = f"It has: {', '.join(sorted(found.columns))}"
            yield Finding(MANIFEST, None, where, message, hint)


def _policies(folder: SolutionFolder) -> Iterator[Finding]:
    """Each finding once, however many environments share the document."""
    seen: set[tuple[str, int, str]] = set()
    for name in sorted(folder.environments):
        try:
            findings = policy_findings(rehearsed_policies(folder, name))
        except PolicyDocumentError as error:
            findings = [error]
        for each in findings:
            if (each.file, each.line, each.reason) not in seen:
                seen.add((each.file, each.line, each.reason))
                file = _in(folder, Path(each.file))
                yield Finding(file, each.line, f"column {each.column}", each.reason, "")


def _flows(folder: SolutionFolder) -> Iterator[Finding]:
    for path in folder.flows:
        try:
            flow = read_flow(path)[1]
        except DefinitionInvalid as invalid:
            for each in invalid.errors:
                yield Finding(_in(folder, path), None, each.path, each.message, "")
            continue
        for name, environment in sorted(folder.environments.items()):
            yield from _bindings(_in(folder, path), flow, f"environments/{name}.toml", environment)
        yield from _custom_operations(folder, path, flow)


def _bindings(file: str, flow: Flow, settings: str, environment: Environment) -> Iterator[Finding]:
    """Connection references and environment variables that an environment leaves open."""
    for reference in flow.connections.values():
        if reference.logical_name not in environment.connections:
            yield Finding(
                file,
                None,
                f"connection reference '{reference.logical_name}'",
                f"{settings} has no connection for it",
                f"Add [connections.{reference.logical_name}] with connector and principal there",
            )
    for parameter in flow.parameters.values():
        schema_name = parameter.schema_name
        if schema_name and parameter.default is None and schema_name not in environment.variables:
            yield Finding(
                file,
                None,
                f"environment variable '{schema_name}'",
                f"it has no default, and {settings} gives it no value",
                f"Add {schema_name} to [variables] there",
            )


def _custom_operations(folder: SolutionFolder, path: Path, flow: Flow) -> Iterator[Finding]:
    """Operations of the solution's own connectors that their documents do not have."""
    for environment in folder.environments.values():
        known: dict[str, frozenset[str]] = {}
        for reference in flow.connections.values():
            connection = environment.connections.get(reference.logical_name)
            if connection is None or connection.connector.startswith("shared_"):
                continue
            document = folder.connectors / connection.connector / "apiDefinition.swagger.json"
            operations = _operation_ids(document)
            if operations is None:
                yield Finding(
                    _in(folder, document),
                    None,
                    f"connection '{reference.logical_name}'",
                    "its connector has no OpenAPI document there that can be read",
                    "Write it with: mandate contract connector",
                )
            else:
                known[reference.key] = operations
        yield from _unknown_operations(_in(folder, path), flow, known)


def _unknown_operations(
    file: str, flow: Flow, known: dict[str, frozenset[str]]
) -> Iterator[Finding]:
    for action in flow.actions.values():
        host = action.inputs.get("host") if isinstance(action.inputs, dict) else None
        if not isinstance(host, dict) or host.get("connectionName") not in known:
            continue
        operation = host.get("operationId")
        if operation not in known[host["connectionName"]]:
            message = f"its connector has no operation '{operation}'"
            hint = f"It has: {', '.join(sorted(known[host['connectionName']]))}"
            yield Finding(file, None, f"{action.path}.inputs.host.operationId", message, hint)


def _operation_ids(document: Path) -> frozenset[str] | None:
    """The ids in an OpenAPI 2 document; None when it cannot be read."""
    try:
        described: Any = json.loads(document.read_text(encoding="utf-8"))
        return frozenset(
            operation["operationId"]
            for methods in described[PATHS].values()
            for operation in methods.values()
            if isinstance(operation, dict) and "operationId" in operation
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _in(folder: SolutionFolder, path: Path) -> str:
    """The path as seen from the solution folder; a file of the shipped baseline as it is."""
    if path.is_absolute() and path.is_relative_to(folder.root):
        return path.relative_to(folder.root).as_posix()
    return str(path)
