"""The plan of a run: which solution, which addresses. Written once, read by every process.

Addresses are chosen before the first process starts and kept for the next run, so that a process
that comes back is found where it was.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hybridmandate.local.state_folder import StateFolder

STAND_INS = ("entra", "dataverse", "office", "storage")
"""The processes that stand for a cloud service: https, as the service is."""
PROCESSES = (*STAND_INS, "gateway", "execution", "data", "flows")
GATEWAY_TLS = "gateway-tls"
"""The port on which the gateway speaks TLS: HTTP/2 and HTTP/1.1, client certificates."""
TCP = (*STAND_INS, "identity", "gateway", GATEWAY_TLS, "flows")
PRIVATE = ("execution", "data")

HAS_UNIX_SOCKETS = hasattr(socket, "AF_UNIX") and os.name != "nt"
HAS_SHARED_PORTS = sys.platform == "linux"
"""Whether the kernel spreads a port's connections over the processes that listen on it."""
MOST_WORKERS_UNASKED = 4


@dataclass(frozen=True, slots=True)
class RunPlan:
    """One run on one machine.

    ``ports`` are loopback ports by name (``identity`` is the managed-identity endpoint, served by
    the process ``entra``); ``private_ports`` those of execution and data gateway where the machine
    has no Unix sockets. ``pid`` is the supervisor's process id; ``gateways`` is how many processes
    the gateway has.
    """

    solution: str
    environment: str
    state: str
    pid: int
    ports: Mapping[str, int]
    private_ports: Mapping[str, int] = field(default_factory=dict)
    gateways: int = 1

    @property
    def processes(self) -> tuple[str, ...]:
        """The processes of this run: the gateway's further ones are ``gateway-2`` and so on."""
        further = [f"gateway-{number}" for number in range(2, self.gateways + 1)]
        return (*PROCESSES, *further)

    @property
    def folder(self) -> StateFolder:
        """The state folder of this run."""
        return StateFolder(Path(self.state))

    def origin(self, name: str) -> str:
        """The origin of a service with a port: https for stand-ins, http for ours."""
        scheme = "https" if name in (*STAND_INS, GATEWAY_TLS) else "http"
        host = "localhost" if scheme == "https" else "127.0.0.1"
        return f"{scheme}://{host}:{self.ports[name]}"

    def socket_path(self, process: str) -> Path | None:
        """The Unix socket of a process, None where there are none."""
        if not HAS_UNIX_SOCKETS:
            return None
        return self.folder.sockets / f"{process}.sock"

    def backend(self, process: str) -> str:
        """The address of a private process, as the gateway's back end names it."""
        path = self.socket_path(process)
        if path is not None:
            return f"http+unix://{path}"
        return f"http://127.0.0.1:{self.private_ports[process]}"

    def write(self) -> None:
        """Keep the plan where processes and commands find it."""
        target = self.folder.run_file
        temporary = target.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        temporary.replace(target)


class NotRunning(Exception):
    """Nothing runs in a state folder."""


def read_plan(state: Path) -> RunPlan:
    """The plan that was written last. :raises NotRunning: when there is none."""
    path = StateFolder(state).run_file
    try:
        return RunPlan(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise NotRunning(f"nothing was started with the state folder '{state}'") from error


def role_of(process: str) -> str:
    """What a process does: ``gateway`` for ``gateway-2``."""
    return process.partition("-")[0]


def gateway_count(wanted: int | None, cores: int) -> int:
    """How many processes the gateway gets: as many as wanted, else one per core up to four.

    One where a port belongs to one process only.
    """
    if not HAS_SHARED_PORTS:
        return 1
    return wanted or min(cores, MOST_WORKERS_UNASKED)


def make_plan(solution: Path, environment: str, state: Path, *, gateways: int = 1) -> RunPlan:
    """A plan with free ports: those of the last run where they are still free."""
    previous = _previous_ports(state)
    names = [*TCP, *([] if HAS_UNIX_SOCKETS else PRIVATE)]
    ports = free_ports(names, previous)
    return RunPlan(
        solution=str(solution.resolve()),
        environment=environment,
        state=str(state.resolve()),
        pid=os.getpid(),
        ports={name: ports[name] for name in TCP},
        private_ports={name: ports[name] for name in names if name in PRIVATE},
        gateways=gateways,
    )


def free_ports(names: Iterable[str], wanted: Mapping[str, int]) -> dict[str, int]:
    """A free loopback port for each name, the wanted one where it is free."""
    held: list[socket.socket] = []
    ports: dict[str, int] = {}
    try:
        for name in names:
            taken = _bind(wanted.get(name, 0)) or _bind(0)
            if taken is None:  # pragma: no cover - a machine without a free port
                raise OSError("this machine has no free loopback port")
            held.append(taken)
            ports[name] = taken.getsockname()[1]
    finally:
        for each in held:
            each.close()
    return ports


def _bind(port: int) -> socket.socket | None:
    candidate = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        candidate.bind(("127.0.0.1", port))
    except OSError:
        candidate.close()
        return None
    return candidate


def _previous_ports(state: Path) -> dict[str, int]:
    try:
        plan: Any = read_plan(state)
    except NotRunning:
        return {}
    return {**plan.ports, **plan.private_ports}
