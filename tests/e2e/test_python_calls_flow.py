"""Python → flow: a managed identity starts a flow, everybody else is refused and it is known."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
import time
import uuid
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from azure.identity import CertificateCredential
from azure.storage.queue import QueueServiceClient
from world import EXAMPLE

from hybridmandate import flows
from hybridmandate.contracts import FailureType, Refused
from hybridmandate.evidence.store import by_correlation_id, open_reader
from hybridmandate.identity.audiences import flows_audience
from hybridmandate.identity.managed_identity import ManagedIdentityTokens
from hybridmandate.identity.principal import TokenSource, TokenUnavailable
from hybridmandate.local.boot import IDENTITY_ENDPOINT, IDENTITY_HEADER
from hybridmandate.local.credentials import certificate_file
from hybridmandate.local.machine import LocalRun

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("python-calls-flow")]

T = TypeVar("T")
NAMES = ("entra", "storage", "flows")
"""What this file needs of a run: nobody calls the other processes."""
AUDIENCE = flows_audience("vendor-invoices", "local")


def definition(inputs: dict[str, Any]) -> dict[str, Any]:
    echo = {
        "type": "Response",
        "kind": "Http",
        "inputs": {"statusCode": 200, "body": {"got": "@triggerBody()?['number']"}},
        "runAfter": {},
    }
    return {
        "properties": {
            "connectionReferences": {},
            "definition": {
                "$schema": "https://schema.management.azure.com/providers/Microsoft.Logic/"
                "schemas/2016-06-01/workflowdefinition.json#",
                "contentVersion": "1.0.0.0",
                "triggers": {"manual": {"type": "Request", "kind": "Http", "inputs": inputs}},
                "actions": {"Answer": echo},
            },
        },
        "schemaVersion": "1.0.0.0",
    }


def write_flow(folder: Path, name: str, inputs: dict[str, Any]) -> None:
    path = folder / "flows" / f"{name}-{str(uuid.uuid5(uuid.NAMESPACE_DNS, name)).upper()}.json"
    path.write_text(json.dumps(definition(inputs)))


def solution(folder: Path) -> Path:
    """The shipped example with two flows that Python starts, and three principals that might."""
    target = folder / "solution"
    shutil.copytree(EXAMPLE, target)
    for each in (target / "flows").glob("*.json"):
        each.unlink()
    manifest = target / "mandate.toml"
    text = manifest.read_text()
    for name, line in (
        ("execution", 'flows = ["Flows.Trigger"]\nstorage = ["Storage Queue Data Message Sender"]'),
        ("invoice-batch", 'flows = ["Flows.Trigger"]'),
    ):
        text = text.replace(f"[principals.{name}]\n", f"[principals.{name}]\n{line}\n")
    auditor = '[principals.auditor]\nstorage = ["Storage Queue Data Contributor"]\n'
    manifest.write_text(text.replace("[principals.auditor]\n", auditor))
    environment = target / "environments" / "local.toml"
    kept = environment.read_text().partition("# What stands behind")[0]
    environment.write_text(kept + '[storage]\nqueues = ["invoices"]\n')
    return target


class Run:
    """The run, driven from ordinary test functions."""

    def __init__(self, folder: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        target = solution(folder)
        self.local = self.do(self._prepared(target, folder / "state"))
        caller = self.machine.boot.application_id("execution")
        write_flow(target, "for-all", {"triggerAuthenticationType": "Tenant"})
        named = {"triggerAuthenticationType": "User", "triggerAllowedUsers": caller}
        write_flow(target, "for-one", named)
        self.do(self.local.start())

    async def _prepared(self, target: Path, state: Path) -> LocalRun:
        local = LocalRun.prepare(target, "local", state)
        return LocalRun(local.machine, replace(local.supervisor, names=NAMES))

    @property
    def machine(self) -> Any:
        return self.local.machine

    @property
    def managed_identity(self) -> TokenSource:
        """The identity of the execution process, as that process itself uses it."""
        variables = self.local.supervisor.environment("execution")
        return ManagedIdentityTokens(
            variables[IDENTITY_ENDPOINT],
            variables[IDENTITY_HEADER],
            http=self.machine.http,
            clock=time.time,
        )

    def trigger(
        self, flow: str, tokens: TokenSource, correlation: str, key: str | None = None
    ) -> flows.FlowAnswer:
        address = flows.trigger_address(self.machine.plan.origin("flows"), flow)
        return self.do(
            flows.trigger(
                address,
                {"number": 42},
                tokens=tokens,
                http=self.machine.http,
                correlation_id=correlation,
                idempotency_key=key,
                audience=AUDIENCE,
            )
        )

    def evidence(self, correlation: str, kind: str) -> list[Any]:
        """Records of a transaction, as soon as there are some."""
        deadline = time.monotonic() + 10
        while True:
            store = open_reader(self.machine.plan.folder.evidence_database)
            try:
                found = [
                    each for each in by_correlation_id(store, correlation) if each.kind == kind
                ]
            finally:
                store.close()
            if found or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(90)

    def close(self) -> None:
        self.do(self.local.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


@pytest.fixture(scope="module", name="run")
def _run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    started = Run(tmp_path_factory.mktemp("python-calls-flow"))
    yield started
    started.close()


@pytest.fixture(name="correlation")
def _correlation() -> str:
    return str(uuid.uuid4())


@pytest.mark.parametrize("flow", ["for-all", "for-one"])
def test_a_managed_identity_starts_a_flow_and_hears_its_answer(
    run: Run, correlation: str, flow: str
) -> None:
    answer = run.trigger(flow, run.managed_identity, correlation)
    assert (answer.status, answer.body) == (200, {"got": 42})
    (started,) = [
        each
        for each in run.do(run.machine.flows.runs(flow))
        if each["correlationId"] == correlation
    ]
    assert started["status"] == "Succeeded"


def test_a_repeated_call_with_one_key_starts_one_run(run: Run, correlation: str) -> None:
    for _ in range(3):
        answer = run.trigger("for-all", run.managed_identity, correlation, key="invoice-17")
        assert answer.body == {"got": 42}
    runs = run.do(run.machine.flows.runs("for-all"))
    assert len([each for each in runs if each["correlationId"] == correlation]) == 1


def test_a_principal_that_the_flow_does_not_name_is_refused_with_evidence(
    run: Run, correlation: str
) -> None:
    with pytest.raises(Refused) as refused:
        run.trigger("for-one", run.machine.workload("invoice-batch"), correlation)
    assert refused.value.type is FailureType.FORBIDDEN
    (record,) = run.evidence(correlation, "flow.trigger")
    assert (record.outcome, record.failure_type) == ("refused", "forbidden")
    workloads = {each.name: each for each in run.machine.boot.directory.workloads}
    assert record.principal == workloads["invoice-batch"].object_id
    assert record.subject == "/flows/for-one/triggers/manual"


def test_a_principal_without_the_role_gets_no_token_for_flows(run: Run, correlation: str) -> None:
    with pytest.raises(TokenUnavailable):
        run.do(run.machine.workload("auditor").token(AUDIENCE))
    with pytest.raises(Refused) as refused:
        run.trigger("for-all", run.machine.workload("auditor"), correlation)
    assert refused.value.type is FailureType.UNAUTHORIZED


@pytest.mark.parametrize("authorization", [None, "Bearer nonsense"])
def test_no_valid_token_is_401_and_starts_nothing(
    run: Run, correlation: str, authorization: str | None
) -> None:
    headers = {"x-correlation-id": correlation}
    if authorization is not None:
        headers["authorization"] = authorization
    address = flows.trigger_address(run.machine.plan.origin("flows"), "for-all")
    answer = httpx.post(address, json={}, headers=headers, trust_env=False)
    assert answer.status_code == 401
    assert answer.json()["failure"]["type"] == "unauthorized"
    (record,) = run.evidence(correlation, "flow.trigger")
    assert (record.outcome, record.principal) == ("refused", None)
    runs = run.do(run.machine.flows.runs("for-all"))
    assert [each for each in runs if each["correlationId"] == correlation] == []


def test_the_storage_account_of_the_run_knows_the_manifests_roles(run: Run) -> None:
    plan = run.machine.plan
    ca = str(plan.folder.tls / "ca.pem")
    credential = CertificateCredential(
        run.machine.boot.tenant,
        run.machine.boot.application_id("auditor"),
        certificate_path=str(certificate_file(plan.folder, "auditor")),
        authority=plan.origin("entra"),
        disable_instance_discovery=True,
        connection_verify=ca,
    )
    service = QueueServiceClient(
        f"{plan.origin('storage')}/queue", credential=credential, connection_verify=ca
    )
    queue = service.get_queue_client("invoices")
    queue.send_message("17")
    assert [each.content for each in queue.receive_messages()] == ["17"]
