"""The access tokens that the stand-in mints, in the shape of Entra's v1 and v2 tokens.

Claims: learn.microsoft.com/entra/identity-platform/access-token-claims-reference. ``idtyp`` is an
optional claim there (optional-claims-reference); the APIs of a solution ask for it.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from joserfc import jwt

from hybridmandate.twin.entra.directory import Api, User, Workload
from hybridmandate.twin.entra.key_ring import KeyRing

TOKEN_SECONDS = 3599


class Proof(StrEnum):
    """How the workload proved itself: the value of ``appidacr`` and ``azpacr``."""

    NONE = "0"
    SECRET = "1"  # noqa: S105 - a code of the claim, not a secret
    CERTIFICATE = "2"


@dataclass(frozen=True, slots=True)
class Minted:
    """A token, its unique id (``uti``) and its life in seconds."""

    text: str
    token_id: str
    expires_in: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Mint:
    """Makes tokens of one tenant. ``v2_issuer`` is ``{authority}/{tenant}/v2.0``."""

    tenant_id: str
    v2_issuer: str
    ring: KeyRing

    @property
    def v1_issuer(self) -> str:
        """Issuer of v1 tokens."""
        return f"https://sts.windows.net/{self.tenant_id}/"

    def for_workload(
        self,
        workload: Workload,
        api: Api,
        *,
        resource: str,
        roles: frozenset[str],
        proof: Proof,
        now: float,
    ) -> Minted:
        """An app-only token: ``oid`` = ``sub`` = the service principal, no ``scp``."""
        claims: dict[str, Any] = {
            "idtyp": "app",
            "oid": workload.object_id,
            "sub": workload.object_id,
        }
        if roles:
            claims["roles"] = sorted(roles)
        if api.token_version == 1:
            claims |= {"appid": workload.client_id, "appidacr": proof.value}
            claims |= {"app_displayname": workload.name, "idp": self.v1_issuer}
        else:
            claims |= {"azp": workload.client_id, "azpacr": proof.value}
        return self._sign(claims, api, resource, now)

    def for_user(
        self,
        user: User,
        client_id: str,
        api: Api,
        *,
        resource: str,
        scopes: frozenset[str],
        now: float,
    ) -> Minted:
        """A delegated token: a person, their ``scp``, a ``sub`` that differs from ``oid``."""
        claims: dict[str, Any] = {
            "idtyp": "user",
            "oid": user.object_id,
            "sub": base64.urlsafe_b64encode(f"{api.client_id}:{user.name}".encode()).decode(),
            "scp": " ".join(sorted(scopes)),
            "name": user.display_name,
        }
        if api.token_version == 1:
            claims |= {"appid": client_id, "appidacr": Proof.NONE.value}
            claims |= {"upn": user.mail, "unique_name": user.mail}
        else:
            claims |= {"azp": client_id, "azpacr": Proof.NONE.value}
            claims |= {"preferred_username": user.mail}
        return self._sign(claims, api, resource, now)

    def _sign(self, claims: dict[str, Any], api: Api, resource: str, now: float) -> Minted:
        issued_at, token_id = int(now), secrets.token_urlsafe(16)
        first = api.token_version == 1
        claims |= {
            "aud": resource if first else api.client_id,
            "iss": self.v1_issuer if first else self.v2_issuer,
            "iat": issued_at,
            "nbf": issued_at,
            "exp": issued_at + TOKEN_SECONDS,
            "aio": secrets.token_urlsafe(24),
            "rh": "1." + secrets.token_urlsafe(32),
            "tid": self.tenant_id,
            "uti": token_id,
            "ver": "1.0" if first else "2.0",
        }
        key = self.ring.current()
        header = {"typ": "JWT", "alg": "RS256", "kid": key.kid}
        if first:
            header["x5t"] = key.kid
        text = jwt.encode(header, claims, key.key, algorithms=["RS256"])
        return Minted(text, token_id, TOKEN_SECONDS, issued_at + TOKEN_SECONDS)
