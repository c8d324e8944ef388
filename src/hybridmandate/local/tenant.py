"""The local tenant of a run: its directory, derived from the manifest, the same everywhere."""

from __future__ import annotations

from hybridmandate.local.operations import shipped_operations
from hybridmandate.local.run_plan import RunPlan
from hybridmandate.manifest import SolutionFolder
from hybridmandate.twin.entra.derivation import directory_from_solution
from hybridmandate.twin.entra.directory import Directory, Workload


def directory_of(plan: RunPlan, folder: SolutionFolder) -> Directory:
    """The directory that the solution asks for in the environment that runs."""
    return directory_from_solution(
        folder.solution,
        plan.environment,
        tenant_id=folder.environment(plan.environment).environment.tenant,
        dataverse_origin=plan.origin("dataverse"),
        operation_roles={each.role for each in shipped_operations(None)},
    )


def workload(directory: Directory, name: str) -> Workload:
    """A workload of the directory by its name in the manifest.

    :raises KeyError: when the manifest declares no such principal.
    """
    for each in directory.workloads:
        if each.name == name:
            return each
    raise KeyError(f"the manifest declares no principal '{name}'")
