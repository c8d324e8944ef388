"""The directory that the shipped solution asks for, and the store that keeps it."""

from __future__ import annotations

import sqlite3
import uuid
from pathlib import Path

import pytest
from entra_kit import TENANT, Clock, small_directory

from hybridmandate.manifest import Solution, load_solution
from hybridmandate.twin.entra.derivation import FLOWS_TRIGGER_ROLE, directory_from_solution
from hybridmandate.twin.entra.directory import Directory, IdentityKind
from hybridmandate.twin.entra.store import DATABASE, DirectoryMissing, EntraStore

ORIGIN = "https://localhost:4302"
EXAMPLE = Path(__file__).parents[2] / "examples" / "vendor-invoices"


@pytest.fixture(scope="module")
def solution() -> Solution:
    return load_solution(EXAMPLE).solution


def derive(solution: Solution, environment: str = "local") -> Directory:
    return directory_from_solution(
        solution,
        environment,
        tenant_id=TENANT,
        dataverse_origin=ORIGIN,
        operation_roles={"Extra.Role"},
        trigger_principals={"invoice-batch"},
    )


ACCESS = [
    ("flow-invoice-intake", "api://vendor-invoices/local", "Files.Store"),
    ("gateway", "api://vendor-invoices-internal/local", "Execution.Invoke"),
    ("invoice-batch", "api://vendor-invoices-flows/local", FLOWS_TRIGGER_ROLE),
    ("flow-office", "https://graph.microsoft.com", "Mail.Send"),
    ("data-gateway", ORIGIN, None),
]
NO_ACCESS = [
    ("flow-invoice-intake", "api://vendor-invoices-internal/local"),
    ("flow-invoice-intake", ORIGIN),
    ("gateway", ORIGIN),
    ("execution", ORIGIN),
    ("execution", "api://vendor-invoices-flows/local"),
]


@pytest.mark.parametrize(("name", "resource", "role"), ACCESS)
def test_declared_access_is_granted(
    solution: Solution, name: str, resource: str, role: str | None
) -> None:
    directory = derive(solution)
    workload, api = directory.named(name), directory.api(resource)
    assert workload is not None
    assert api is not None
    assignment = directory.assignment(workload, api)
    assert assignment is not None
    assert role in assignment.roles if role else not assignment.roles


@pytest.mark.parametrize(("name", "resource"), NO_ACCESS)
def test_access_that_is_not_declared_is_not_granted(
    solution: Solution, name: str, resource: str
) -> None:
    directory = derive(solution)
    workload, api = directory.named(name), directory.api(resource)
    assert workload is not None
    assert api is not None
    assert directory.assignment(workload, api) is None


def test_the_gateways_roles_are_the_union_of_what_is_declared(solution: Solution) -> None:
    api = derive(solution).api("api://vendor-invoices/local")
    assert api is not None
    assert {"Extra.Role", "Files.Store", "Data.View.Vendors", "Data.Commit.Invoices"} <= api.roles


def test_ids_are_the_same_in_every_run_and_differ_by_environment(solution: Solution) -> None:
    assert derive(solution) == derive(solution)
    here = {each.client_id for each in derive(solution).workloads}
    there = {each.client_id for each in derive(solution, "test").workloads}
    assert not here & there
    assert all(uuid.UUID(each).version == 5 for each in here)


def test_kinds_and_people_come_from_the_manifest(solution: Solution) -> None:
    directory = derive(solution)
    gateway, ada = directory.named("gateway"), directory.user("ADA@contoso.example")
    assert gateway is not None
    assert gateway.kind is IdentityKind.MANAGED_IDENTITY
    assert ada is not None
    assert ada.display_name == "Ada Submitter"


def test_an_undeclared_trigger_principal_is_refused(solution: Solution) -> None:
    with pytest.raises(ValueError, match="nobody"):
        directory_from_solution(
            solution,
            "local",
            tenant_id=TENANT,
            dataverse_origin=ORIGIN,
            trigger_principals={"nobody"},
        )


def test_the_directory_survives_the_store(solution: Solution, tmp_path: Path) -> None:
    store = EntraStore(tmp_path, Clock())
    with pytest.raises(DirectoryMissing):
        store.directory()
    store.save_directory(derive(solution))
    again = EntraStore(tmp_path, Clock())
    assert again.directory() == derive(solution)


def test_a_switch_by_another_process_is_seen_at_once(tmp_path: Path) -> None:
    running, command = EntraStore(tmp_path, Clock()), EntraStore(tmp_path, Clock())
    flow = small_directory().workloads[0]
    assert running.is_enabled(flow)
    command.set_enabled(flow.client_id, False)
    assert not running.is_enabled(flow)


def test_the_store_never_holds_a_secret(tmp_path: Path) -> None:
    store = EntraStore(tmp_path, Clock())
    secret = store.add_secret("app")
    store.close()
    with sqlite3.connect(tmp_path / DATABASE) as database:
        assert secret not in "\n".join(map(str, database.iterdump()))
    assert (tmp_path / DATABASE).stat().st_mode & 0o077 == 0
