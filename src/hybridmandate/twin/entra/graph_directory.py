"""What the directory says of service principals, in Microsoft Graph's shape.

``GET /v1.0/servicePrincipals/{id}``, ``…/{id}/appRoleAssignments`` and ``/servicePrincipals`` by
one of its names: enough to ask whether a principal is enabled and which application roles it holds
now (learn.microsoft.com/graph/api/resources/serviceprincipal, approleassignment). Callers need the
application permission ``Application.Read.All``.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hybridmandate.identity.audiences import GRAPH_AUDIENCE
from hybridmandate.identity.principal import TokenRefused
from hybridmandate.identity.signing_keys import SigningKeys
from hybridmandate.identity.token_claims import AcceptedTokens, entra_issuers
from hybridmandate.identity.verifier import JwksTokenVerifier
from hybridmandate.twin.entra.directory import Api, Workload
from hybridmandate.twin.entra.key_ring import KeyRing
from hybridmandate.twin.entra.store import EntraStore

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
READ_ROLE = "Application.Read.All"
_BY_NAME = re.compile(r"servicePrincipalNames/any\((\w+):\s*\1 eq '([^']+)'\)")
_BY_RESOURCE = re.compile(r"resourceId eq ([0-9a-fA-F-]{36})")


@dataclass(frozen=True, slots=True)
class GraphDirectory:
    """The routes over one tenant's store; ``authority`` is the issuer's origin."""

    store: EntraStore
    ring: KeyRing
    authority: str
    clock: Callable[[], float]

    def app(self) -> Starlette:
        """The ASGI application, with ``/v1.0`` at its root."""
        door = _Door(self._verifier())
        return Starlette(
            routes=[
                Route("/v1.0/servicePrincipals", door.guarded(self._find)),
                Route("/v1.0/servicePrincipals/{id}", door.guarded(self._one)),
                Route(
                    "/v1.0/servicePrincipals/{id}/appRoleAssignments",
                    door.guarded(self._assignments),
                ),
                Route("/{rest:path}", door.guarded(_not_supported), methods=_METHODS),
            ]
        )

    def _verifier(self) -> JwksTokenVerifier:
        async def keys() -> Mapping[str, Any]:
            return {"keys": [each.public() for each in self.ring.published()]}

        tenant = self.store.directory().tenant_id
        accepted = AcceptedTokens(
            tenant_id=tenant,
            issuers=entra_issuers(tenant, self.authority),
            audiences=frozenset({GRAPH_AUDIENCE}),
        )
        return JwksTokenVerifier(accepted, SigningKeys(keys, self.clock), clock=self.clock)

    def _find(self, request: Request) -> Response:
        wanted = _BY_NAME.fullmatch(request.query_params.get("$filter", ""))
        if wanted is None:
            return _error(
                400,
                "Request_UnsupportedQuery",
                "This stand-in finds service principals by one of their servicePrincipalNames.",
            )
        name = wanted[2]
        found = [
            self._api_entry(each)
            for each in self.store.directory().apis
            if name in (each.identifier, each.client_id)
        ]
        return JSONResponse({"value": [_selected(each, request) for each in found]})

    def _one(self, request: Request) -> Response:
        workload = self._workload(request)
        if workload is None:
            return _unknown(request)
        entry = {
            "id": workload.object_id,
            "appId": workload.client_id,
            "displayName": workload.name,
            "accountEnabled": self.store.is_enabled(workload),
            "servicePrincipalType": "Application",
        }
        return JSONResponse(_selected(entry, request))

    def _assignments(self, request: Request) -> Response:
        workload = self._workload(request)
        if workload is None:
            return _unknown(request)
        asked = request.query_params.get("$filter")
        wanted = None if asked is None else _BY_RESOURCE.fullmatch(asked)
        if asked is not None and wanted is None:
            return _error(
                400,
                "Request_UnsupportedQuery",
                "This stand-in filters role assignments by 'resourceId eq <id>'.",
            )
        directory = self.store.directory()
        apis = {
            each.name: each
            for each in directory.apis
            if wanted is None or each.object_id == wanted[1].lower()
        }
        found = [
            {
                "id": _role_id(apis[each.api], f"{role}/{workload.object_id}"),
                "appRoleId": _role_id(apis[each.api], role),
                "principalId": workload.object_id,
                "principalDisplayName": workload.name,
                "principalType": "ServicePrincipal",
                "resourceId": apis[each.api].object_id,
                "resourceDisplayName": each.api,
            }
            for each in directory.assignments
            if each.workload == workload.name and each.api in apis
            for role in sorted(each.roles)
        ]
        return JSONResponse({"value": found})

    def _workload(self, request: Request) -> Workload | None:
        wanted = request.path_params["id"].lower()
        workloads = self.store.directory().workloads
        return next((each for each in workloads if each.object_id == wanted), None)

    @staticmethod
    def _api_entry(api: Api) -> dict[str, Any]:
        return {
            "id": api.object_id,
            "appId": api.client_id,
            "displayName": api.name,
            "servicePrincipalNames": [api.identifier, api.client_id],
            "appRoles": [
                {"id": _role_id(api, role), "value": role, "isEnabled": True}
                for role in sorted(api.roles)
            ],
        }


class _Door:
    """Only callers that may read applications come in."""

    def __init__(self, verifier: JwksTokenVerifier) -> None:
        self._verifier = verifier

    def guarded(
        self, answer: Callable[[Request], Response]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            try:
                await self._verifier.verify(request.headers.get("authorization"), role=READ_ROLE)
            except TokenRefused as refused:
                if refused.status == 403:
                    return _error(
                        403,
                        "Authorization_RequestDenied",
                        "Insufficient privileges to complete the operation.",
                    )
                return _error(401, "InvalidAuthenticationToken", refused.message)
            return answer(request)

        return guarded


def _role_id(api: Api, role: str) -> str:
    return str(uuid.uuid5(uuid.UUID(api.object_id), role))


def _selected(entry: dict[str, Any], request: Request) -> dict[str, Any]:
    wanted = request.query_params.get("$select")
    if wanted is None:
        return entry
    names = {each.strip() for each in wanted.split(",")}
    return {name: value for name, value in entry.items() if name in names}


def _not_supported(request: Request) -> Response:
    what = f"{request.method} {request.url.path[:200]}"
    return _error(501, "notSupported", f"The stand-in for Microsoft Graph has no {what} here.")


def _unknown(request: Request) -> Response:
    return _error(
        404,
        "Request_ResourceNotFound",
        f"Resource '{request.path_params['id'][:64]}' does not exist or one of its queried "
        "reference-property objects are not present.",
    )


def _error(status: int, code: str, message: str) -> Response:
    body = {"error": {"code": code, "message": message, "innerError": {}}}
    return JSONResponse(body, status)
