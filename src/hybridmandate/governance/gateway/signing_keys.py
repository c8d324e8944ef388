"""Signing keys of an issuer from its OpenID configuration, cached (validate-jwt page).

The key set is kept for an hour; a ``kid`` that is not in it, or a failed fetch, asks again at most
every five minutes there. That interval is a setting here, so that local key rotation shows sooner.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

from hybridmandate.governance.gateway.json_web_token import TokenInvalid
from hybridmandate.governance.gateway.transport import Outgoing, Transport, TransportFailure

_MAX_DOCUMENT_BYTES = 1024 * 1024
NamedKeys = tuple[tuple[str | None, Key], ...]


@dataclass(slots=True)
class _Issuer:
    keys: NamedKeys = ()
    issuer: str | None = None
    fetched: float | None = None
    asked: float | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class SigningKeys:
    """The key sets of all issuers that policies name.

    ``clock`` gives seconds; ``lifetime`` and ``refetch_after`` are seconds.
    """

    def __init__(
        self,
        transport: Transport,
        clock: Callable[[], float],
        *,
        lifetime: float = 3600.0,
        refetch_after: float = 300.0,
        timeout: float = 10.0,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._lifetime = lifetime
        self._refetch_after = refetch_after
        self._timeout = timeout
        self._issuers: dict[str, _Issuer] = {}

    async def keys(self, url: str, kid: object) -> tuple[NamedKeys, str | None]:
        """The keys that the OpenID configuration at ``url`` points to, and the issuer it names.

        :raises TokenInvalid: TokenSignatureKeyNotFound when no keys could be had at all.
        """
        issuer = self._issuers.setdefault(url, _Issuer())
        if not self._fresh(issuer, kid):
            async with issuer.lock:
                if not self._fresh(issuer, kid) and self._may_ask(issuer):
                    await self._fetch(url, issuer)
        if not issuer.keys:
            raise TokenInvalid(
                "TokenSignatureKeyNotFound", "The issuer's signing keys could not be fetched."
            )
        return issuer.keys, issuer.issuer

    def current(self, url: str) -> NamedKeys | None:
        """The keys at hand from that URL; None when there are none or they are too old."""
        issuer = self._issuers.get(url)
        if issuer is None or issuer.fetched is None:
            return None
        return issuer.keys if self._clock() - issuer.fetched < self._lifetime else None

    def _fresh(self, issuer: _Issuer, kid: object) -> bool:
        if issuer.fetched is None or self._clock() - issuer.fetched >= self._lifetime:
            return False
        return kid is None or any(name == kid for name, _ in issuer.keys)

    def _may_ask(self, issuer: _Issuer) -> bool:
        return issuer.asked is None or self._clock() - issuer.asked >= self._refetch_after

    async def _fetch(self, url: str, issuer: _Issuer) -> None:
        issuer.asked = self._clock()
        try:
            metadata = await self._json(url)
            keys = await self._json(str(metadata["jwks_uri"]))
            found: Sequence[Key] = KeySet.import_key_set(keys).keys  # type: ignore[arg-type]
        except (TransportFailure, JoseError, ValueError, KeyError, TypeError):
            return
        issuer.keys = tuple((key.kid, key) for key in found if key.key_type in ("RSA", "EC"))
        name = metadata.get("issuer")
        issuer.issuer = name if isinstance(name, str) else None
        issuer.fetched = self._clock()

    async def _json(self, url: str) -> dict[str, object]:
        response = await self._transport.send(
            Outgoing("GET", url, [("Accept", "application/json")], None, self._timeout)
        )
        content = bytearray()
        try:
            async with asyncio.timeout(self._timeout):
                async for chunk in response.body:
                    content += chunk
                    if len(content) > _MAX_DOCUMENT_BYTES:
                        raise ValueError(f"{url} is larger than {_MAX_DOCUMENT_BYTES} bytes")
        except TimeoutError as error:
            raise TransportFailure(f"{url} did not arrive in time") from error
        finally:
            response.close()
        if response.status != 200:
            raise TransportFailure(f"{url} answered {response.status}")
        found = json.loads(content)
        if not isinstance(found, dict):
            raise ValueError(f"{url} is not a JSON object")
        return found
