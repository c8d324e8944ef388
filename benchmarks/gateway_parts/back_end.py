"""The back end of the benchmark: one answer for every call, and the issuer's documents.

A raw asyncio protocol on uvloop, so that the back end is not what is measured.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httptools
import uvloop

from hybridmandate.contracts import Outcome, Status

ANSWER = json.dumps(
    Outcome(
        status=Status.SUCCEEDED,
        correlation_id=None,
        data={"rows": [{"hm_name": "x"}] * 20, "more": False},
    ).to_json()
).encode()
"""A whole outcome: the gateway holds answers to their contract."""


class _Connection(asyncio.Protocol):
    def __init__(self, documents: Mapping[bytes, bytes]) -> None:
        self._documents = documents
        self._parser = httptools.HttpRequestParser(self)
        self._transport: Any = None
        self._path = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._path = url

    def on_message_complete(self) -> None:
        content = self._documents.get(self._path, ANSWER)
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (len(content), content)
        )


def serve(keys: Mapping[str, Any], issuer: str, port: int, path: str) -> None:
    """Serve until the process ends: on a loopback port, and on a Unix socket."""
    documents = {
        b"/openid": json.dumps({"issuer": issuer, "jwks_uri": f"{issuer}/keys"}).encode(),
        b"/keys": json.dumps(keys).encode(),
    }

    async def run() -> None:
        loop = asyncio.get_running_loop()
        public = await loop.create_server(lambda: _Connection(documents), "127.0.0.1", port)
        private = await loop.create_unix_server(lambda: _Connection(documents), path)
        # A server that nobody holds is collected, and its socket with it.
        await asyncio.gather(public.serve_forever(), private.serve_forever())

    uvloop.run(run())
