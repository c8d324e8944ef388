"""An issuer in memory, and tokens of every kind, good and forged, that it (or an attacker) signs.

Forged tokens are put together here by hand: JOSE libraries refuse to make most of them.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from hybridmandate.identity.principal import Principal, TokenRefused
from hybridmandate.identity.signing_keys import KeyPolicy, KeysUnavailable, SigningKeys
from hybridmandate.identity.token_claims import AcceptedTokens, entra_issuers
from hybridmandate.identity.verifier import JwksTokenVerifier

TENANT = "5f1d6a2e-0c55-4a4e-9d6e-7a4f6f0a1b2c"
AUDIENCE = "api://vendor-invoices/local"
ROLE = "Files.Store"
OBJECT_ID, APP_ID = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
START = 1_800_000_000.0
POLICY = KeyPolicy(max_age=300, max_stale=3600, min_interval=10, unknown_ttl=60)


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def jwk(key: rsa.RSAPrivateKey, kid: str) -> dict[str, Any]:
    public = key.public_key().public_numbers()
    numbers = {"n": _number(public.n), "e": _number(public.e)}
    return {"kty": "RSA", "use": "sig", "kid": kid, **numbers}


def rsa_sign(key: rsa.RSAPrivateKey, content: bytes) -> bytes:
    return key.sign(content, padding.PKCS1v15(), hashes.SHA256())


@dataclass
class Issuer:
    """Two keys, of which 'one' is published; counts how often it is asked."""

    keys: dict[str, rsa.RSAPrivateKey]
    published: list[str] = field(default_factory=lambda: ["one"])
    now: float = START
    fetches: int = 0
    down: bool = False
    gate: asyncio.Event | None = None

    @classmethod
    def new(cls) -> Issuer:
        make = rsa.generate_private_key
        return cls({kid: make(public_exponent=65537, key_size=2048) for kid in ("one", "two")})

    def copy(self) -> Issuer:
        return Issuer(self.keys)

    def clock(self) -> float:
        return self.now

    async def fetch(self) -> Mapping[str, Any]:
        self.fetches += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.down:
            raise KeysUnavailable("down")
        return {"keys": [jwk(self.keys[kid], kid) for kid in self.published]}

    def signing_keys(self) -> SigningKeys:
        return SigningKeys(self.fetch, self.clock, POLICY)

    def verifier(self, **options: Any) -> JwksTokenVerifier:
        issuers = entra_issuers(TENANT, "https://login.microsoftonline.com")
        accepted = AcceptedTokens(TENANT, issuers, frozenset({AUDIENCE}))
        return JwksTokenVerifier(accepted, self.signing_keys(), clock=self.clock, **options)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Claims of a good v1 app-only token; a change to None leaves the claim out."""
        usual: dict[str, Any] = {
            "iss": f"https://sts.windows.net/{TENANT}/",
            "aud": AUDIENCE,
            "tid": TENANT,
            "iat": int(self.now),
            "nbf": int(self.now),
            "exp": int(self.now) + 3600,
            "oid": OBJECT_ID,
            "sub": OBJECT_ID,
            "appid": APP_ID,
            "idtyp": "app",
            "roles": [ROLE],
            "ver": "1.0",
        }
        return {name: value for name, value in (usual | changes).items() if value is not None}

    def header(self, **changes: Any) -> dict[str, Any]:
        usual = {"typ": "JWT", "alg": "RS256", "kid": "one"}
        return {name: value for name, value in (usual | changes).items() if value is not None}

    def token(
        self, *, key: str = "one", header: Mapping[str, Any] | None = None, **claims: Any
    ) -> str:
        """A token with a right RS256 signature of a key of this issuer."""
        return self.raw(
            json.dumps(self.header(**(header or {}))).encode(),
            json.dumps(self.claims(**claims)).encode(),
            key=key,
        )

    def raw(self, header: bytes, payload: bytes, *, key: str = "one") -> str:
        """As :meth:`token`, from the very bytes of header and payload."""
        signed = f"{b64(header)}.{b64(payload)}"
        return f"{signed}.{b64(rsa_sign(self.keys[key], signed.encode()))}"

    def unsigned(self, algorithm: str = "none") -> str:
        header, claims = self.header(alg=algorithm), self.claims()
        return f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}."

    def hmac_signed(self, secret: bytes) -> str:
        signed = self.unsigned("HS256").rstrip(".")
        return f"{signed}.{b64(hmac.digest(secret, signed.encode(), 'sha256'))}"


async def refusal(verifier: JwksTokenVerifier, header: str | None, **o: Any) -> TokenRefused:
    """How the verifier refuses; fails the test when it accepts."""
    try:
        accepted: Principal = await verifier.verify(header, **o)
    except TokenRefused as refused:
        return refused
    raise AssertionError(f"accepted {accepted}")
