"""A private service has a socket of mode 0600; a stop ends everything in order."""

import asyncio
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import httpx
import pytest

from hybridmandate.local.run_plan import free_ports


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no Unix sockets for servers here")
async def test_socket_is_private_and_gone_after_the_stop(tmp_path: Path) -> None:
    path = tmp_path / "private.sock"
    script = textwrap.dedent(
        f"""
        import asyncio, pathlib
        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route
        from hybridmandate.local.serving import Serving, serve
        async def hello(request): return PlainTextResponse("hello")
        app = Starlette(routes=[Route("/", hello)])
        asyncio.run(serve([Serving(app, path=pathlib.Path({str(path)!r}))]))
        """
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE)
    try:
        transport = httpx.AsyncHTTPTransport(uds=str(path))
        async with httpx.AsyncClient(transport=transport) as client:
            answer = await _asked(client, "http://private/")
        assert answer.text == "hello"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert process.stdin is not None
        process.stdin.close()
        assert await asyncio.to_thread(process.wait, 10) == 0
        assert not path.exists()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("signalled", [False, True])
async def test_stop_lets_a_call_that_is_under_way_end(tmp_path: Path, signalled: bool) -> None:
    script = textwrap.dedent(
        """
        import asyncio
        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route
        from hybridmandate.local.serving import Serving, bind, serve, server_of
        async def slow(request):
            print("begun", flush=True)
            await asyncio.sleep(1)
            return PlainTextResponse("whole")
        app = Starlette(routes=[Route("/", slow)])
        asyncio.run(serve([Serving(app, port=int(__import__("sys").argv[1]))]))
        """
    )
    port = free_ports(["served"], {})["served"]
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            asking = asyncio.create_task(_asked(client, f"http://127.0.0.1:{port}/"))
            assert await asyncio.to_thread(process.stdout.readline) == b"begun\n"
            if signalled:
                process.terminate()
            else:
                process.stdin.close()
            answer = await asking
        assert (answer.status_code, answer.text) == (200, "whole")
        assert await asyncio.to_thread(process.wait, 20) in (0, -15)
        with pytest.raises(httpx.ConnectError):
            await _once(f"http://127.0.0.1:{port}/")
    finally:
        process.kill()
        process.wait()


async def _asked(client: httpx.AsyncClient, url: str) -> httpx.Response:
    for _ in range(500):
        try:
            return await client.get(url)
        except httpx.ConnectError:
            await asyncio.sleep(0.02)
    pytest.fail("it did not listen")


async def _once(url: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.get(url)
