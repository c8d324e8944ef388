"""A private service has a socket of mode 0600; a stop ends everything in order."""

import asyncio
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import httpx
import pytest


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
            for _ in range(500):
                try:
                    answer = await client.get("http://private/")
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.02)
            else:
                pytest.fail("it did not listen")
        assert answer.text == "hello"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert process.stdin is not None
        process.stdin.close()
        assert await asyncio.to_thread(process.wait, 10) == 0
        assert not path.exists()
    finally:
        process.kill()
        process.wait()
