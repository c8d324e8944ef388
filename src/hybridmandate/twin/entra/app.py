"""The issuer over HTTPS: discovery, keys, token endpoint."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hybridmandate.evidence.record import Recorder
from hybridmandate.twin.entra import errors
from hybridmandate.twin.entra.assertions import AssertionCheck, AssertionReuse
from hybridmandate.twin.entra.errors import AadError
from hybridmandate.twin.entra.grants import Grants
from hybridmandate.twin.entra.issuance import REQUEST_ID, Issuance, caller_id, trace_of
from hybridmandate.twin.entra.key_ring import KeyRing
from hybridmandate.twin.entra.store import EntraStore
from hybridmandate.twin.entra.tokens import TOKEN_SECONDS, Mint

MAX_FORM_BYTES = 64 * 1024
KEEP_SECONDS = TOKEN_SECONDS + 600.0
"""How long a signing key stays published after its successor took over."""


@dataclass(frozen=True, slots=True)
class EntraSettings:
    """``authority`` is this server's own origin with its port, such as ``https://localhost:4301``:
    discovery must name it, for msal drops the port of anything else."""

    tenant_id: str
    authority: str
    reuse: AssertionReuse = AssertionReuse.SAME

    @property
    def base(self) -> str:
        """The tenant's address."""
        return f"{self.authority.rstrip('/')}/{self.tenant_id}"

    @property
    def token_endpoint(self) -> str:
        """The v2 token endpoint: also the audience of client assertions."""
        return f"{self.base}/oauth2/v2.0/token"

    @property
    def v2_issuer(self) -> str:
        """Issuer of v2 tokens."""
        return f"{self.base}/v2.0"


def grants_of(settings: EntraSettings, store: EntraStore) -> Grants:
    """The decisions that the issuer and the managed-identity endpoints share."""
    ring = KeyRing(store, keep_seconds=KEEP_SECONDS)
    mint = Mint(settings.tenant_id, settings.v2_issuer, ring)
    audiences = frozenset({settings.token_endpoint, settings.v2_issuer, settings.base + "/"})
    return Grants(store, mint, AssertionCheck(store, audiences=audiences, reuse=settings.reuse))


def create_app(
    settings: EntraSettings,
    store: EntraStore,
    recorder: Recorder,
    clock: Callable[[], float],
) -> Starlette:
    """The issuer as an ASGI app; serve it with TLS. ``clock`` gives epoch seconds."""
    issuer = _Issuer(settings, store, Issuance(recorder, clock), clock)
    routes = [
        Route("/health/live", _healthy),
        Route("/health/ready", _healthy),
        Route("/{tenant}/v2.0/.well-known/openid-configuration", issuer.discovery_v2),
        Route("/{tenant}/.well-known/openid-configuration", issuer.discovery_v1),
        Route("/{tenant}/discovery/v2.0/keys", issuer.keys),
        Route("/{tenant}/discovery/keys", issuer.keys),
        Route("/{tenant}/oauth2/v2.0/token", issuer.token, methods=["POST"]),
    ]
    handlers: dict[Any, Callable[[Request, Any], Awaitable[Response]]] = {
        AadError: issuer.refuse,
        HTTPException: issuer.refuse_path,
    }
    return Starlette(routes=routes, exception_handlers=handlers)


async def _healthy(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


class _Issuer:
    def __init__(
        self,
        settings: EntraSettings,
        store: EntraStore,
        issuance: Issuance,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._issuance = issuance
        self._clock = clock
        self._ring = KeyRing(store, keep_seconds=KEEP_SECONDS)
        self._grants = grants_of(settings, store)

    async def discovery_v2(self, request: Request) -> Response:
        self._require_tenant(request)
        return JSONResponse(self._discovery(self._settings.v2_issuer, "v2.0"))

    async def discovery_v1(self, request: Request) -> Response:
        self._require_tenant(request)
        issuer = f"https://sts.windows.net/{self._settings.tenant_id}/"
        return JSONResponse(self._discovery(issuer, ""))

    def _discovery(self, issuer: str, version: str) -> dict[str, Any]:
        base = self._settings.base
        keys = f"{base}/discovery/{version}/keys" if version else f"{base}/discovery/keys"
        return {
            "issuer": issuer,
            "token_endpoint": self._settings.token_endpoint,
            # Advertised because msal requires it; nobody signs in with a browser here.
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "jwks_uri": keys,
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "tenant_region_scope": None,
        }

    async def keys(self, request: Request) -> Response:
        self._require_tenant(request)
        return JSONResponse({"keys": [each.public() for each in self._ring.published()]})

    async def token(self, request: Request) -> Response:
        correlation_id = caller_id(request.headers.get(REQUEST_ID))
        form: dict[str, str] = {}
        try:
            self._require_tenant(request)
            form = await _form(request)
            granted = self._grants.grant(form)
        except AadError as refused:
            self._issuance.refused(
                refused,
                who=form.get("username") or form.get("client_id", ""),
                resource=form.get("scope", ""),
                how=form.get("grant_type", "")[:64],
                correlation_id=correlation_id,
            )
            raise
        self._issuance.issued(granted, how=form["grant_type"], correlation_id=correlation_id)
        body: dict[str, Any] = {
            "token_type": "Bearer",
            "expires_in": granted.minted.expires_in,
            "ext_expires_in": granted.minted.expires_in,
            "access_token": granted.minted.text,
        }
        if granted.scope is not None:
            body["scope"] = granted.scope
        return JSONResponse(body, headers={"cache-control": "no-store", "pragma": "no-cache"})

    async def refuse(self, request: Request, error: AadError) -> Response:
        trace_id, correlation_id = trace_of(request.headers.get(REQUEST_ID))
        body = error.body(now=self._clock(), trace_id=trace_id, correlation_id=correlation_id)
        return JSONResponse(body, error.status, headers={"cache-control": "no-store"})

    async def refuse_path(self, request: Request, error: HTTPException) -> Response:
        if error.status_code == 405:
            allowed = (error.headers or {}).get("Allow", "POST")
            return await self.refuse(request, errors.wrong_method(request.method, allowed))
        message = "This stand-in does not serve this address: see docs/identity/identity.md."
        return await self.refuse(request, errors.malformed_request(message, status=404))

    def _require_tenant(self, request: Request) -> None:
        tenant = request.path_params["tenant"]
        if tenant.lower() != self._settings.tenant_id:
            raise errors.unknown_tenant(tenant[:64])


async def _form(request: Request) -> dict[str, str]:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/x-www-form-urlencoded":
        raise errors.malformed_request("The body must be application/x-www-form-urlencoded.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise errors.malformed_request("The body is too large.", status=413)
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=64
        )
    except ValueError:
        raise errors.malformed_request("The body is not a form.") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise errors.malformed_request("A parameter stands twice in the body.")
    return found
