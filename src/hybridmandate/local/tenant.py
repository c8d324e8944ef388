"""The local tenant of a run: its directory, derived from the manifest, the same everywhere."""

from __future__ import annotations

import uuid
from dataclasses import replace

from hybridmandate.local.operations import shipped_operations
from hybridmandate.local.run_plan import RunPlan
from hybridmandate.manifest import SolutionFolder
from hybridmandate.twin.entra.derivation import directory_from_solution
from hybridmandate.twin.entra.directory import Api, Assignment, Directory, Workload

STORAGE_AUDIENCE = "https://storage.azure.com"
"""Azure Storage, every account of it; also the storage stand-in."""
STORAGE = "storage"


def directory_of(plan: RunPlan, folder: SolutionFolder) -> Directory:
    """The directory that the solution asks for in the environment that runs."""
    directory = directory_from_solution(
        folder.solution,
        plan.environment,
        tenant_id=folder.environment(plan.environment).environment.tenant,
        dataverse_origin=plan.origin("dataverse"),
        operation_roles={each.role for each in shipped_operations(None)},
        trigger_principals=[
            name for name, each in folder.solution.principals.items() if each.flows
        ],
    )
    return _with_storage(directory, folder)


def _with_storage(directory: Directory, folder: SolutionFolder) -> Directory:
    """The directory with Azure Storage: principals with data roles get tokens for it.

    Such a token carries no roles: the account itself knows what each principal may do.
    """
    space = uuid.UUID(directory.tenant_id)
    storage = Api(
        STORAGE,
        STORAGE_AUDIENCE,
        str(uuid.uuid5(space, "api/storage")),
        str(uuid.uuid5(space, "api-principal/storage")),
    )
    return replace(
        directory,
        apis=(*directory.apis, storage),
        assignments=(
            *directory.assignments,
            *(
                Assignment(name, STORAGE, frozenset())
                for name, each in folder.solution.principals.items()
                if each.storage
            ),
        ),
    )


def workload(directory: Directory, name: str) -> Workload:
    """A workload of the directory by its name in the manifest.

    :raises KeyError: when the manifest declares no such principal.
    """
    for each in directory.workloads:
        if each.name == name:
            return each
    raise KeyError(f"the manifest declares no principal '{name}'")
