"""The HTTP surface of the office stand-in: Graph's paths, Graph's shapes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hybridmandate.identity.principal import TokenVerifier
from hybridmandate.twin.office.approvals_surface import ApprovalsSurface
from hybridmandate.twin.office.caller import Callers, Persona, PersonVerifier
from hybridmandate.twin.office.errors import GraphError, not_supported
from hybridmandate.twin.office.files_surface import FilesSurface
from hybridmandate.twin.office.mail_surface import MailSurface
from hybridmandate.twin.office.store import OfficeStore

Endpoint = Callable[[Request, Persona], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class OfficeSettings:
    """``origin`` is where the stand-in is reached, for links in answers."""

    origin: str


def create_app(
    settings: OfficeSettings,
    store: OfficeStore,
    workloads: TokenVerifier,
    people: PersonVerifier,
    *,
    new_request_id: Callable[[], str],
) -> Starlette:
    """The stand-in as an ASGI application.

    ``workloads`` verifies application tokens for Graph, ``people`` delegated ones.
    """
    callers = Callers(workloads, people)
    files = FilesSurface(settings.origin, store.library)
    mail = MailSurface(store.messages)
    approvals = ApprovalsSurface(store.approvals)

    def guarded(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            try:
                caller = await callers.identify(request.headers.get("authorization"))
                return await endpoint(request, caller)
            except GraphError as error:
                return error.response(new_request_id())

        return handle

    async def unknown(request: Request) -> Response:
        return not_supported(f"{request.method} {request.url.path}").response(new_request_id())

    async def alive(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    drive = "/v1.0/sites/{site}/drive"
    items = "/beta/solutions/approval/approvalItems"
    return Starlette(
        routes=[
            Route("/health/live", alive),
            Route("/health/ready", alive),
            Route(drive + "/items/{item}", guarded(files.item)),
            Route(drive + "/items/{item}/content", guarded(files.item_content)),
            Route(drive + "/root:/{path:path}", guarded(files.by_path), methods=["GET", "PUT"]),
            Route("/v1.0/users/{user}/sendMail", guarded(mail.send_mail), methods=["POST"]),
            Route("/v1.0/users/{user}/messages", guarded(mail.mailbox)),
            Route(
                "/v1.0/teams/{team}/channels/{channel}/messages",
                guarded(mail.channel),
                methods=["GET", "POST"],
            ),
            Route(items, guarded(approvals.approvals), methods=["GET", "POST"]),
            Route(items + "/{approval}", guarded(approvals.approval)),
            Route(
                items + "/{approval}/responses",
                guarded(approvals.responses),
                methods=["GET", "POST"],
            ),
            Route("/{rest:path}", unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ]
    )
