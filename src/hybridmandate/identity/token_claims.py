"""What a token must say to be accepted: issuer, tenant, audience, lifetime, kind, role.

Pure: claims and the time go in, a principal or a refusal comes out. The rules follow Microsoft's
access-token documentation (learn.microsoft.com/entra/identity-platform/access-tokens, 'Validate
tokens', and access-token-claims-reference): v1 tokens carry ``appid``, v2 tokens ``azp``; an
app-only token has no ``scp``, its ``oid`` equals its ``sub``, and ``idtyp``, where the API asks
for that optional claim, is ``app``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hybridmandate.identity.principal import Principal, TokenRefused

DEFAULT_SKEW_SECONDS = 60.0
DEFAULT_MAX_TOKEN_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class AcceptedTokens:
    """Which tokens open a door.

    ``issuers`` are the exact ``iss`` values that are believed, ``audiences`` the exact ``aud``
    values, ``tenant_id`` the one tenant. ``skew_seconds`` is how far clocks may differ;
    ``max_token_bytes`` bounds the text that is looked at.
    """

    tenant_id: str
    issuers: frozenset[str]
    audiences: frozenset[str]
    skew_seconds: float = DEFAULT_SKEW_SECONDS
    max_token_bytes: int = DEFAULT_MAX_TOKEN_BYTES

    def __post_init__(self) -> None:
        if not self.tenant_id or not self.issuers or not self.audiences:
            raise ValueError("a verifier needs a tenant, an issuer and an audience")
        if not 0 <= self.skew_seconds <= 300:
            raise ValueError("the clock skew must be between 0 and 300 seconds")


def entra_issuers(tenant_id: str, authority: str) -> frozenset[str]:
    """The two issuers of a tenant: v1 (``sts.windows.net``) and v2 under the authority's host."""
    return frozenset(
        {f"https://sts.windows.net/{tenant_id}/", f"{authority.rstrip('/')}/{tenant_id}/v2.0"}
    )


def workload(claims: Mapping[str, Any], accepted: AcceptedTokens, now: float) -> Principal:
    """The workload principal of a token whose signature was verified.

    :raises TokenRefused: with the reason of the first rule that is broken, in the order issuer,
        tenant, audience, lifetime, person, completeness.
    """
    expires_at = _require_context(claims, accepted, now)
    _refuse_person(claims)
    return _principal(claims, expires_at)


def person(claims: Mapping[str, Any], accepted: AcceptedTokens, now: float) -> Principal:
    """The person of a delegated token (``scp``), for the few doors that serve people.

    :raises TokenRefused: as :func:`workload`, and ``token.workload`` for an app-only token.
    """
    expires_at = _require_context(claims, accepted, now)
    scopes = claims.get("scp")
    if not isinstance(scopes, str) or not scopes or claims.get("idtyp", "user") != "user":
        raise TokenRefused("token.workload", "this door serves people, not workloads", status=403)
    return _principal(claims, expires_at)


def require_current(principal: Principal, accepted: AcceptedTokens, now: float) -> None:
    """Refuse a principal whose token has run out since. :raises TokenRefused: ``token.expired``."""
    if now >= principal.expires_at + accepted.skew_seconds:
        raise TokenRefused("token.expired", "the token has expired")


def require_role(principal: Principal, role: str | None) -> None:
    """Refuse a principal without the role. :raises TokenRefused: 403 ``token.role``."""
    if role is not None and role not in principal.roles:
        raise TokenRefused("token.role", f"the caller does not hold the role {role}", status=403)


def _require_context(claims: Mapping[str, Any], accepted: AcceptedTokens, now: float) -> float:
    if _text(claims, "iss") not in accepted.issuers:
        raise TokenRefused("token.issuer", "the token comes from an issuer that is not accepted")
    if _text(claims, "tid") != accepted.tenant_id:
        raise TokenRefused("token.tenant", "the token belongs to another tenant")
    # Entra's access tokens have exactly one audience, a string: a list would be another issuer's.
    if _text(claims, "aud") not in accepted.audiences:
        raise TokenRefused("token.audience", "the token is for another resource")
    expires_at, not_before, issued_at = (_time(claims, name) for name in ("exp", "nbf", "iat"))
    if now >= expires_at + accepted.skew_seconds:
        raise TokenRefused("token.expired", "the token has expired")
    if now < max(not_before, issued_at) - accepted.skew_seconds:
        raise TokenRefused("token.not_yet_valid", "the token is not valid yet: compare the clocks")
    return expires_at


def _refuse_person(claims: Mapping[str, Any]) -> None:
    delegated = "scp" in claims or claims.get("idtyp", "app") != "app"
    if delegated or claims.get("oid") != claims.get("sub"):
        raise TokenRefused(
            "token.human",
            "this path takes workload tokens only: call it with the flow's or service's identity",
            status=403,
        )


def _principal(claims: Mapping[str, Any], expires_at: float) -> Principal:
    app_claims = [claims[name] for name in ("appid", "azp") if name in claims]
    if len(app_claims) != 1:
        raise TokenRefused("token.claims", "the token must carry one of appid and azp")
    roles = claims.get("roles", [])
    if not isinstance(roles, list) or not all(isinstance(each, str) for each in roles):
        raise TokenRefused("token.claims", "the token's roles are not a list of names")
    object_id, app_id = _text(claims, "oid"), app_claims[0]
    if not object_id or not isinstance(app_id, str) or not app_id:
        raise TokenRefused("token.claims", "the token does not name its principal")
    return Principal(
        object_id=object_id,
        app_id=app_id,
        tenant_id=_text(claims, "tid"),
        roles=frozenset(roles),
        expires_at=expires_at,
        claims=dict(claims),
    )


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenRefused("token.claims", f"the token's '{name}' is not a time")
    if not math.isfinite(value) if isinstance(value, float) else abs(value) > 10**12:
        raise TokenRefused("token.claims", f"the token's '{name}' is out of range")
    return float(value)
