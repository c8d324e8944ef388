"""The directory that a solution's manifest asks for, in one environment."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator

from hybridmandate.identity.audiences import (
    GRAPH_AUDIENCE,
    flows_audience,
    gateway_audience,
    internal_audience,
)
from hybridmandate.manifest import DeclaredPrincipal, Solution
from hybridmandate.twin.entra.directory import (
    Api,
    Assignment,
    Directory,
    IdentityKind,
    User,
    Workload,
)

GATEWAY, INTERNAL, FLOWS = "gateway-api", "internal-api", "flows-api"
DATAVERSE, GRAPH = "dataverse", "graph"
FLOWS_TRIGGER_ROLE = "Flows.Trigger"
"""The one role of the triggers' API."""


def directory_from_solution(
    solution: Solution,
    environment: str,
    *,
    tenant_id: str,
    dataverse_origin: str,
    operation_roles: Iterable[str] = (),
    trigger_principals: Iterable[str] = (),
) -> Directory:
    """Workloads, APIs, assignments and people of a solution's environment.

    Ids are uuid5 of (tenant, environment, name): the same in every run. ``operation_roles`` are the
    roles that the published operations require, ``trigger_principals`` the names of principals that
    may start flows, ``dataverse_origin`` such as ``https://localhost:4302``.

    :raises ValueError: when ``trigger_principals`` names a principal that is not declared.
    """
    space = uuid.uuid5(uuid.UUID(tenant_id), environment)
    triggers = frozenset(trigger_principals)
    unknown = sorted(triggers - solution.principals.keys())
    if unknown:
        raise ValueError(f"principal '{unknown[0]}' may start flows but is not declared")
    apis = _apis(solution, environment, space, dataverse_origin, frozenset(operation_roles))
    return Directory(
        tenant_id=tenant_id,
        workloads=tuple(_workload(name, p, space) for name, p in solution.principals.items()),
        apis=apis,
        assignments=tuple(
            assignment
            for name, declared in solution.principals.items()
            for assignment in _assignments(name, declared, name in triggers)
        ),
        users=tuple(
            User(name, _id(space, "user", name), person.name, person.mail)
            for name, person in solution.people.items()
        ),
    )


def _id(space: uuid.UUID, kind: str, name: str) -> str:
    return str(uuid.uuid5(space, f"{kind}/{name}"))


def _workload(name: str, declared: DeclaredPrincipal, space: uuid.UUID) -> Workload:
    return Workload(
        name=name,
        kind=IdentityKind(declared.kind.value),
        client_id=_id(space, "application", name),
        object_id=_id(space, "service-principal", name),
        tier=declared.tier,
        owner=declared.owner,
        enabled=declared.enabled,
    )


def _apis(
    solution: Solution,
    environment: str,
    space: uuid.UUID,
    dataverse_origin: str,
    operation_roles: frozenset[str],
) -> tuple[Api, ...]:
    slug = solution.solution.name
    principals = solution.principals.values()
    gateway_roles = operation_roles.union(
        (role for each in principals for role in each.roles),
        (view.role for view in solution.views.values()),
        (commit.role for commit in solution.commits.values()),
    )
    internal_roles = frozenset(role for each in principals for role in each.internal)
    graph_roles = frozenset(role for each in principals for role in each.graph)
    rows = (
        (GATEWAY, gateway_audience(slug, environment), gateway_roles),
        (INTERNAL, internal_audience(slug, environment), internal_roles),
        (FLOWS, flows_audience(slug, environment), frozenset({FLOWS_TRIGGER_ROLE})),
        (DATAVERSE, dataverse_origin.rstrip("/"), frozenset[str]()),
        (GRAPH, GRAPH_AUDIENCE, graph_roles),
    )
    return tuple(
        Api(name, identifier, _id(space, "api", name), _id(space, "api-principal", name), roles)
        for name, identifier, roles in rows
    )


def _assignments(name: str, declared: DeclaredPrincipal, triggers: bool) -> Iterator[Assignment]:
    if declared.roles:
        yield Assignment(name, GATEWAY, frozenset(declared.roles))
    if declared.internal:
        yield Assignment(name, INTERNAL, frozenset(declared.internal))
    if declared.graph:
        yield Assignment(name, GRAPH, frozenset(declared.graph))
    if declared.dataverse:
        yield Assignment(name, DATAVERSE, frozenset())
    if triggers:
        yield Assignment(name, FLOWS, frozenset({FLOWS_TRIGGER_ROLE}))
