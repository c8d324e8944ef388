"""The door of a private service: who may call it, and on whose behalf (P1, P2, N1, L2).

Only the gateway may call execution and data gateway. It proves itself with its own managed-identity
token; what it says about the caller in ``x-mandate-*`` is believed only after that.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from hybridmandate.contracts import Caller, FailureType, Refused, headers, is_correlation_id
from hybridmandate.identity.principal import TokenRefused, TokenVerifier

MAX_IDENTITY_CHARS = 4096


@dataclass(frozen=True, slots=True)
class Visit:
    """A call that came through the door: the transaction and the verified caller."""

    correlation_id: str
    caller: Caller


class GatewayDoor:
    """Checks token, gateway, correlation id and caller, in that order.

    ``role`` is the application role on the internal audience that opens this service.
    """

    def __init__(self, verifier: TokenVerifier, gateway_app_id: str, role: str) -> None:
        self._verifier = verifier
        self._gateway_app_id = gateway_app_id
        self._role = role

    async def require_gateway(self, request: Request) -> None:
        """Let only the gateway in.

        :raises Refused: ``unauthorized`` or ``forbidden``; a valid token of anyone else is
            ``forbidden`` with the reason ``caller.not_gateway``.
        """
        try:
            principal = await self._verifier.verify(
                request.headers.get("authorization"), role=self._role
            )
        except TokenRefused as refused:
            kind = FailureType.FORBIDDEN if refused.status == 403 else FailureType.UNAUTHORIZED
            raise Refused(kind, refused.message, reason=refused.reason) from None
        if principal.app_id != self._gateway_app_id:
            raise Refused(
                FailureType.FORBIDDEN,
                "this service answers the gateway only: call it through the gateway",
                reason="caller.not_gateway",
            )

    async def enter(self, request: Request) -> Visit:
        """The visit of a call. :raises Refused: as above, and ``malformed_request``."""
        await self.require_gateway(request)
        correlation_id = request.headers.get(headers.CORRELATION_ID)
        if correlation_id is None or not is_correlation_id(correlation_id):
            state = "missing" if correlation_id is None else "invalid"
            raise Refused(
                FailureType.MALFORMED_REQUEST,
                f"{headers.CORRELATION_ID} is {state}: send the id that the flow's first action "
                "made, 8 to 64 letters, digits, '.', '_' or '-'",
                reason=f"correlation_id.{state}",
            )
        return Visit(correlation_id, _caller(request))


def _caller(request: Request) -> Caller:
    object_id = _one(request, headers.PRINCIPAL_ID)
    app_id = _one(request, headers.PRINCIPAL_APP)
    roles = _one(request, headers.PRINCIPAL_ROLES, required=False)
    return Caller(
        object_id=object_id,
        app_id=app_id,
        roles=frozenset(each.strip() for each in roles.split(",") if each.strip()),
    )


def _one(request: Request, name: str, *, required: bool = True) -> str:
    values = request.headers.getlist(name)
    if len(values) > 1 or (required and not (values and values[0])):
        raise Refused(
            FailureType.MALFORMED_REQUEST,
            f"the gateway must send {name} exactly once",
            reason="caller.unknown",
        )
    value = values[0] if values else ""
    if len(value) > MAX_IDENTITY_CHARS:
        raise Refused(FailureType.MALFORMED_REQUEST, f"{name} is too long", reason="caller.unknown")
    return value
