"""The data gateway as operations reach it: through the gateway, with the service's own identity.

There is no Dataverse address in this tier (requirement D1). An outcome that an operation can act on
(done, partly done, rejected records, conflict, unknown name) is returned; one that it cannot
(unavailable, throttled, a missing role) ends the call with the failure that its caller may act on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import ValidationError

from hybridmandate.contracts import (
    ContractRef,
    FailureType,
    Outcome,
    Refused,
    headers,
    traceparent,
)
from hybridmandate.execution.settings import DataGatewaySettings
from hybridmandate.identity.principal import TokenSource, TokenUnavailable

_RETURNED = frozenset({FailureType.VALIDATION_ERROR, FailureType.CONFLICT, FailureType.NOT_FOUND})
_PASSED_ON = frozenset(
    {
        FailureType.THROTTLED,
        FailureType.QUOTA_EXCEEDED,
        FailureType.DOWNSTREAM_UNAVAILABLE,
        FailureType.TIMEOUT,
        FailureType.PAYLOAD_TOO_LARGE,
    }
)


class DataGatewayClient:
    """Views and commits over HTTP; one for the process, bound to each call by :meth:`for_call`."""

    def __init__(
        self, settings: DataGatewaySettings, tokens: TokenSource, http: httpx.AsyncClient
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._http = http

    def for_call(self, *, correlation_id: str, contract: ContractRef) -> BoundDataGateway:
        """The data gateway of one call."""
        return BoundDataGateway(self, correlation_id, contract)

    def path(self, kind: str, name: str) -> str:
        """The path of a declared view or commit. :raises Refused: ``internal_error``."""
        declared = self._settings.views if kind == "views" else self._settings.commits
        version = declared.get(name)
        if version is None:
            known = ", ".join(sorted(declared)) or "none"
            raise Refused(
                FailureType.INTERNAL_ERROR,
                f"the operation asks for '{name}' of the {kind}, which are: {known}",
                reason="data.undeclared",
            )
        return f"/data/{kind}/{name}/v{version}"

    async def post(
        self, path: str, body: Mapping[str, Any], correlation_id: str, contract: ContractRef
    ) -> Outcome:
        """Send one request. :raises Refused: see the module."""
        try:
            token = await self._tokens.token(self._settings.resource)
        except TokenUnavailable as error:
            raise _unavailable("no token for the data gateway could be had") from error
        try:
            response = await self._http.post(
                self._settings.gateway_url.rstrip("/") + path,
                json=body,
                timeout=self._settings.timeout_seconds,
                headers={
                    "authorization": f"Bearer {token}",
                    headers.CORRELATION_ID: correlation_id,
                    headers.TRACEPARENT: traceparent(correlation_id, contract.operation, path),
                },
            )
        except httpx.TransportError as error:
            raise _unavailable("the data gateway did not answer") from error
        return _judged(response)


@dataclass(frozen=True, slots=True)
class BoundDataGateway:
    """:class:`hybridmandate.contracts.DataGateway` for one call."""

    client: DataGatewayClient
    correlation_id: str
    contract: ContractRef

    async def view(self, name: str, parameters: Mapping[str, Any]) -> Outcome:
        path = self.client.path("views", name)
        return await self._post(path, {"parameters": dict(parameters)})

    async def commit(self, name: str, job: str, records: Sequence[Mapping[str, Any]]) -> Outcome:
        path = self.client.path("commits", name)
        return await self._post(path, {"job": job, "records": [dict(each) for each in records]})

    async def _post(self, path: str, body: Mapping[str, Any]) -> Outcome:
        return await self.client.post(path, body, self.correlation_id, self.contract)


def _judged(response: httpx.Response) -> Outcome:
    try:
        outcome = Outcome.model_validate_json(response.content)
    except ValidationError:
        # No outcome: something on the way answered, not the data gateway.
        raise _unavailable(f"status {response.status_code} without an outcome came back") from None
    failure = outcome.failure
    if failure is None or failure.type in _RETURNED:
        return outcome
    if failure.type in _PASSED_ON:
        raise Refused(
            failure.type,
            f"the data gateway answered: {failure.message}",
            reason=f"data.{failure.type}",
            retry_after_seconds=failure.retry_after_seconds,
        )
    raise Refused(
        FailureType.INTERNAL_ERROR,
        "the data gateway refused this service itself; its evidence says why",
        reason=f"data.{failure.type}",
    )


def _unavailable(message: str) -> Refused:
    return Refused(FailureType.DOWNSTREAM_UNAVAILABLE, message, reason="data.unavailable")
