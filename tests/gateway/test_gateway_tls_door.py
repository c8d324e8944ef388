"""TLS at the gateway's door: both protocols arrive the same, certificates shown and followed."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import httpx
import pytest
from tls_door_kit import LARGE, Door, public_part

from hybridmandate.twin.certificates import ensure_ca


@pytest.mark.parametrize("http2", [True, False])
async def test_call_arrives_the_same_over_both_protocols(door: Door, http2: bool) -> None:
    async with door.client(http2=http2) as client:
        cookies = {"cookie": "a=1; b=2", "x-name": "v"}
        answers = [
            await client.post("/a%2Fb?q=%20", content=b"body", headers=cookies) for _ in range(3)
        ]
    assert {each.http_version for each in answers} == {"HTTP/2" if http2 else "HTTP/1.1"}
    assert all(each.content == b"ok" and "date" in each.headers for each in answers)
    call = door.behind.calls[0]
    headers = dict(call["headers"])
    assert (call["raw_path"], call["query_string"], call["scheme"]) == (
        b"/a%2Fb",
        b"q=%20",
        "https",
    )
    assert headers[b"host"] == f"localhost:{door.port}".encode()
    assert (headers[b"cookie"], headers[b"x-name"]) == (b"a=1; b=2", b"v")
    assert (call["body"], headers[b"content-length"]) == (b"body", b"4")
    assert call["client"][0] == "127.0.0.1"


async def test_large_bodies_pass_both_ways_within_small_windows(door: Door) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"y" * 10_000

    async with door.client(http2=True) as client:
        answers = await asyncio.gather(
            *(client.post("/large", content=pieces()) for _ in range(12))
        )
    assert {len(each.content) for each in answers} == {LARGE}
    assert {len(call["body"]) for call in door.behind.calls} == {300_000}
    assert all((b"transfer-encoding", b"chunked") in call["headers"] for call in door.behind.calls)


@pytest.mark.parametrize("http2", [True, False])
@pytest.mark.parametrize("name", ["caller", None])
async def test_certificate_that_a_caller_shows_comes_with_each_call(
    door: Door, http2: bool, name: str | None
) -> None:
    certificate = None if name is None else door.folder / f"{name}.pem"
    async with door.client(http2=http2, certificate=certificate) as client:
        await client.get("/ok")
        await client.get("/ok")
    for call in door.behind.calls:
        chain = call["extensions"]["tls"]["client_cert_chain"]
        expected = [] if certificate is None else [(door.folder / "caller.public.pem").read_text()]
        assert chain == expected
    assert len(door.behind.calls) == 2


async def test_certificate_of_nobody_who_is_known_ends_the_handshake(door: Door) -> None:
    async with door.client(http2=True, certificate=door.folder / "stranger.pem") as client:
        with pytest.raises(httpx.TransportError):
            await client.get("/ok")
    assert door.behind.calls == []


async def _knows(door: Door, name: str) -> bool:
    async with door.client(http2=True, certificate=door.folder / f"{name}.pem") as client:
        try:
            return (await client.get("/ok")).status_code == 200
        except httpx.TransportError:
            return False


async def test_certificates_are_followed_while_connections_stand(door: Door) -> None:
    trusted = door.folder / "caller.public.pem"
    stranger = public_part(door.folder / "stranger.pem").read_text()
    async with door.client(http2=True, certificate=door.folder / "caller.pem") as standing:
        await standing.get("/ok")
        assert not await _knows(door, "stranger")
        trusted.write_text(trusted.read_text() + stranger)
        assert (await _knows(door, "stranger"), await _knows(door, "caller")) == (True, True)
        trusted.write_text(stranger[:400])
        assert (await _knows(door, "stranger"), await _knows(door, "caller")) == (True, True)
        trusted.write_text(stranger)
        assert (await _knows(door, "stranger"), await _knows(door, "caller")) == (True, False)
        assert (await standing.get("/ok")).status_code == 200


async def test_certificate_of_the_gateway_is_followed(door: Door) -> None:
    async def shown() -> bytes:
        _, writer = await asyncio.open_connection(
            "127.0.0.1", door.port, ssl=door.context(), server_hostname="localhost"
        )
        found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return found

    before = await shown()
    certificate, key = ensure_ca(door.folder).server_certificate("another")
    own_certificate, own_key = door.server_files
    own_key.write_bytes(key.read_bytes())
    assert await shown() == before
    own_certificate.write_bytes(certificate.read_bytes())
    assert ssl.DER_cert_to_PEM_cert(await shown()) in certificate.read_text()


async def test_plain_text_and_old_tls_are_refused(door: Door) -> None:
    with pytest.raises(httpx.TransportError):
        await httpx.AsyncClient().get(f"http://localhost:{door.port}/ok")
    old = door.context()
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", door.port, ssl=old, server_hostname="localhost")
