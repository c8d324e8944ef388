"""Groups of a tenant: who belongs to them, and the channels of those that are teams."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from hybridmandate.twin.item_store import ItemStore
from hybridmandate.twin.office.tables import (
    CHANNELS,
    GROUP_PEOPLE,
    GROUPS,
    Row,
    made_by,
    next_number,
)

MEMBER, OWNER = "member", "owner"
GENERAL = "General"
"""The channel that every team has."""


class AlreadyThere(Exception):
    """The person has that role in the group, or the team has a channel of that name."""


class Groups(ItemStore):
    """Groups, people by mail address, channels; every method is one short transaction."""

    def add(
        self,
        name: str,
        nickname: str,
        description: str,
        *,
        unified: bool,
        owners: Sequence[str] = (),
        members: Sequence[str] = (),
        request: str | None,
    ) -> Row:
        """A new group; a repeated ``request`` gives the group that it made.

        ``unified`` is a Microsoft 365 group, else it is a security group.
        """
        with self._lock, self._engine.begin() as db:
            known = made_by(db, GROUPS, request)
            if known is not None:
                return known
            group_id = self._new_id()
            db.execute(
                insert(GROUPS).values(
                    id=group_id,
                    number=next_number(db, GROUPS),
                    request=request,
                    name=name,
                    nickname=nickname,
                    description=description,
                    unified=unified,
                    team=False,
                    created=self._clock(),
                )
            )
            for role, people in ((OWNER, owners), (MEMBER, members)):
                for mail in dict.fromkeys(each.lower() for each in people):
                    _join(db, group_id, role, mail, None)
            return _one(db, group_id)

    def find(self, group_id: str) -> Row | None:
        """A group by id."""
        with self._engine.connect() as db:
            return db.execute(select(GROUPS).where(GROUPS.c.id == group_id)).mappings().first()

    def all(self) -> list[Row]:
        """All groups, oldest first."""
        with self._engine.connect() as db:
            return list(db.execute(select(GROUPS).order_by(GROUPS.c.number)).mappings())

    def delete(self, group_id: str) -> bool:
        """Remove a group with its people and channels; False when there is none."""
        with self._lock, self._engine.begin() as db:
            db.execute(delete(GROUP_PEOPLE).where(GROUP_PEOPLE.c.group == group_id))
            db.execute(delete(CHANNELS).where(CHANNELS.c.team == group_id))
            return db.execute(delete(GROUPS).where(GROUPS.c.id == group_id)).rowcount > 0

    def people(self, group_id: str, role: str) -> list[str]:
        """The mail addresses of those who have a role in a group, in the order of their coming."""
        with self._engine.connect() as db:
            return _people(db, group_id, role)

    def lets_in(self, group_id: str, mail: str | None) -> bool:
        """Whether a person belongs to a group; an application (None) is held by permissions."""
        if mail is None:
            return True
        with self._engine.connect() as db:
            both = [*_people(db, group_id, MEMBER), *_people(db, group_id, OWNER)]
            return mail.lower() in both

    def join(self, group_id: str, role: str, mail: str, *, request: str | None) -> None:
        """Give a person a role in a group.

        A repeated ``request`` changes nothing. :raises AlreadyThere: when they have it.
        """
        own = _role(group_id, role, mail)
        with self._lock, self._engine.begin() as db:
            known = db.execute(select(GROUP_PEOPLE).where(*own)).mappings().first()
            if known is None:
                _join(db, group_id, role, mail.lower(), request)
            elif request is None or known["request"] != request:
                raise AlreadyThere(mail)

    def leave(self, group_id: str, role: str, mail: str) -> bool:
        """Take a role from a person; False when they did not have it."""
        with self._lock, self._engine.begin() as db:
            gone = delete(GROUP_PEOPLE).where(*_role(group_id, role, mail))
            return db.execute(gone).rowcount > 0

    def team(self, group_id: str) -> Row | None:
        """A group that is a team, by id."""
        found = self.find(group_id)
        return found if found is not None and found["team"] else None

    def teams(self, mail: str | None) -> list[Row]:
        """The teams that a person belongs to, or all of them (None), oldest first."""
        return [each for each in self.all() if each["team"] and self.lets_in(each["id"], mail)]

    def make_team(self, group_id: str) -> Row:
        """Make a group a team with its first channel; one that is a team stays as it is."""
        with self._lock, self._engine.begin() as db:
            group = _one(db, group_id)
            if group["team"]:
                return group
            db.execute(update(GROUPS).where(GROUPS.c.id == group_id).values(team=True))
            self._add_channel(db, group_id, GENERAL, str(group["description"]), None)
            return _one(db, group_id)

    def channels(self, team: str) -> list[Row]:
        """The channels of a team, oldest first."""
        query = select(CHANNELS).where(CHANNELS.c.team == team).order_by(CHANNELS.c.number)
        with self._engine.connect() as db:
            return list(db.execute(query).mappings())

    def channel(self, team: str, channel_id: str) -> Row | None:
        """A channel of a team by id."""
        query = select(CHANNELS).where(CHANNELS.c.team == team, CHANNELS.c.id == channel_id)
        with self._engine.connect() as db:
            return db.execute(query).mappings().first()

    def add_channel(self, team: str, name: str, description: str, *, request: str | None) -> Row:
        """A new channel; a repeated ``request`` gives the channel that it made.

        :raises AlreadyThere: when the team has one of that name.
        """
        with self._lock, self._engine.begin() as db:
            known = made_by(db, CHANNELS, request)
            if known is not None:
                return known
            named = (CHANNELS.c.team == team, func.lower(CHANNELS.c.name) == name.lower())
            if db.execute(select(CHANNELS.c.id).where(*named)).first() is not None:
                raise AlreadyThere(name)
            return self._add_channel(db, team, name, description, request)

    def _add_channel(
        self, db: Connection, team: str, name: str, description: str, request: str | None
    ) -> Row:
        channel_id = f"19:{self._new_id()}@thread.tacv2"
        db.execute(
            insert(CHANNELS).values(
                id=channel_id,
                number=next_number(db, CHANNELS),
                request=request,
                team=team,
                name=name,
                description=description,
                created=self._clock(),
            )
        )
        return db.execute(select(CHANNELS).where(CHANNELS.c.id == channel_id)).mappings().one()


def _one(db: Connection, group_id: str) -> Row:
    found: Row = db.execute(select(GROUPS).where(GROUPS.c.id == group_id)).mappings().one()
    return found


def _role(group_id: str, role: str, mail: str) -> tuple[ColumnElement[bool], ...]:
    people = GROUP_PEOPLE.c
    return people.group == group_id, people.role == role, people.mail == mail.lower()


def _people(db: Connection, group_id: str, role: str) -> list[str]:
    own = (GROUP_PEOPLE.c.group == group_id, GROUP_PEOPLE.c.role == role)
    query = select(GROUP_PEOPLE.c.mail).where(*own).order_by(GROUP_PEOPLE.c.number)
    return [str(each) for each in db.execute(query).scalars()]


def _join(db: Connection, group_id: str, role: str, mail: str, request: str | None) -> None:
    values = {"group": group_id, "role": role, "mail": mail, "request": request}
    db.execute(insert(GROUP_PEOPLE).values(**values, number=next_number(db, GROUP_PEOPLE)))
