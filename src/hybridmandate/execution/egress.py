"""The egress guard: the execution process reaches named dependencies and nothing else (N3).

A Python audit hook (PEP 578) sees every connection, name look-up and child process that Python code
begins, and refuses what is not named. It cannot be removed again. What it cannot see is in
docs/execution/execution.md; the network's own rules (NSG, firewall, private endpoints)
stand behind it.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hybridmandate.evidence.record import Record, Recorder, Tier

MAX_DESTINATION_CHARS = 200
RESOLVED_FOR_SECONDS = 30.0

_CONNECTING = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_NAME_LOOKUP = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})
_REVERSE_LOOKUP = frozenset({"socket.gethostbyaddr", "socket.getnameinfo"})
_CHILD_PROCESS = frozenset(
    {
        "subprocess.Popen",
        "os.exec",
        "os.posix_spawn",
        "os.spawn",
        "os.system",
        "os.startfile",
        "os.startfile/2",
        "pty.spawn",
    }
)
_OWN_SOCKETS = frozenset({"uvloop", "pycares"})
"""Modules that open sockets in C, where no audit event is raised."""
_RAW = frozenset(
    value
    for name in ("SOCK_RAW", "SOCK_PACKET")
    if (value := getattr(socket, name, None)) is not None
)
_FAMILIES = frozenset(
    value
    for name in ("AF_INET", "AF_INET6", "AF_UNIX")
    if (value := getattr(socket, name, None)) is not None
)


@dataclass(frozen=True, slots=True)
class Dependency:
    """What may be reached: a host (name or address) with a port, or the path of a Unix socket."""

    name: str
    host: str | None = None
    port: int | None = None
    socket_path: str | None = None

    def __post_init__(self) -> None:
        network = self.host is not None and self.port is not None
        if network == (self.socket_path is not None):
            raise ValueError(f"dependency '{self.name}' needs host and port, or a socket path")


class GuardNotPossible(RuntimeError):
    """The process has loaded something that the guard cannot see into."""


class EgressGuard:
    """Decides about each outbound act; :func:`install_guard` puts it in force."""

    def __init__(
        self,
        dependencies: Iterable[Dependency],
        recorder: Recorder,
        clock: Callable[[], float] = time.time,
    ) -> None:
        named = list(dependencies)
        self._ports = {
            (_host(each.host), each.port)
            for each in named
            if each.host is not None and each.port is not None
        }
        self._hosts = {host for host, _ in self._ports}
        self._paths = {each.socket_path for each in named if each.socket_path is not None}
        self._recorder = recorder
        self._clock = clock
        self._resolved: dict[str, tuple[float, frozenset[str]]] = {}
        self._own_lookup = threading.local()

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        """The audit hook. :raises PermissionError: for what is not a named dependency."""
        if event in _CONNECTING:
            self._check_address(event, args[0], args[1])
        elif event in _NAME_LOOKUP:
            self._check_lookup(event, args[0])
        elif event in _REVERSE_LOOKUP:
            self._check_reverse_lookup(event, args[0])
        elif event in _CHILD_PROCESS:
            self._refuse(event, f"process {args[0]}")
        elif event == "socket.__new__":
            self._check_socket(event, args)
        elif event == "import" and str(args[0]).partition(".")[0] in _OWN_SOCKETS:
            self._record(event, f"module {args[0]}")
            # An ImportError, so that whoever would like to have it goes on without.
            raise ImportError(f"{args[0]} opens sockets that the egress guard cannot see")

    def _check_address(self, event: str, connection: Any, address: Any) -> None:
        if address is None:
            # sendmsg on a connected socket: its connect was judged.
            return
        if connection.family == getattr(socket, "AF_UNIX", None):
            path = address.decode("utf-8", "replace") if isinstance(address, bytes) else address
            if path not in self._paths:
                self._refuse(event, f"unix {path}")
            return
        host, port = _host(str(address[0])), address[1]
        if (host, port) in self._ports or self._resolves_to(host, port):
            return
        self._refuse(event, f"{host}:{port}")

    def _check_lookup(self, event: str, host: Any) -> None:
        if getattr(self._own_lookup, "running", False):
            return
        name = _host(_text(host))
        # An address needs no look-up, and no name is no name: a server that binds says that.
        if host is None or name == "" or name in self._hosts or _is_address(name):
            return
        self._refuse(event, f"name {name}")

    def _check_reverse_lookup(self, event: str, address: Any) -> None:
        name = _host(_text(address[0] if isinstance(address, tuple) else address))
        if name not in self._hosts:
            self._refuse(event, f"name {name}")

    def _check_socket(self, event: str, args: tuple[Any, ...]) -> None:
        family, kind = args[1], args[2]
        if family not in (*_FAMILIES, -1) or (kind != -1 and kind & 0xF in _RAW):
            self._refuse(event, f"socket family {int(family)} type {int(kind)}")

    def _resolves_to(self, address: str, port: int) -> bool:
        return any(
            address in self._addresses(host)
            for host, named_port in self._ports
            if named_port == port and not _is_address(host)
        )

    def _addresses(self, host: str) -> frozenset[str]:
        now = time.monotonic()
        until, addresses = self._resolved.get(host, (0.0, frozenset()))
        if now < until:
            return addresses
        self._own_lookup.running = True
        try:
            found = socket.getaddrinfo(host, None)
        except OSError:
            return addresses
        finally:
            self._own_lookup.running = False
        addresses = frozenset(_host(str(each[4][0])) for each in found)
        self._resolved[host] = (now + RESOLVED_FOR_SECONDS, addresses)
        return addresses

    def _refuse(self, event: str, destination: str) -> None:
        self._record(event, destination)
        raise PermissionError(
            f"egress refused: {destination[:MAX_DESTINATION_CHARS]} is not a named dependency of "
            "the execution tier; declare it in [execution] dependencies of mandate.toml"
        )

    def _record(self, event: str, destination: str) -> None:
        self._recorder.record(
            Record(
                time_ns=int(self._clock() * 1e9),
                tier=Tier.EXECUTION,
                kind="egress.refused",
                subject=destination[:MAX_DESTINATION_CHARS],
                outcome="refused",
                failure_type="forbidden",
                detail={"event": event},
            )
        )


def install_guard(guard: EgressGuard) -> None:
    """Put a guard in force for the rest of this process's life, at the end of its start-up.

    :raises GuardNotPossible: when a module with sockets of its own is loaded already.
    """
    loaded = sorted(_OWN_SOCKETS & set(sys.modules))
    if loaded:
        raise GuardNotPossible(
            f"{', '.join(loaded)} is loaded and opens sockets that the guard cannot see: run the "
            "service on asyncio's own event loop"
        )
    sys.addaudithook(guard)


def _text(value: Any) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _host(text: str | None) -> str:
    """A host in one form: lower case, no brackets, zone or final dot, mapped IPv4 as IPv4."""
    host = (text or "").lower().strip("[]").partition("%")[0].rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
