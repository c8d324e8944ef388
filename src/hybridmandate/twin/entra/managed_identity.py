"""Managed identity on one machine: the endpoint of App Service and the one of virtual machines.

App Service: learn.microsoft.com/azure/app-service/overview-managed-identity; each process has its
own ``X-IDENTITY-HEADER``, which says who it is. IMDS: learn.microsoft.com/entra/identity/
managed-identities-azure-resources/how-to-use-vm-token; there the machine is the identity, so it is
served only where the settings name one. Plain http on loopback, as in the cloud.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hybridmandate.evidence.record import Recorder
from hybridmandate.twin.entra.app import EntraSettings, grants_of
from hybridmandate.twin.entra.directory import IdentityKind, Workload
from hybridmandate.twin.entra.errors import AadError
from hybridmandate.twin.entra.grants import Grant
from hybridmandate.twin.entra.issuance import REQUEST_ID, Issuance, caller_id
from hybridmandate.twin.entra.store import EntraStore

APP_SERVICE_VERSION = "2019-08-01"
IMDS_VERSION = "2018-02-01"


@dataclass(frozen=True, slots=True)
class ManagedIdentitySettings:
    """``headers``: X-IDENTITY-HEADER value → name of the managed identity that holds it.

    ``machine`` is the name of the identity that IMDS serves, or None for no IMDS.
    """

    entra: EntraSettings
    headers: Mapping[str, str] = field(repr=False)
    machine: str | None = None


def create_managed_identity_app(
    settings: ManagedIdentitySettings,
    store: EntraStore,
    recorder: Recorder,
    clock: Callable[[], float],
) -> Starlette:
    """Both endpoints as an ASGI app, for loopback only."""
    endpoints = _Endpoints(settings, store, Issuance(recorder, clock), clock)
    return Starlette(
        routes=[
            Route("/health/live", _healthy),
            Route("/health/ready", _healthy),
            Route("/msi/token", endpoints.app_service),
            Route("/metadata/identity/oauth2/token", endpoints.imds),
        ]
    )


async def _healthy(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


class _Endpoints:
    def __init__(
        self,
        settings: ManagedIdentitySettings,
        store: EntraStore,
        issuance: Issuance,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._store = store
        self._issuance = issuance
        self._clock = clock
        self._grants = grants_of(settings.entra, store)

    async def app_service(self, request: Request) -> Response:
        query = request.query_params
        name = self._holder(request.headers.get("x-identity-header", ""))
        if name is None:
            return _app_service_error(401, "The identity header is missing or not known.")
        if query.get("api-version") != APP_SERVICE_VERSION:
            return _app_service_error(400, f"Use api-version {APP_SERVICE_VERSION}.")
        if not query.get("resource"):
            return _app_service_error(400, "The parameter 'resource' is missing.")
        workload = self._identity(name, query, "mi_res_id")
        if workload is None:
            return _app_service_error(400, "No User Assigned or Delegated Managed Identity found.")
        try:
            granted = self._grant(request, workload, "managed-identity")
        except AadError as refused:
            return _app_service_error(refused.status, f"AADSTS{refused.code}: {refused.message}")
        return JSONResponse(
            {
                "access_token": granted.minted.text,
                "expires_on": str(granted.minted.expires_at),
                "resource": granted.resource,
                "token_type": "Bearer",
                "client_id": workload.client_id,
            }
        )

    async def imds(self, request: Request) -> Response:
        query = request.query_params
        if request.headers.get("metadata", "").lower() != "true":
            return _imds_error(400, "bad_request_102", "Required metadata header not specified")
        if query.get("api-version") != IMDS_VERSION:
            return _imds_error(400, "invalid_request", f"Use api-version {IMDS_VERSION}")
        if not query.get("resource"):
            return _imds_error(400, "invalid_request", "Required query variable 'resource' missing")
        machine = self._settings.machine
        workload = None if machine is None else self._identity(machine, query, "msi_res_id")
        if workload is None:
            return _imds_error(400, "invalid_request", "Identity not found")
        try:
            granted = self._grant(request, workload, "imds")
        except AadError as refused:
            message = f"AADSTS{refused.code}: {refused.message}"
            return _imds_error(refused.status, refused.error, message)
        issued_at = granted.minted.expires_at - granted.minted.expires_in
        return JSONResponse(
            {
                "access_token": granted.minted.text,
                "expires_in": str(granted.minted.expires_in),
                "expires_on": str(granted.minted.expires_at),
                "ext_expires_in": str(granted.minted.expires_in),
                "not_before": str(issued_at),
                "resource": granted.resource,
                "token_type": "Bearer",
                "client_id": workload.client_id,
            }
        )

    def _grant(self, request: Request, workload: Workload, how: str) -> Grant:
        correlation_id = caller_id(
            request.headers.get(REQUEST_ID) or request.headers.get("x-ms-client-request-id")
        )
        resource = request.query_params["resource"]
        try:
            granted = self._grants.managed_identity(workload, resource)
        except AadError as refused:
            self._issuance.refused(
                refused,
                who=workload.name,
                resource=resource,
                how=how,
                correlation_id=correlation_id,
            )
            raise
        self._issuance.issued(granted, how=how, correlation_id=correlation_id)
        return granted

    def _holder(self, header: str) -> str | None:
        """The identity of a header value; every value is compared, in constant time."""
        given = header.encode("utf-8", "surrogatepass")
        found = [
            name
            for value, name in self._settings.headers.items()
            if hmac.compare_digest(value.encode(), given)
        ]
        return found[0] if found else None

    def _identity(self, name: str, query: Mapping[str, str], resource_id: str) -> Workload | None:
        """The managed identity of that name, if the id that the caller asks for is its own."""
        found = self._store.directory().named(name)
        if found is None or found.kind is not IdentityKind.MANAGED_IDENTITY:
            return None
        own = {"client_id": found.client_id, "object_id": found.object_id, resource_id: found.name}
        asked = ((key, query[key]) for key in own if key in query)
        return found if all(own[key] == value for key, value in asked) else None


def _app_service_error(status: int, message: str) -> Response:
    return JSONResponse({"statusCode": status, "message": message}, status)


def _imds_error(status: int, error: str, description: str) -> Response:
    body: dict[str, Any] = {"error": error, "error_description": description}
    return JSONResponse(body, status)
