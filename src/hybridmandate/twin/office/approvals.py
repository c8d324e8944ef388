"""Approvals: a question to people, their answers, and when it is decided."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from hybridmandate.twin.item_store import ItemStore
from hybridmandate.twin.office.tables import APPROVALS, RESPONSES, Row, made_by, next_number

OPTIONS = ("Approve", "Reject")
"""The answers to an approval without responses of its own."""
AWAIT_ALL = ("basicAwaitAll", "customAwaitAll")


class AnsweredAlready(Exception):
    """The approval is closed, or this person has answered it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An approver's answer to an approval."""

    person: Mapping[str, Any]
    mail: str
    response: str
    comments: str


class Approvals(ItemStore):
    """The approvals of a tenant; every method is one short transaction."""

    def add(
        self,
        title: str,
        details: str,
        kind: str,
        approvers: Sequence[str],
        owner: Mapping[str, Any],
        *,
        options: Sequence[str] = OPTIONS,
        request: str | None,
    ) -> Row:
        """Ask people for a decision; ``approvers`` are mail addresses, ``options`` the answers.

        ``request`` names the request: one that is repeated gives the approval that it made.
        """
        with self._lock, self._engine.begin() as db:
            found = made_by(db, APPROVALS, request)
            if found is not None:
                return found
            approval_id = self._new_id()
            db.execute(
                insert(APPROVALS).values(
                    id=approval_id,
                    number=next_number(db, APPROVALS),
                    request=request,
                    title=title,
                    details=details,
                    kind=kind,
                    approvers=json.dumps([each.lower() for each in approvers]),
                    owner=json.dumps(owner),
                    options=json.dumps(list(options)),
                    state="pending",
                    created=self._clock(),
                )
            )
            return self._approval(db, approval_id)

    def find(self, approval_id: str) -> Row | None:
        """An approval by id."""
        query = select(APPROVALS).where(APPROVALS.c.id == approval_id)
        with self._engine.connect() as db:
            return db.execute(query).mappings().first()

    def all(self) -> list[Row]:
        """All approvals, newest first."""
        with self._engine.connect() as db:
            query = select(APPROVALS).order_by(APPROVALS.c.number.desc())
            return list(db.execute(query).mappings())

    def responses(self, approval_id: str) -> list[Row]:
        """The answers to an approval, oldest first."""
        query = select(RESPONSES).where(RESPONSES.c.approval == approval_id)
        with self._engine.connect() as db:
            return list(db.execute(query.order_by(RESPONSES.c.created)).mappings())

    def respond(self, approval_id: str, answer: Answer) -> Row:
        """Record an answer; the approval is completed when its kind says so.

        :raises AnsweredAlready: when the approval is closed or the person has answered.
        """
        with self._lock, self._engine.begin() as db:
            approval = self._approval(db, approval_id)
            given = list(
                db.execute(select(RESPONSES).where(RESPONSES.c.approval == approval_id)).mappings()
            )
            if approval["state"] != "pending" or any(r["mail"] == answer.mail for r in given):
                raise AnsweredAlready(approval_id)
            response_id = self._new_id()
            db.execute(
                insert(RESPONSES).values(
                    id=response_id,
                    approval=approval_id,
                    person=json.dumps(answer.person),
                    mail=answer.mail,
                    response=answer.response,
                    comments=answer.comments,
                    created=self._clock(),
                )
            )
            answers = [*(r["response"] for r in given), answer.response]
            result = decided(approval["kind"], len(json.loads(approval["approvers"])), answers)
            if result is not None:
                db.execute(
                    update(APPROVALS)
                    .where(APPROVALS.c.id == approval_id)
                    .values(state="completed", result=result, completed=self._clock())
                )
            query = select(RESPONSES).where(RESPONSES.c.id == response_id)
            return db.execute(query).mappings().one()

    def cancel(self, approval_id: str) -> bool:
        """Close an approval that waits, without a result; False when it is closed already."""
        waiting = (APPROVALS.c.id == approval_id, APPROVALS.c.state == "pending")
        closed = {"state": "canceled", "completed": self._clock()}
        with self._lock, self._engine.begin() as db:
            return db.execute(update(APPROVALS).where(*waiting).values(closed)).rowcount > 0

    def _approval(self, db: Connection, approval_id: str) -> Row:
        query = select(APPROVALS).where(APPROVALS.c.id == approval_id)
        found: Row = db.execute(query).mappings().one()
        return found


def decided(kind: str, approvers: int, answers: Sequence[str]) -> str | None:
    """The result of an approval, or None while it waits.

    ``basic`` and ``custom`` are decided by the first answer, ``basicAwaitAll`` by everybody or by
    one rejection, ``customAwaitAll`` by everybody: its result is all answers in their order.
    """
    if not answers:
        return None
    if kind not in AWAIT_ALL:
        return answers[-1]
    rejected = [answer for answer in answers if answer.lower() == "reject"]
    if rejected and kind == "basicAwaitAll":
        return rejected[0]
    if len(answers) < approvers:
        return None
    return answers[-1] if kind == "basicAwaitAll" else ", ".join(answers)
