"""Graph's people: profiles, managers, direct reports, a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hybridmandate.twin.office.caller import Persona, require
from hybridmandate.twin.office.errors import GraphError, not_found, not_supported
from hybridmandate.twin.office.query import whole_number

PERMISSIONS = ("User.Read.All", "Directory.Read.All")
_SELECTABLE = (
    "id",
    "displayName",
    "givenName",
    "surname",
    "mail",
    "userPrincipalName",
    "jobTitle",
    "accountEnabled",
)


@dataclass(frozen=True, slots=True)
class Profile:
    """A person of the tenant; ``manager`` is the mail address of who they report to."""

    object_id: str
    name: str
    mail: str
    title: str | None = None
    manager: str | None = None

    def to_graph(self) -> dict[str, Any]:
        """As a user of Graph."""
        given, _, surname = self.name.rpartition(" ")
        return {
            "id": self.object_id,
            "displayName": self.name,
            "givenName": given or surname,
            "surname": surname if given else None,
            "mail": self.mail,
            "userPrincipalName": self.mail,
            "jobTitle": self.title,
            "accountEnabled": True,
        }


class PeopleSurface:
    """Endpoints of people."""

    def __init__(self, people: Sequence[Profile]) -> None:
        self._people = tuple(people)

    async def users(self, request: Request, caller: Persona) -> Response:
        """The people of the tenant; ``$search`` and ``$top`` narrow them."""
        require(caller, *PERMISSIONS)
        if "$filter" in request.query_params:
            raise not_supported("$filter on users: use $search")
        term = request.query_params.get("$search", "").strip('"').rpartition(":")[2].lower()
        found = [
            each for each in self._people if term in each.name.lower() or term in each.mail.lower()
        ]
        top = whole_number(request.query_params, "$top", 100, code="Request_BadRequest")
        return JSONResponse({"value": [_shown(request, each) for each in found[:top]]})

    async def me(self, request: Request, caller: Persona) -> Response:
        """The person who calls; an application has no profile."""
        if caller.mail is None:
            raise GraphError(
                400, "BadRequest", "/me request is only valid with delegated authentication flow."
            )
        return JSONResponse(_shown(request, self._person(caller.mail)))

    async def user(self, request: Request, caller: Persona) -> Response:
        """One person by object id or sign-in name."""
        require(caller, *PERMISSIONS)
        return JSONResponse(_shown(request, self._person(request.path_params["user"])))

    async def manager(self, request: Request, caller: Persona) -> Response:
        """Who a person reports to; 404 when to nobody."""
        require(caller, *PERMISSIONS)
        person = self._person(request.path_params["user"])
        if person.manager is None:
            raise GraphError(404, "Request_ResourceNotFound", "Resource 'manager' does not exist.")
        return JSONResponse(_shown(request, self._person(person.manager)))

    async def reports(self, request: Request, caller: Persona) -> Response:
        """Who reports to a person."""
        require(caller, *PERMISSIONS)
        mail = self._person(request.path_params["user"]).mail.lower()
        found = [each for each in self._people if (each.manager or "").lower() == mail]
        return JSONResponse({"value": [_shown(request, each) for each in found]})

    async def photo(self, request: Request, caller: Persona) -> Response:
        """The photo of a person: nobody has one here."""
        require(caller, *PERMISSIONS)
        self._person(request.path_params["user"])
        raise GraphError(404, "ImageNotFound", "The photo wasn't found.")

    def mail_of(self, name: str) -> str | None:
        """The mail address of a person by object id or sign-in name, None for nobody."""
        found = self.find(name)
        return None if found is None else found.mail

    def _person(self, name: str) -> Profile:
        found = self.find(name)
        if found is None:
            raise not_found(f"The user '{name}'")
        return found

    def find(self, name: str) -> Profile | None:
        """A person by object id or sign-in name, None for nobody."""
        wanted = name.lower()
        return next(
            (e for e in self._people if wanted in (e.object_id.lower(), e.mail.lower())), None
        )


def _shown(request: Request, person: Profile) -> dict[str, Any]:
    whole = person.to_graph()
    chosen = request.query_params.get("$select")
    if not chosen:
        return whole
    names = [each.strip() for each in chosen.split(",")]
    unknown = [each for each in names if each not in _SELECTABLE]
    if unknown:
        raise GraphError(400, "Request_BadRequest", f"Could not find a property '{unknown[0]}'.")
    return {name: whole[name] for name in names}
