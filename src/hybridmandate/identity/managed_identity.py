"""A workload's own tokens by managed identity, as App Service serves it (requirement P6).

Protocol 2019-08-01 (learn.microsoft.com/azure/app-service/overview-managed-identity, 'REST
endpoint reference'): GET with ``api-version``, ``resource`` and, for a user-assigned identity,
``client_id``; the header ``X-IDENTITY-HEADER`` proves that the request comes from the process.
"""

from __future__ import annotations

from collections.abc import Callable

import httpx

from hybridmandate.identity.cached_tokens import (
    CachedTokens,
    ObtainedToken,
    ask,
    seconds_of,
    text_of,
)

API_VERSION = "2019-08-01"
_WHO = "the managed-identity endpoint"


class ManagedIdentityTokens:
    """Tokens of the identity that the platform gave this process; a ``TokenSource``."""

    def __init__(
        self,
        endpoint: str,
        header: str,
        client_id: str | None = None,
        *,
        http: httpx.AsyncClient,
        clock: Callable[[], float],
    ) -> None:
        """``endpoint`` and ``header`` are IDENTITY_ENDPOINT and IDENTITY_HEADER of the process."""
        self._endpoint = endpoint
        self._header = header
        self._client_id = client_id
        self._http = http
        self._cached = CachedTokens(self._obtain, clock)

    async def token(self, resource: str) -> str:
        """A bearer token for the resource.

        :raises TokenUnavailable: when the endpoint refuses or does not answer.
        """
        return await self._cached.token(resource)

    async def _obtain(self, resource: str) -> ObtainedToken:
        query = {"api-version": API_VERSION, "resource": resource}
        if self._client_id is not None:
            query["client_id"] = self._client_id
        request = self._http.build_request(
            "GET", self._endpoint, params=query, headers={"X-IDENTITY-HEADER": self._header}
        )
        body = await ask(self._http, request, _WHO)
        return ObtainedToken(
            text_of(body, "access_token", _WHO), seconds_of(body, "expires_on", _WHO)
        )
