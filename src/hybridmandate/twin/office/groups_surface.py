"""Graph's groups and teams: who belongs to them, and the channels of a team.

Sources: learn.microsoft.com/graph/api/group-post-groups, group-list-members, group-post-members,
group-delete-members, team-put-teams, user-list-joinedteams, channel-list, channel-post.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hybridmandate.twin.office.body import graph_time, json_body, listed
from hybridmandate.twin.office.caller import Guard, Persona, require
from hybridmandate.twin.office.errors import GraphError, not_found, not_supported
from hybridmandate.twin.office.groups import MEMBER, OWNER, AlreadyThere, Groups
from hybridmandate.twin.office.list_query import QueryInvalid, parse_filter
from hybridmandate.twin.office.people_surface import Profile
from hybridmandate.twin.office.query import whole_number
from hybridmandate.twin.office.tables import Row

READ = ("Group.Read.All", "Group.ReadWrite.All")
WRITE = ("Group.ReadWrite.All",)
CREATE = ("Group.Create", *WRITE)
MEMBERS_READ = ("GroupMember.Read.All", "GroupMember.ReadWrite.All", "TeamMember.Read.All", *READ)
MEMBERS_WRITE = ("GroupMember.ReadWrite.All", "TeamMember.ReadWrite.All", *WRITE)
TEAMS_READ = ("Team.ReadBasic.All", *READ)
CHANNELS_READ = ("Channel.ReadBasic.All", *READ)
CHANNELS_CREATE = ("Channel.Create", *WRITE)
DEFAULT_PAGE, MAX_PAGE = 100, 999
_OPTIONS = {"$filter", "$top", "$skiptoken", "$select", "$count"}
_REFERENCE = re.compile(r"(?:directoryObjects|users)(?:/|\('?)(?P<id>[^/')]+)(?:'?\))?$")
_CHANNEL_NAME = re.compile(r"[^~#%&*{}+/\\:<>?|'\"]{1,50}")
"""What a channel may be named (learn.microsoft.com/microsoftteams/limits-specifications)."""
Find = Callable[[str], Profile | None]
"""A person of the directory by object id or sign-in name."""


class GroupsSurface:
    """Endpoints of groups, teams and channels; ``origin`` is where the stand-in is reached."""

    def __init__(self, origin: str, groups: Groups, find: Find) -> None:
        self._origin = origin.rstrip("/")
        self._groups = groups
        self._find = find

    def routes(self, guarded: Guard) -> list[Route]:
        """The paths of groups and teams."""
        group, team = "/v1.0/groups/{group}", "/v1.0/teams/{group}"
        return [
            Route("/v1.0/groups", guarded(self.groups), methods=["GET", "POST"]),
            Route(group, guarded(self.group), methods=["GET", "DELETE"]),
            Route(group + "/members", guarded(self.members)),
            Route(group + "/owners", guarded(self.owners)),
            Route(group + "/members/$ref", guarded(self.add_member), methods=["POST"]),
            Route(
                group + "/members/{person}/$ref", guarded(self.remove_member), methods=["DELETE"]
            ),
            Route(group + "/team", guarded(self.make_team), methods=["PUT"]),
            Route("/v1.0/teams", guarded(self.teams)),
            Route("/v1.0/users/{user}/joinedTeams", guarded(self.joined)),
            Route(team, guarded(self.team)),
            Route(team + "/members", guarded(self.conversation_members), methods=["GET", "POST"]),
            Route(team + "/channels", guarded(self.channels), methods=["GET", "POST"]),
            Route(team + "/channels/{channel}", guarded(self.channel)),
        ]

    async def groups(self, request: Request, caller: Persona) -> Response:
        """The groups of the tenant; POST makes one."""
        if request.method == "GET":
            require(caller, *READ)
            rows = await run_in_threadpool(self._groups.all)
            return self._page(request, [_group(each) for each in rows])
        require(caller, *CREATE)
        asked = await json_body(request)
        own = [] if caller.mail is None else [caller.mail]
        made = await run_in_threadpool(
            self._groups.add,
            _text(asked, "displayName", 256),
            _text(asked, "mailNickname", 64),
            str(asked.get("description") or ""),
            unified=_is_unified(asked),
            owners=[*own, *(self._named(each) for each in listed(asked, "owners@odata.bind"))],
            members=[*own, *(self._named(each) for each in listed(asked, "members@odata.bind"))],
            request=request.headers.get("client-request-id"),
        )
        return JSONResponse(_group(made), status_code=201)

    async def group(self, request: Request, caller: Persona) -> Response:
        """One group; DELETE removes it."""
        found = await self._found(request)
        if request.method == "GET":
            require(caller, *READ)
            return JSONResponse(_group(found))
        await self._may_change(found, caller, WRITE)
        await run_in_threadpool(self._groups.delete, found["id"])
        return Response(status_code=204)

    async def members(self, request: Request, caller: Persona) -> Response:
        """The members of a group."""
        return await self._people(request, caller, MEMBER)

    async def owners(self, request: Request, caller: Persona) -> Response:
        """The owners of a group."""
        return await self._people(request, caller, OWNER)

    async def add_member(self, request: Request, caller: Persona) -> Response:
        """Add the person whom ``@odata.id`` names."""
        found = await self._found(request)
        await self._may_change(found, caller, MEMBERS_WRITE)
        mail = self._named((await json_body(request)).get("@odata.id"))
        await self._join(request, found, MEMBER, mail)
        return Response(status_code=204)

    async def remove_member(self, request: Request, caller: Persona) -> Response:
        """Take a person out of a group."""
        found = await self._found(request)
        await self._may_change(found, caller, MEMBERS_WRITE)
        name = request.path_params["person"]
        person = self._find(name)
        if person is None or not await run_in_threadpool(
            self._groups.leave, found["id"], MEMBER, person.mail
        ):
            raise _missing(f"The member '{name}'")
        return Response(status_code=204)

    async def make_team(self, request: Request, caller: Persona) -> Response:
        """Make a group a team."""
        found = await self._found(request)
        await self._may_change(found, caller, ("Team.Create", *WRITE))
        if not found["unified"]:
            raise GraphError(400, "BadRequest", "Only a Microsoft 365 group can become a team.")
        team = await run_in_threadpool(self._groups.make_team, found["id"])
        return JSONResponse(_team(team), status_code=201)

    async def teams(self, request: Request, caller: Persona) -> Response:
        """The teams of the tenant; a person is shown their own."""
        require(caller, *TEAMS_READ)
        return await self._teams_of(request, caller.mail)

    async def joined(self, request: Request, caller: Persona) -> Response:
        """The teams that a person belongs to."""
        require(caller, *TEAMS_READ)
        person = self._find(request.path_params["user"])
        if person is None or (caller.is_person and person.mail.lower() != caller.mail):
            raise not_found(f"The user '{request.path_params['user']}'")
        return await self._teams_of(request, person.mail)

    async def team(self, request: Request, caller: Persona) -> Response:
        """One team."""
        require(caller, *TEAMS_READ)
        return JSONResponse(_team(await self._team(request, caller)))

    async def conversation_members(self, request: Request, caller: Persona) -> Response:
        """The members of a team as Teams shows them; POST adds one, as ``roles`` says."""
        found = await self._team(request, caller)
        owners = await run_in_threadpool(self._groups.people, found["id"], OWNER)
        if request.method == "GET":
            require(caller, *MEMBERS_READ)
            members = await run_in_threadpool(self._groups.people, found["id"], MEMBER)
            mails = dict.fromkeys([*owners, *members])
            return self._page(request, [self._member(each, owners) for each in mails])
        await self._may_change(found, caller, MEMBERS_WRITE)
        asked = await json_body(request)
        mail = self._named(asked.get("user@odata.bind"))
        role = OWNER if "owner" in listed(asked, "roles") else MEMBER
        await self._join(request, found, role, mail)
        shown = self._member(mail, [mail] if role == OWNER else owners)
        return JSONResponse(shown, status_code=201)

    async def channels(self, request: Request, caller: Persona) -> Response:
        """The channels of a team; POST makes one."""
        found = await self._team(request, caller)
        if request.method == "GET":
            require(caller, *CHANNELS_READ)
            rows = await run_in_threadpool(self._groups.channels, found["id"])
            return self._page(request, [_channel(each) for each in rows])
        require(caller, *CHANNELS_CREATE)
        asked = await json_body(request)
        name = _text(asked, "displayName", 50)
        if _CHANNEL_NAME.fullmatch(name) is None:
            raise GraphError(400, "BadRequest", f"'{name}' is no name of a channel.")
        if asked.get("membershipType") not in (None, "standard"):
            raise not_supported(f"membershipType '{asked['membershipType']}'")
        try:
            made = await run_in_threadpool(
                self._groups.add_channel,
                found["id"],
                name,
                str(asked.get("description") or ""),
                request=request.headers.get("client-request-id"),
            )
        except AlreadyThere:
            message = "Channel name already existed, please use other name."
            raise GraphError(400, "NameAlreadyExists", message) from None
        return JSONResponse(_channel(made), status_code=201)

    async def channel(self, request: Request, caller: Persona) -> Response:
        """One channel."""
        require(caller, *CHANNELS_READ)
        found = await self._team(request, caller)
        wanted = request.path_params["channel"]
        channel = await run_in_threadpool(self._groups.channel, found["id"], wanted)
        if channel is None:
            raise not_found(f"The channel '{wanted}'")
        return JSONResponse(_channel(channel))

    async def _people(self, request: Request, caller: Persona, role: str) -> Response:
        require(caller, *MEMBERS_READ)
        found = await self._found(request)
        mails = await run_in_threadpool(self._groups.people, found["id"], role)
        people = [person for mail in mails if (person := self._find(mail)) is not None]
        kind = {"@odata.type": "#microsoft.graph.user"}
        return self._page(request, [{**kind, **each.to_graph()} for each in people])

    async def _teams_of(self, request: Request, mail: str | None) -> Response:
        rows = await run_in_threadpool(self._groups.teams, mail)
        return self._page(request, [_team(each) for each in rows])

    async def _join(self, request: Request, group: Row, role: str, mail: str) -> None:
        try:
            await run_in_threadpool(
                self._groups.join,
                group["id"],
                role,
                mail,
                request=request.headers.get("client-request-id"),
            )
        except AlreadyThere:
            message = "One or more added object references already exist for the following "
            message += "modified properties: 'members'."
            raise GraphError(400, "Request_BadRequest", message) from None

    async def _found(self, request: Request) -> Row:
        wanted = request.path_params["group"]
        found = await run_in_threadpool(self._groups.find, wanted)
        if found is None:
            raise _missing(f"The group '{wanted}'")
        return found

    async def _team(self, request: Request, caller: Persona) -> Row:
        wanted = request.path_params["group"]
        found = await run_in_threadpool(self._groups.team, wanted)
        if found is None:
            raise not_found(f"The team '{wanted}'")
        if not await run_in_threadpool(self._groups.lets_in, wanted, caller.mail):
            raise GraphError(403, "Forbidden", "The caller is no member of the team.")
        return found

    async def _may_change(self, group: Row, caller: Persona, permissions: Sequence[str]) -> None:
        """Let an application with the permission pass, and a person who owns the group."""
        require(caller, *permissions)
        owners = await run_in_threadpool(self._groups.people, group["id"], OWNER)
        if caller.mail is not None and caller.mail.lower() not in owners:
            message = "Insufficient privileges to complete the operation."
            raise GraphError(403, "Authorization_RequestDenied", message)

    def _named(self, reference: Any) -> str:
        """The mail address of the person whom an address of Graph names."""
        match = _REFERENCE.search(str(reference or ""))
        if match is None:
            raise GraphError(400, "Request_BadRequest", "A person is named by an address of Graph.")
        person = self._find(match["id"])
        if person is None:
            raise _missing(f"The user '{match['id']}'")
        return person.mail.lower()

    def _member(self, mail: str, owners: Sequence[str]) -> dict[str, Any]:
        person = self._find(mail)
        return {
            "@odata.type": "#microsoft.graph.aadUserConversationMember",
            "id": mail,
            "roles": ["owner"] if mail in owners else [],
            "displayName": None if person is None else person.name,
            "userId": None if person is None else person.object_id,
            "email": mail,
        }

    def _page(self, request: Request, values: list[dict[str, Any]]) -> Response:
        query = dict(request.query_params)
        unknown = sorted(query.keys() - _OPTIONS)
        if unknown:
            raise not_supported(f"query option {unknown[0]} on groups and teams")
        if query.get("$filter"):
            try:
                test = parse_filter(query["$filter"])
            except QueryInvalid as error:
                raise GraphError(400, "Request_BadRequest", f"Invalid query: {error}.") from None
            values = [each for each in values if test(each)]
        start = whole_number(query, "$skiptoken", 0, code="Request_BadRequest")
        top = whole_number(query, "$top", DEFAULT_PAGE, code="Request_BadRequest")
        end = start + min(top, MAX_PAGE)
        body: dict[str, Any] = {"value": values[start:end]}
        if end < len(values):
            following = urlencode({**query, "$skiptoken": str(end)}, safe="$")
            body["@odata.nextLink"] = f"{self._origin}{request.url.path}?{following}"
        return JSONResponse(body)


def _missing(what: str) -> GraphError:
    return GraphError(404, "Request_ResourceNotFound", f"{what} does not exist.")


def _text(asked: dict[str, Any], name: str, longest: int) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > longest:
        raise GraphError(400, "Request_BadRequest", f"{name} needs 1 to {longest} characters.")
    return value


def _is_unified(asked: dict[str, Any]) -> bool:
    """Whether a Microsoft 365 group is asked for, else it is a security group."""
    unified = "Unified" in listed(asked, "groupTypes")
    mail, security = asked.get("mailEnabled"), asked.get("securityEnabled")
    if not isinstance(mail, bool) or not isinstance(security, bool) or mail != unified:
        raise GraphError(
            400,
            "Request_BadRequest",
            "mailEnabled and securityEnabled are required; mail is for groups of type Unified.",
        )
    return unified


def _group(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "displayName": row["name"],
        "description": row["description"] or None,
        "mailNickname": row["nickname"],
        "mailEnabled": row["unified"],
        "securityEnabled": not row["unified"],
        "groupTypes": ["Unified"] if row["unified"] else [],
        "resourceProvisioningOptions": ["Team"] if row["team"] else [],
        "createdDateTime": graph_time(row["created"]),
    }


def _team(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "displayName": row["name"],
        "description": row["description"] or None,
        "isArchived": False,
        "createdDateTime": graph_time(row["created"]),
    }


def _channel(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "displayName": row["name"],
        "description": row["description"] or None,
        "membershipType": "standard",
        "createdDateTime": graph_time(row["created"]),
    }
