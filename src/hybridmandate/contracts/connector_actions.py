"""What a connector offers to makers: operations, views and commits in one form (A3, A6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import BaseModel

from hybridmandate.contracts.connector_dialect import (
    DEFINITIONS,
    Schema,
    plain_text,
    title_of,
    to_swagger,
    with_summary,
)
from hybridmandate.contracts.declaration import Limits, Operation
from hybridmandate.contracts.failures import FailureType
from hybridmandate.contracts.json_schema import Side, component_schemas
from hybridmandate.contracts.openapi import failure_types_of
from hybridmandate.contracts.outcome import Outcome
from hybridmandate.contracts.registry import Registry

_COLUMN_SCHEMAS: Mapping[str, Schema] = {
    "string": {"type": "string"},
    "memo": {"type": "string"},
    "integer": {"type": "integer"},
    "decimal": {"type": "number"},
    "double": {"type": "number"},
    "money": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
}


@dataclass(frozen=True, slots=True)
class DeclaredView:
    """A declared reading as the manifest has it; ``types`` are the columns' Dataverse types."""

    name: str
    version: int
    columns: Sequence[str]
    filter: Sequence[str]
    role: str
    max_rows: int
    types: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DeclaredCommit:
    """A declared write as the manifest has it; ``types`` are the columns' Dataverse types."""

    name: str
    version: int
    key: Sequence[str]
    columns: Sequence[str]
    role: str
    max_records: int
    types: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Action:
    """One action of the connector.

    ``path`` is the gateway's. ``request`` is the schema of the JSON body, None for a file;
    ``data`` the schema of the outcome's data, None when the answer is a file. ``limits`` is None
    where only the gateway's policy sets them.
    """

    operation_id: str
    name: str
    version: int
    path: str
    summary: str
    description: str
    role: str
    request: Schema | None
    data: Schema | None
    media_types: tuple[str, ...]
    as_job: bool
    failures: tuple[FailureType, ...]
    limits: Limits | None = None
    deprecated: date | None = None
    sunset: date | None = None


@dataclass(frozen=True, slots=True)
class Actions:
    """The actions of one connector and the definitions that their schemas refer to."""

    actions: tuple[Action, ...]
    definitions: Mapping[str, Schema]
    outcome: str
    """The name of the outcome's definition."""

    def resolve(self, schema: Schema) -> Schema:
        """The schema, or the definition that it refers to."""
        reference = schema.get("$ref")
        if reference is None:
            return schema
        return self.definitions[str(reference).removeprefix(DEFINITIONS)]


def connector_actions(
    registry: Registry,
    *,
    views: Sequence[DeclaredView] = (),
    commits: Sequence[DeclaredCommit] = (),
) -> Actions:
    """All that a solution publishes: operations first, then views and commits, each by name."""
    models: list[tuple[type[BaseModel], Side]] = [(Outcome, "serialization")]
    for each in registry:
        models += [(each.request, "validation")] if each.request is not None else []
        models += [(each.response, "serialization")] if each.response is not None else []
    names, schemas = component_schemas(models)
    return Actions(
        actions=(
            *(_operation(each, names) for each in registry),
            *(_view(each) for each in sorted(views, key=lambda v: (v.name, v.version))),
            *(_commit(each) for each in sorted(commits, key=lambda c: (c.name, c.version))),
        ),
        definitions={name: to_swagger(schema) for name, schema in schemas.items()},
        outcome=names[(Outcome, "serialization")],
    )


def _operation(operation: Operation, names: Mapping[tuple[type[BaseModel], Side], str]) -> Action:
    def schema(model: type[BaseModel] | None, side: Side) -> Schema | None:
        return None if model is None else {"$ref": DEFINITIONS + names[(model, side)]}

    return Action(
        operation_id=operation.operation_id,
        name=operation.ref.operation,
        version=operation.ref.version,
        path=f"/exec{operation.path}",
        summary=_summary(operation.summary),
        description=plain_text(operation.description),
        role=operation.role,
        request=schema(operation.request, "validation"),
        data=schema(operation.response, "serialization"),
        media_types=tuple(sorted(operation.media_types)),
        as_job="job" in operation.modes,
        failures=tuple(failure_types_of(operation)),
        limits=operation.limits,
        deprecated=operation.deprecated,
        sunset=operation.sunset,
    )


def _view(view: DeclaredView) -> Action:
    return Action(
        operation_id=f"data_view_{_identifier(view.name)}_v{view.version}",
        name=view.name,
        version=view.version,
        path=f"/data/views/{view.name}/v{view.version}",
        summary=f"Read {title_of(view.name).lower()}",
        description=f"Rows of the view {view.name} that match, at most {view.max_rows}.",
        role=view.role,
        request=_object(
            {
                "parameters": _columns(view.filter, view.types),
                "top": {"type": "integer", "minimum": 1, "maximum": view.max_rows},
            }
        ),
        data=_object(
            {
                "rows": {"type": "array", "items": _columns(view.columns, view.types)},
                "more": {"type": "boolean", "description": "Whether more rows match."},
            }
        ),
        media_types=("application/json",),
        as_job=False,
        failures=_without_retirement(),
    )


def _commit(commit: DeclaredCommit) -> Action:
    record = _object(
        {
            "record": {"type": "string", "minLength": 1, "maxLength": 200},
            "values": _columns(commit.columns, commit.types, required=commit.key),
        },
        required=("record", "values"),
    )
    records: Schema = {"type": "array", "items": record, "minItems": 1}
    return Action(
        operation_id=f"data_commit_{_identifier(commit.name)}_v{commit.version}",
        name=commit.name,
        version=commit.version,
        path=f"/data/commits/{commit.name}/v{commit.version}",
        summary=f"Commit {title_of(commit.name).lower()}",
        description=(
            f"Writes records by the commit {commit.name}, at most {commit.max_records} a call, "
            "each once per job and record."
        ),
        role=commit.role,
        request=_object(
            {
                "job": {"type": "string", "minLength": 1, "maxLength": 64},
                "records": {**records, "maxItems": commit.max_records},
            },
            required=("job", "records"),
        ),
        data=_object({"records": {"type": "array", "items": _COMMITTED}}),
        media_types=("application/json",),
        as_job=False,
        failures=_without_retirement(),
    )


def _object(properties: Mapping[str, Schema], *, required: Sequence[str] = ()) -> Schema:
    named: dict[str, Any] = {k: with_summary(v, k) for k, v in properties.items()}
    result: Schema = {"type": "object", "properties": named}
    return {**result, "required": list(required)} if required else result


_COMMITTED = _object(
    {
        "record": {"type": "string"},
        "status": {"type": "string"},
        "id": {"type": "string", "x-nullable": True},
        "reason": {"type": "string", "x-nullable": True},
    }
)


def _columns(
    columns: Sequence[str], types: Mapping[str, str], *, required: Sequence[str] = ()
) -> Schema:
    return _object({each: _column(each, types) for each in columns}, required=required)


def _column(column: str, types: Mapping[str, str]) -> Schema:
    """:raises KeyError: when the column's type is unknown: a contract is not guessed."""
    return dict(_COLUMN_SCHEMAS[types[column]])


def _summary(text: str) -> str:
    # Makers see it as the action's name: no slash, no punctuation at the end.
    return plain_text(text).replace("/", " or ").rstrip(" .:;,!?")


def _identifier(name: str) -> str:
    return name.replace("-", "_")


def _without_retirement() -> tuple[FailureType, ...]:
    return tuple(each for each in FailureType if each is not FailureType.CONTRACT_RETIRED)
