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
from hybridmandate.twin.office.calendar_surface import CalendarSurface
from hybridmandate.twin.office.caller import Callers, Endpoint, Persona, PersonVerifier
from hybridmandate.twin.office.chats_surface import ChatsSurface
from hybridmandate.twin.office.errors import GraphError, not_supported
from hybridmandate.twin.office.files_surface import FilesSurface
from hybridmandate.twin.office.groups_surface import GroupsSurface
from hybridmandate.twin.office.lists_surface import ListsSurface
from hybridmandate.twin.office.mail_surface import MailSurface
from hybridmandate.twin.office.people_surface import PeopleSurface, Profile
from hybridmandate.twin.office.questions_surface import QuestionsSurface
from hybridmandate.twin.office.sharepoint_rest import SharePointRest
from hybridmandate.twin.office.store import OfficeStore
from hybridmandate.twin.office.teams_surface import TeamsSurface
from hybridmandate.twin.office.workbooks_surface import WorkbooksSurface


@dataclass(frozen=True, slots=True)
class OfficeSettings:
    """``origin`` is where the stand-in is reached, for links in answers, ``people`` who is in the
    tenant's directory."""

    origin: str
    people: tuple[Profile, ...] = ()


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
    calendar = CalendarSurface(store.events)
    teams = TeamsSurface(settings.origin, store.messages, store.groups)
    approvals = ApprovalsSurface(store.approvals)

    def guarded(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            try:
                caller = await callers.identify(request.headers.get("authorization"))
                return await endpoint(request, caller)
            except GraphError as error:
                return error.response(new_request_id())

        return handle

    async def unknown(request: Request, _: Persona) -> Response:
        raise not_supported(f"{request.method} {request.url.path}")

    async def alive(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    directory = PeopleSurface(settings.people)
    groups = GroupsSurface(settings.origin, store.groups, directory.find)
    chats = ChatsSurface(store.chats, store.messages, directory.mail_of)
    questions = QuestionsSurface(store.questions)
    lists = ListsSurface(settings.origin, store.lists, store.library)
    workbooks = WorkbooksSurface(store.library)
    rest = SharePointRest(
        settings.origin, store.library, store.lists, store.attachments, new_request_id
    )
    of_workbook = "/v1.0/sites/{site}/drive/items/{item}/workbook"
    of_tables = of_workbook + "/tables/{table}"
    of_lists = "/v1.0/sites/{site}/lists"
    mailbox = "/v1.0/users/{user}"
    of_events = mailbox + "/calendars/{calendar}/events"
    items = "/beta/solutions/approval/approvalItems"
    return Starlette(
        routes=[
            Route("/health/live", alive),
            Route("/health/ready", alive),
            *(
                route
                for drive in ("/v1.0/sites/{site}/drive", "/v1.0/users/{user}/drive")
                for route in (
                    Route(
                        drive + "/items/{item}",
                        guarded(files.item),
                        methods=["GET", "PATCH", "DELETE"],
                    ),
                    Route(drive + "/items/{item}/copy", guarded(files.copy), methods=["POST"]),
                    Route(
                        drive + "/items/{item}/listItem/fields",
                        guarded(files.fields),
                        methods=["GET", "PATCH"],
                    ),
                    Route(
                        drive + "/items/{item}/content",
                        guarded(files.item_content),
                        methods=["GET", "PUT"],
                    ),
                    Route(drive + "/root/children", guarded(files.root), methods=["GET", "POST"]),
                    Route(drive + "/root/delta", guarded(files.root)),
                    Route(
                        drive + "/root:/{path:path}",
                        guarded(files.by_path),
                        methods=["GET", "PUT", "POST", "PATCH", "DELETE"],
                    ),
                )
            ),
            Route("/v1.0/monitor/{item}", guarded(files.monitor)),
            Route(
                "/sites/{site}/_api/{rest:path}",
                guarded(rest.serve),
                methods=["GET", "POST", "PUT", "PATCH", "DELETE", "MERGE"],
            ),
            Route(of_tables + "/columns", guarded(workbooks.columns)),
            Route(of_tables + "/rows", guarded(workbooks.rows), methods=["GET", "POST"]),
            Route(
                of_tables + "/rows/itemAt(index={index:int})",
                guarded(workbooks.row),
                methods=["PATCH", "DELETE"],
            ),
            Route(of_workbook + "/tables", guarded(workbooks.tables)),
            Route(of_workbook + "/worksheets", guarded(workbooks.worksheets)),
            Route(of_lists, guarded(lists.lists), methods=["GET", "POST"]),
            Route(of_lists + "/{list}/items", guarded(lists.items), methods=["GET", "POST"]),
            Route(of_lists + "/{list}/items/delta", guarded(lists.delta)),
            Route(
                of_lists + "/{list}/items/{item}", guarded(lists.item), methods=["GET", "DELETE"]
            ),
            Route(
                of_lists + "/{list}/items/{item}/fields",
                guarded(lists.fields),
                methods=["PATCH"],
            ),
            Route(of_lists + "/{list}/items/{item}/versions", guarded(lists.versions)),
            *groups.routes(guarded),
            Route("/v1.0/me", guarded(directory.me)),
            Route("/v1.0/users", guarded(directory.users)),
            Route(mailbox, guarded(directory.user)),
            Route(mailbox + "/manager", guarded(directory.manager)),
            Route(mailbox + "/directReports", guarded(directory.reports)),
            Route(mailbox + "/sendMail", guarded(mail.send_mail), methods=["POST"]),
            Route(mailbox + "/messages", guarded(mail.mailbox)),
            Route(mailbox + "/mailFolders/{folder}/messages", guarded(mail.mailbox)),
            Route(
                mailbox + "/messages/{message}",
                guarded(mail.message),
                methods=["GET", "PATCH", "DELETE"],
            ),
            Route(mailbox + "/messages/{message}/move", guarded(mail.move), methods=["POST"]),
            Route(mailbox + "/messages/{message}/attachments", guarded(mail.attachments)),
            Route(
                mailbox + "/messages/{message}/attachments/{attachment}", guarded(mail.attachment)
            ),
            Route(mailbox + "/messages/{message}/$value", guarded(mail.mime)),
            Route(mailbox + "/messages/{message}/reply", guarded(mail.reply), methods=["POST"]),
            Route(mailbox + "/messages/{message}/replyAll", guarded(mail.reply), methods=["POST"]),
            Route(mailbox + "/messages/{message}/forward", guarded(mail.forward), methods=["POST"]),
            Route(mailbox + "/calendars", guarded(calendar.calendars)),
            Route(of_events, guarded(calendar.events), methods=["GET", "POST"]),
            Route(
                of_events + "/{event}",
                guarded(calendar.event),
                methods=["GET", "PATCH", "DELETE"],
            ),
            Route(mailbox + "/calendars/{calendar}/calendarView", guarded(calendar.view)),
            Route(mailbox + "/photo", guarded(directory.photo)),
            Route(mailbox + "/photo/$value", guarded(directory.photo)),
            Route(
                mailbox + "/teamwork/sendActivityNotification",
                guarded(teams.notify),
                methods=["POST"],
            ),
            Route("/v1.0/chats", guarded(chats.chats), methods=["GET", "POST"]),
            Route("/v1.0/chats/{chat}", guarded(chats.chat)),
            Route("/v1.0/chats/{chat}/messages/{message}", guarded(chats.message)),
            Route("/v1.0/chats/{chat}/messages", guarded(chats.messages), methods=["GET", "POST"]),
            Route("/v3/conversations", guarded(chats.conversation), methods=["POST"]),
            Route(
                "/v3/conversations/{chat}/activities",
                guarded(chats.activities),
                methods=["POST"],
            ),
            Route("/mandate/questions", guarded(questions.questions), methods=["GET", "POST"]),
            Route("/mandate/questions/{question}", guarded(questions.question)),
            Route(
                "/mandate/questions/{question}/answer",
                guarded(questions.answer),
                methods=["POST"],
            ),
            Route(
                "/v1.0/teams/{team}/channels/{channel}/messages/{message}/replies",
                guarded(teams.replies),
                methods=["GET", "POST"],
            ),
            Route(
                "/v1.0/teams/{team}/channels/{channel}/messages/delta",
                guarded(teams.delta),
            ),
            Route(
                "/v1.0/teams/{team}/channels/{channel}/messages/{message}",
                guarded(teams.message),
            ),
            Route(
                "/v1.0/teams/{team}/channels/{channel}/messages",
                guarded(teams.channel),
                methods=["GET", "POST"],
            ),
            Route(items, guarded(approvals.approvals), methods=["GET", "POST"]),
            Route(items + "/{approval}", guarded(approvals.approval)),
            Route(items + "/{approval}/cancel", guarded(approvals.cancel), methods=["POST"]),
            Route(
                items + "/{approval}/responses",
                guarded(approvals.responses),
                methods=["GET", "POST"],
            ),
            Route(
                "/{rest:path}",
                guarded(unknown),
                methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            ),
        ]
    )
