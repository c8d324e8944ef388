"""A whole hybrid solution on this machine: prepared, started, asked, stopped."""

from __future__ import annotations

import json
import os
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from hybridmandate.identity.client_certificate import CertificateTokens
from hybridmandate.local.boot import (
    IDENTITY_ENDPOINT,
    IDENTITY_HEADER,
    IDENTITY_HEADERS,
    OPERATOR_TOKEN,
    Boot,
)
from hybridmandate.local.credentials import (
    Credentials,
    certificate_files,
    people_file,
    prepare_credentials,
    read_operator_token,
)
from hybridmandate.local.flows_client import FlowsClient
from hybridmandate.local.person import Person, SignIn
from hybridmandate.local.run_plan import RunPlan, gateway_count, make_plan, role_of
from hybridmandate.local.state_folder import StateFolder
from hybridmandate.local.supervisor import Supervisor
from hybridmandate.local.tenant import directory_of
from hybridmandate.manifest import load_solution

START_SECONDS = 60.0
_INHERITED = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "SYSTEMROOT", "TMPDIR", "TEMP", "TZ")


class AlreadyRunning(Exception):
    """Another supervisor runs with this state folder."""


class VariableUnset(Exception):
    """An environment names an environment variable that this process does not have."""


@dataclass
class Machine:
    """Clients of a run: what a person or an operator on this machine can do with it."""

    plan: RunPlan
    http: httpx.AsyncClient
    _tls: ssl.SSLContext

    @classmethod
    def connect(cls, plan: RunPlan) -> Machine:
        """The clients of a run that is there already."""
        tls = ssl.create_default_context(cafile=str(plan.folder.tls / "ca.pem"))
        return cls(plan, httpx.AsyncClient(verify=tls, timeout=60.0, trust_env=False), tls)

    @property
    def boot(self) -> Boot:
        """The run as its processes see it, without an identity of its own."""
        return Boot("operator", self.plan, {})

    @property
    def flows(self) -> FlowsClient:
        """The operator's view of flows."""
        token = read_operator_token(self.plan.folder)
        return FlowsClient(self.plan.origin("flows"), token, self.http)

    def person(self, mail: str) -> Person:
        """Somebody of the local directory. :raises KeyError: when nobody has that address."""
        passwords = json.loads(people_file(self.plan.folder).read_text(encoding="utf-8"))
        sign_in = SignIn(
            token_endpoint=self.boot.token_endpoint,
            client_id=self.boot.application_id("flow-office"),
            user_name=mail,
            password=passwords[mail],
        )
        return Person(sign_in, self.plan.origin("office"), self.http)

    def workload(self, principal: str) -> CertificateTokens:
        """Tokens of a service principal, by its certificate."""
        return CertificateTokens(
            self.boot.token_endpoint,
            self.boot.application_id(principal),
            certificate_files(self.plan.folder, principal),
            http=self.http,
            clock=time.time,
        )

    async def ready(self, process: str) -> bool:
        """Whether a process answers that it is ready."""
        try:
            async with self.private_client(process) as client:
                answer = await client.get("/health/ready", timeout=2.0)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200

    def private_client(self, process: str) -> httpx.AsyncClient:
        """A client straight to a process, past the gateway: for health, and for being refused."""
        if process in self.plan.ports and not self._is_one_of_several(process):
            transport = httpx.AsyncHTTPTransport(verify=self._tls)
            return httpx.AsyncClient(transport=transport, base_url=self.plan.origin(process))
        path = self.plan.socket_path(process)
        if path is not None:
            transport = httpx.AsyncHTTPTransport(uds=str(path))
            return httpx.AsyncClient(transport=transport, base_url=f"http://{process}")
        port = self.plan.private_ports[process]
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False)

    def _is_one_of_several(self, process: str) -> bool:
        """Whether the process shares its port, so that only its own socket is sure to reach it."""
        return process == "gateway" and self.plan.gateways > 1

    async def close(self) -> None:
        """Close the clients; the run goes on."""
        await self.http.aclose()


@dataclass
class LocalRun:
    """A run that this process supervises."""

    machine: Machine
    supervisor: Supervisor

    @classmethod
    def prepare(cls, solution: Path, environment: str, state: Path) -> LocalRun:
        """Load the solution, choose addresses, make credentials; nothing is started yet.

        :raises SolutionRefused: when the solution does not load.
        :raises VariableUnset: when the environment names a variable that is not set.
        :raises AlreadyRunning: when another supervisor runs with this state folder.
        """
        folder = load_solution(solution)
        gateway = folder.environment(environment).gateway
        _refuse_unset(gateway.counters_url_variable)
        _refuse_second(state)
        StateFolder(state).prepare()
        count = gateway_count(gateway.workers, os.cpu_count() or 1)
        plan = make_plan(solution, environment, state, gateways=count)
        credentials = prepare_credentials(plan.folder, directory_of(plan, folder))
        plan.write()
        machine = Machine.connect(plan)
        supervisor = Supervisor(
            plan=plan,
            names=plan.processes,
            environment=lambda name: process_environment(name, plan, credentials),
            ready=machine.ready,
        )
        return cls(machine, supervisor)

    async def start(self) -> None:
        """Start everything and wait until it is ready. :raises RunFailed: when it does not."""
        await self.supervisor.start(timeout_seconds=START_SECONDS)

    async def stop(self) -> None:
        """Stop everything; state stays."""
        # Our own idle connections first: a server waits for them when it stops.
        await self.machine.close()
        await self.supervisor.stop()
        pid_file(self.machine.plan.folder).unlink(missing_ok=True)


def process_environment(name: str, plan: RunPlan, credentials: Credentials) -> Mapping[str, str]:
    """The variables of a process: what it needs of ours, its own identity, nothing else."""
    variables = {key: os.environ[key] for key in _INHERITED if key in os.environ}
    variables["PYTHONUNBUFFERED"] = "1"
    role = role_of(name)
    if role in credentials.identity_headers:
        variables[IDENTITY_ENDPOINT] = f"{plan.origin('identity')}/msi/token"
        variables[IDENTITY_HEADER] = credentials.identity_headers[role]
    if name == "entra":
        variables[IDENTITY_HEADERS] = json.dumps(dict(credentials.identity_headers))
    if role == "gateway":
        variables |= _counters_variable(plan)
    if name == "flows":
        variables[OPERATOR_TOKEN] = credentials.operator_token
    return variables


def _counters_variable(plan: RunPlan) -> Mapping[str, str]:
    """Where gateways of several machines count together, if the environment says so."""
    environment = load_solution(Path(plan.solution)).environment(plan.environment)
    name = environment.gateway.counters_url_variable
    return {name: os.environ[name]} if name is not None else {}


def pid_file(state: StateFolder) -> Path:
    """Holds the supervisor's process id while it runs."""
    return state.root / "supervisor.pid"


def _refuse_unset(variable: str | None) -> None:
    if variable is not None and not os.environ.get(variable):
        raise VariableUnset(
            f"the environment's [gateway] counters_url_variable names {variable}, which is not "
            "set: set it to a database URL such as postgresql+psycopg://user@host/name"
        )


def _refuse_second(state: Path) -> None:
    state.mkdir(parents=True, exist_ok=True)
    path = pid_file(StateFolder(state))
    try:
        pid = int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        pid = 0
    if pid and pid != os.getpid() and psutil.pid_exists(pid):
        raise AlreadyRunning(
            f"process {pid} runs a solution with the state folder '{state}': stop it first, or "
            "choose another folder with --state"
        )
    path.write_text(str(os.getpid()), encoding="ascii")
