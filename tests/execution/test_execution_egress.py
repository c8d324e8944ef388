"""The egress guard, in a child process: a hook cannot be taken off again."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from execution_kit import Records

from hybridmandate.execution.egress import Dependency, EgressGuard

CHILD = Path(__file__).with_name("guarded_child.py")


class Site:
    """Two listeners and a Unix socket; counts what reaches the one that is not allowed."""

    def __init__(self, folder: Path) -> None:
        self.allowed = _server()
        self.forbidden = _server()
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(("127.0.0.1", self.forbidden.server_port))
        self.datagrams.settimeout(0.05)
        self.socket_path = str(folder / "s")
        self.unix = socket.socket(socket.AF_UNIX)
        self.unix.bind(self.socket_path)
        self.unix.listen()

    def attempt(self, name: str) -> dict[str, Any]:
        ports = [str(self.allowed.server_port), str(self.forbidden.server_port)]
        done = subprocess.run(
            [sys.executable, str(CHILD), name, *ports, self.socket_path],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def reached(self) -> int:
        try:
            self.datagrams.recv(100)
        except TimeoutError:
            return int(self.forbidden.reached)  # type: ignore[attr-defined]
        return 1

    def close(self) -> None:
        for server in (self.allowed, self.forbidden):
            server.shutdown()
            server.server_close()
        self.datagrams.close()
        self.unix.close()


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


class _Counting(HTTPServer):
    reached = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        self.reached += 1
        super().process_request(request, client_address)


def _server() -> HTTPServer:
    server = _Counting(("127.0.0.1", 0), _Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    found = Site(tmp_path_factory.mktemp("site"))
    yield found
    found.close()


@pytest.mark.skipif(sys.platform == "win32", reason="uses POSIX calls and sockets")
@pytest.mark.parametrize(
    ("name", "event", "destination"),
    [
        ("requests", "socket.connect", "127.0.0.1:"),
        ("urllib", "socket.connect", "127.0.0.1:"),
        ("raw", "socket.connect", "127.0.0.1:"),
        ("connect_ex", "socket.connect", "127.0.0.1:"),
        ("mapped", "socket.connect", "127.0.0.1:"),
        ("other_loopback", "socket.connect", "127.0.0.2:"),
        ("asyncio", "socket.connect", "127.0.0.1:"),
        ("aiohttp", "socket.connect", "127.0.0.1:"),
        ("udp_sendto", "socket.sendto", "127.0.0.1:"),
        ("udp_sendmsg", "socket.sendmsg", "127.0.0.1:"),
        ("udp_connect", "socket.connect", "127.0.0.1:"),
        ("dns", "socket.getaddrinfo", "name c2vjcmv0.attacker.example"),
        ("dns_old", "socket.gethostbyname", "name c2vjcmv0.attacker.example"),
        ("dns_old_ex", "socket.gethostbyname", "name c2vjcmv0.attacker.example"),
        ("dns_reverse", "socket.gethostbyaddr", "name 192.0.2.1"),
        ("dns_nameinfo", "socket.getnameinfo", "name 192.0.2.1"),
        ("unix", "socket.connect", "unix "),
        ("raw_ip", "socket.__new__", "socket family"),
        ("packet", "socket.__new__", "socket family"),
        ("curl", "subprocess.Popen", "process curl"),
        ("system", "os.system", "process"),
        ("exec", "os.exec", "process"),
        ("posix_spawn", "os.posix_spawn", "process"),
    ],
)
def test_what_is_not_a_named_dependency_is_refused_and_recorded(
    site: Site, name: str, event: str, destination: str
) -> None:
    result = site.attempt(name)
    assert "PermissionError" in result["refused"], result
    assert "is not a named dependency" in result["message"]
    assert [e for e in result["evidence"] if e[0] == "egress.refused" and e[2] == event], result
    assert result["evidence"][0][1].startswith(destination)
    assert site.reached() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="uses POSIX calls and sockets")
@pytest.mark.parametrize(
    "name",
    ["allowed_http", "allowed_by_name", "allowed_socket", "allowed_asyncio", "allowed_server"],
)
def test_named_dependency_is_reached_and_leaves_no_refusal(site: Site, name: str) -> None:
    assert site.attempt(name) == {"refused": None, "message": "", "evidence": []}


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop does not exist there")
def test_event_loop_with_sockets_of_its_own_cannot_be_loaded(site: Site) -> None:
    result = site.attempt("uvloop")
    assert result["refused"][0] == "ImportError"
    assert result["evidence"][0][:2] == ["egress.refused", "module uvloop"]


@pytest.mark.parametrize(
    "arguments",
    [{}, {"host": "h"}, {"port": 1}, {"host": "h", "port": 1, "socket_path": "/s"}],
)
def test_dependency_is_a_host_with_a_port_or_a_socket(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="needs host and port, or a socket path"):
        Dependency("half", **arguments)


def test_host_is_compared_in_one_form() -> None:
    records = Records()
    guard = EgressGuard([Dependency("gateway", host="Gateway.Contoso.Example.", port=443)], records)
    guard("socket.getaddrinfo", ("gateway.contoso.example", 443, 0, 0, 0))
    guard("socket.getaddrinfo", (b"GATEWAY.contoso.example", 443, 0, 0, 0))
    guard("open", ("/etc/hosts", "r", 0))
    with pytest.raises(PermissionError):
        guard("socket.getaddrinfo", ("gateway.contoso.example.attacker.example", 443, 0, 0, 0))
    assert len(records.of("egress.refused")) == 1
