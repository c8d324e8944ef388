"""The issuer's keys over HTTPS, trusting the CA file of the environment."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

import httpx

from hybridmandate.identity.signing_keys import KeysUnavailable
from hybridmandate.identity.strict_json import strict_object

MAX_DOCUMENT_BYTES = 256 * 1024


def trust(ca_file: str | None) -> ssl.SSLContext:
    """TLS that trusts the CA file, or the machine's own authorities when None."""
    return ssl.create_default_context(cafile=ca_file)


class HttpJwks:
    """Fetches one JWKS address; instances are the ``fetch`` of :class:`SigningKeys`."""

    def __init__(self, url: str, *, http: httpx.AsyncClient) -> None:
        self._url = url
        self._http = http

    async def __call__(self) -> Mapping[str, Any]:
        """The JWKS document.

        :raises KeysUnavailable: no answer, an answer other than 200, too long, or not JSON.
        """
        body = bytearray()
        try:
            async with self._http.stream("GET", self._url, follow_redirects=False) as answer:
                if answer.status_code != 200:
                    raise KeysUnavailable(f"{self._url} answered {answer.status_code}")
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_DOCUMENT_BYTES:
                        raise KeysUnavailable(f"{self._url} answered more than a JWKS")
        except httpx.HTTPError as error:
            raise KeysUnavailable(f"{self._url}: {type(error).__name__}") from error
        return _document(bytes(body), self._url)


def _document(body: bytes, url: str) -> Mapping[str, Any]:
    try:
        return strict_object(body)
    except ValueError:
        raise KeysUnavailable(f"{url} did not answer JSON") from None
