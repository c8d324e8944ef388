"""The door's check: is this a valid token of a workload of ours, for this resource, with this role?

Order: header and size → structure → key → signature → claims (issuer, tenant, audience, lifetime,
person) → role. What was verified is remembered by the digest of its text, so that a token that is
used a thousand times costs one signature check; it is forgotten when it expires or the issuer's
keys change. The role is never remembered: it belongs to the call, not to the token.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError

from hybridmandate.identity.principal import Principal, TokenRefused
from hybridmandate.identity.signing_keys import SigningKeys
from hybridmandate.identity.strict_json import strict_object
from hybridmandate.identity.token_claims import (
    AcceptedTokens,
    person,
    require_current,
    require_role,
    workload,
)
from hybridmandate.identity.token_text import ALGORITHM, bearer_text, parse_token

Judge = Callable[[Mapping[str, Any], AcceptedTokens, float], Principal]

DEFAULT_REMEMBERED = 4096
_MAX_HEADER_BYTES = 4096


class _Verification:
    """Signature and claims of tokens, with what was verified remembered (bounded, LRU)."""

    def __init__(
        self,
        accepted: AcceptedTokens,
        keys: SigningKeys,
        clock: Callable[[], float],
        judge: Judge,
        remembered: int,
    ) -> None:
        self._accepted = accepted
        self._keys = keys
        self._clock = clock
        self._judge = judge
        self._limit = remembered
        self._remembered: OrderedDict[bytes, Principal] = OrderedDict()
        self._generation = keys.generation
        self._registry = jws.JWSRegistry(algorithms=[ALGORITHM], strict_check_header=False)
        self._registry.max_header_length = _MAX_HEADER_BYTES
        self._registry.max_payload_length = accepted.max_token_bytes

    async def principal(self, authorization: str | None) -> Principal:
        text = bearer_text(authorization, max_bytes=self._accepted.max_token_bytes)
        if not self._keys.fresh():
            await self._keys.ensure_fresh()
        if self._generation != self._keys.generation:
            self._forget_all()
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        found = self._remembered.get(digest)
        if found is None:
            return await self._verify(text, digest)
        self._remembered.move_to_end(digest)
        require_current(found, self._accepted, self._clock())
        return found

    async def _verify(self, text: str, digest: bytes) -> Principal:
        token = parse_token(text)
        key = await self._keys.find(token.key_id)
        generation = self._keys.generation
        try:
            signed = jws.deserialize_compact(token.text, key, registry=self._registry)
        except (JoseError, ValueError):
            raise TokenRefused("token.signature", "the token's signature is not valid") from None
        try:
            claims = strict_object(signed.payload)
        except ValueError:
            raise TokenRefused(
                "token.malformed", "the token's claims are not strict JSON"
            ) from None
        found = self._judge(claims, self._accepted, self._clock())
        if generation != self._generation:
            self._forget_all()
        self._remembered[digest] = found
        if len(self._remembered) > self._limit:
            self._remembered.popitem(last=False)
        return found

    def _forget_all(self) -> None:
        self._remembered.clear()
        self._generation = self._keys.generation


class JwksTokenVerifier:
    """Verifies workload tokens; the :class:`TokenVerifier` of every unattended door (P1, P2)."""

    def __init__(
        self,
        accepted: AcceptedTokens,
        keys: SigningKeys,
        *,
        clock: Callable[[], float],
        remembered: int = DEFAULT_REMEMBERED,
    ) -> None:
        self._verification = _Verification(accepted, keys, clock, workload, remembered)

    async def verify(self, authorization: str | None, *, role: str | None = None) -> Principal:
        """The principal of an ``Authorization`` header value.

        :raises TokenRefused: for every token that is not valid here; 403 for a person's token
            (``token.human``) and for a missing role (``token.role``), 401 otherwise.
        """
        principal = await self._verification.principal(authorization)
        require_role(principal, role)
        return principal


class DelegatedTokenVerifier:
    """Verifies tokens of people, for the doors that serve people (the office stand-in)."""

    def __init__(
        self,
        accepted: AcceptedTokens,
        keys: SigningKeys,
        *,
        clock: Callable[[], float],
        remembered: int = DEFAULT_REMEMBERED,
    ) -> None:
        self._verification = _Verification(accepted, keys, clock, person, remembered)

    async def verify(self, authorization: str | None) -> Principal:
        """The person: ``object_id`` and the claims ``name``, ``upn`` or ``preferred_username``.

        :raises TokenRefused: for every token that is not a valid delegated token here.
        """
        return await self._verification.principal(authorization)
