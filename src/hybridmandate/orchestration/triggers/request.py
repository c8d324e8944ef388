"""The Request trigger: an authenticated workload starts a flow, never 'anyone with the address'."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.requests import Request

from hybridmandate.contracts import (
    FailureType,
    Outcome,
    Refused,
    RowError,
    Status,
    is_correlation_id,
)
from hybridmandate.contracts import headers as names
from hybridmandate.identity.principal import Principal, TokenRefused, TokenVerifier
from hybridmandate.orchestration.connectors.session import as_content
from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.engine.data_actions import schema_errors
from hybridmandate.orchestration.history import StoredRun
from hybridmandate.orchestration.shells.durable import FlowHost, trigger_run_id
from hybridmandate.orchestration.shells.pace import MessageTooLarge
from hybridmandate.orchestration.triggers.trigger_values import conditions_hold
from hybridmandate.orchestration.triggers.user_started import (
    check_inputs,
    declares_inputs,
    is_user_started,
    user_headers,
)

ROLE = "Flows.Trigger"
"""The application role that a caller's token must carry."""
RETRY_SECONDS = "1"
"""How long a caller waits before it asks for an asynchronous answer again."""
_KEPT_OUT = frozenset({"authorization", "cookie", "host", "connection", "content-length"})


@dataclass(frozen=True, slots=True)
class RequestAnswer:
    """What goes back to the caller."""

    status: int
    headers: Mapping[str, str]
    body: Any


def check_caller(flow: Flow, principal: Principal, anyone: bool) -> None:
    """Hold a caller to the trigger's setting 'Who can trigger the flow?'.

    ``Tenant`` (and a trigger that says nothing): every principal of the tenant that has the role.
    ``User``: those that ``triggerAllowedUsers`` names, by object id, application id or sign-in
    name, separated by commas or semicolons. ``All``: refused unless the environment is a test.
    Source: learn.microsoft.com, 'Add OAuth authentication for HTTP request triggers'.

    :raises Refused: for a caller that the setting does not let in.
    """
    inputs = flow.trigger.inputs if isinstance(flow.trigger.inputs, Mapping) else {}
    setting = str(inputs.get("triggerAuthenticationType") or "Tenant").lower()
    if setting == "tenant" or (setting == "all" and anyone):
        return
    if setting == "all":
        raise Refused(
            FailureType.FORBIDDEN,
            f"flow '{flow.name}' may be triggered by anyone with its address: such a trigger is "
            "served in a test environment only; let it say Tenant or User",
            reason="trigger.anonymous",
        )
    if setting != "user":
        raise Refused(
            FailureType.FORBIDDEN,
            f"flow '{flow.name}' has the unknown setting '{setting}'",
            reason="trigger.setting",
        )
    allowed = re.split(r"[,;\s]+", str(inputs.get("triggerAllowedUsers") or "").lower())
    known = {principal.object_id, principal.app_id, str(principal.claims.get("upn") or "")}
    if not {each.lower() for each in known if each} & set(allowed):
        raise Refused(
            FailureType.FORBIDDEN,
            f"flow '{flow.name}' names who may trigger it, and this principal is not among them",
            reason="trigger.user",
        )


class RequestTrigger:
    """Starts runs of Request triggers and gives their responses."""

    def __init__(
        self,
        host: FlowHost,
        verifier: TokenVerifier,
        *,
        max_body_bytes: int,
        respond_seconds: float,
        anyone: bool = False,
    ) -> None:
        """``anyone`` says that the environment is a test: triggers open to anyone are let through,
        though never without a token."""
        self._anyone = anyone
        self._host = host
        self._verifier = verifier
        self._max_body_bytes = max_body_bytes
        self._respond_seconds = respond_seconds

    async def answer(self, request: Request) -> RequestAnswer:
        """Start the flow that is addressed and answer as its Response says.

        :raises Refused: for a caller without role, an unknown flow, a body that cannot be taken.
        """
        principal = await self._caller(request)
        flow = self._flow(request.path_params["name"], request.path_params["trigger"])
        check_caller(flow, principal, self._anyone)
        correlation_id = _correlation_id(request)
        outputs = {
            "headers": {k: v for k, v in request.headers.items() if k not in _KEPT_OUT},
            "queries": dict(request.query_params),
            "body": await self._body(request),
        }
        if is_user_started(flow):
            outputs["headers"] = user_headers(outputs["headers"], principal, self._host.now())
        if declares_inputs(flow):
            outputs["body"] = check_inputs(flow, outputs["body"])
        else:
            _check_schema(flow, outputs["body"])
        if not conditions_hold(flow, self._host.parameters(flow), outputs):
            raise Refused(
                FailureType.VALIDATION_ERROR,
                f"the trigger conditions of flow '{flow.name}' are not met",
                reason="trigger.conditions",
            )
        key = request.headers.get(names.IDEMPOTENCY_KEY)
        run_id = trigger_run_id(flow.name, principal.object_id, key) if key else None
        try:
            run_id, _ = await self._host.start(
                flow.name,
                outputs,
                run_id=run_id,
                correlation_id=correlation_id,
                principal=principal.object_id,
            )
        except MessageTooLarge as large:
            raise Refused(FailureType.PAYLOAD_TOO_LARGE, str(large)) from None
        responses = [each for each in flow.actions.values() if each.type == "Response"]
        if any("Asynchronous" in each.options for each in responses):
            return _later(flow, run_id)
        if responses:
            return await self._response(run_id)
        return _accepted(run_id, correlation_id)

    async def poll(self, request: Request) -> RequestAnswer:
        """The answer of a run whose Response is asynchronous: 202 until there is one.

        Only the principal that started the run may ask.
        :raises Refused: for anybody else, an unknown run, a run that ended without an answer.
        """
        principal = await self._caller(request)
        flow = self._flow(request.path_params["name"], request.path_params["trigger"])
        check_caller(flow, principal, self._anyone)
        run_id = request.path_params["id"]
        stored = await asyncio.to_thread(self._host.history.find, run_id)
        own = stored is not None and stored.start.get("principal") == principal.object_id
        if stored is None or not own or stored.flow != flow.name:
            message = f"there is no run '{run_id}' of this caller"
            raise Refused(FailureType.NOT_FOUND, message, reason="run.unknown")
        if stored.response is None and stored.status == "Running":
            return _later(flow, run_id)
        return self._answered(stored)

    async def _caller(self, request: Request) -> Principal:
        try:
            return await self._verifier.verify(request.headers.get("authorization"), role=ROLE)
        except TokenRefused as refused:
            kind = FailureType.FORBIDDEN if refused.status == 403 else FailureType.UNAUTHORIZED
            raise Refused(kind, refused.message, reason=refused.reason) from None

    def _flow(self, name: str, trigger: str) -> Flow:
        try:
            flow = self._host.flows.current(name)
        except KeyError:
            raise Refused(
                FailureType.NOT_FOUND, f"there is no flow '{name}'", reason="flow.unknown"
            ) from None
        if flow.trigger.name != trigger or flow.trigger.type != "Request":
            raise Refused(
                FailureType.NOT_FOUND,
                f"flow '{name}' has no request trigger '{trigger}'",
                reason="trigger.unknown",
            )
        return flow

    async def _body(self, request: Request) -> Any:
        raw = bytearray()
        async for chunk in request.stream():
            raw += chunk
            if len(raw) > self._max_body_bytes:
                raise Refused(
                    FailureType.PAYLOAD_TOO_LARGE,
                    f"a trigger takes at most {self._max_body_bytes} bytes",
                )
        if not raw:
            return None
        media = request.headers.get("content-type", "application/json")
        kind = media.partition(";")[0].strip().lower()
        if kind == "application/json":
            try:
                return json.loads(bytes(raw))
            except (ValueError, RecursionError):
                raise Refused(
                    FailureType.MALFORMED_REQUEST, "the body is not JSON", reason="body.not_json"
                ) from None
        if kind.startswith("text/"):
            return bytes(raw).decode("utf-8", "replace")
        return as_content(bytes(raw), kind)

    async def _response(self, run_id: str) -> RequestAnswer:
        stored = await self._host.responded(run_id, timeout_seconds=self._respond_seconds)
        return self._answered(stored)

    def _answered(self, stored: StoredRun) -> RequestAnswer:
        if stored.response is not None:
            response = stored.response
            return RequestAnswer(
                response["statusCode"],
                {**response["headers"], names.CORRELATION_ID: stored.correlation_id or stored.id},
                response["body"],
            )
        raise _no_response(stored, self._respond_seconds)


def _later(flow: Flow, run_id: str) -> RequestAnswer:
    """Where an asynchronous Response will be (Azure Logic Apps, 'Response action')."""
    place = f"/flows/{quote(flow.name)}/triggers/{quote(flow.trigger.name)}/runs/{run_id}"
    return RequestAnswer(202, {"location": place, "retry-after": RETRY_SECONDS}, None)


def _no_response(stored: StoredRun, seconds: float) -> Refused:
    if stored.status == "Running":
        return Refused(
            FailureType.TIMEOUT, f"run '{stored.id}' did not answer within {seconds:g} s"
        )
    return Refused(
        FailureType.INTERNAL_ERROR,
        f"run '{stored.id}' ended {stored.status} without an answer",
        reason="flow.no_response",
    )


def _accepted(run_id: str, correlation_id: str | None) -> RequestAnswer:
    outcome = Outcome(status=Status.ACCEPTED, correlation_id=correlation_id, data={"runId": run_id})
    return RequestAnswer(202, {}, outcome.to_json())


def _correlation_id(request: Request) -> str | None:
    given = request.headers.get(names.CORRELATION_ID)
    if given is not None and not is_correlation_id(given):
        raise Refused(
            FailureType.MALFORMED_REQUEST,
            "x-correlation-id: 8 to 64 letters, digits, '.', '_' and '-'",
            reason="correlation_id.malformed",
        )
    return given


def _check_schema(flow: Flow, body: Any) -> None:
    """The trigger's schema, where the flow asks for it (operation option of the platform)."""
    if "EnableSchemaValidation" not in flow.trigger.options:
        return
    schema = flow.trigger.inputs.get("schema") or {}
    errors = schema_errors(schema, body)
    if errors:
        raise Refused(
            FailureType.VALIDATION_ERROR,
            f"the body does not fit the schema of flow '{flow.name}'",
            errors=[
                RowError(code="schema", message=each["message"], field=f"/{each['path']}")
                for each in errors
            ],
        )
