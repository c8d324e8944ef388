"""The process `office`: the stand-in for Microsoft Graph."""

from __future__ import annotations

import time
import uuid

from hybridmandate.durable.database import open_engine
from hybridmandate.identity.audiences import GRAPH_AUDIENCE
from hybridmandate.identity.principal import TokenRefused
from hybridmandate.identity.verifier import DelegatedTokenVerifier
from hybridmandate.local.boot import Boot
from hybridmandate.local.processes.certificate import certificate
from hybridmandate.local.serving import Serving
from hybridmandate.twin.office import OfficeSettings, OfficeStore, Persona, Profile, create_app
from hybridmandate.twin.office.files_surface import USER_DRIVE


def serve_office(boot: Boot) -> list[Serving]:
    """The stand-in with the libraries that the environment declares."""
    store = OfficeStore(
        open_engine(boot.state.database("office", "office")),
        clock=time.time,
        new_id=lambda: str(uuid.uuid4()),
    )
    for library in boot.environment.libraries.values():
        drive = library.site or f"{USER_DRIVE}{library.user.lower()}"
        for folder in library.folders:
            store.library.add_folder(drive, folder)
        for name in library.lists:
            store.lists.add_list(library.site, name)
    app = create_app(
        OfficeSettings(origin=boot.plan.origin("office"), people=_profiles(boot)),
        store,
        boot.verifier(GRAPH_AUDIENCE),
        People(DelegatedTokenVerifier(boot.accepted(GRAPH_AUDIENCE), boot.keys, clock=time.time)),
        new_request_id=lambda: str(uuid.uuid4()),
    )
    return [Serving(app, port=boot.plan.ports["office"], certificate=certificate(boot))]


def _profiles(boot: Boot) -> tuple[Profile, ...]:
    """The people of the manifest, with the object ids that their tokens carry."""
    people = boot.folder.solution.people
    ids = {user.name: user.object_id for user in boot.directory.users}
    return tuple(
        Profile(
            object_id=ids[name],
            name=person.name,
            mail=person.mail,
            title=person.title,
            manager=None if person.manager is None else people[person.manager].mail,
        )
        for name, person in people.items()
    )


class People:
    """Finds the person of a delegated token, as the office stand-in asks for it."""

    def __init__(self, verifier: DelegatedTokenVerifier) -> None:
        self._verifier = verifier

    async def verify_person(self, authorization: str | None) -> Persona:
        """The person. :raises TokenRefused: when the token is none of a person's."""
        principal = await self._verifier.verify(authorization)
        mail = principal.claims.get("upn") or principal.claims.get("preferred_username")
        if not isinstance(mail, str):
            raise TokenRefused("token.not_a_person", "the token names no user")
        return Persona(principal.object_id, str(principal.claims.get("name") or mail), mail)
