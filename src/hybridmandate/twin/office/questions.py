"""Questions that wait for a person: cards with inputs, mails with options."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update

from hybridmandate.twin.item_store import ItemStore
from hybridmandate.twin.office.tables import QUESTIONS, Row, made_by, next_number


class AnsweredBefore(Exception):
    """Somebody has answered the question."""


class Questions(ItemStore):
    """The questions of a tenant; every method is one short transaction."""

    def ask(
        self,
        title: str,
        people: Sequence[str] | None,
        options: Sequence[str],
        content: Mapping[str, Any],
        *,
        request: str | None,
    ) -> tuple[Row, bool]:
        """A question to people, or to everybody (None), and whether it is new.

        ``options`` are the answers among which to choose; none means an answer in the form of the
        card in ``content``. A repeated ``request`` gives the question that it asked.
        """
        with self._lock, self._engine.begin() as db:
            known = made_by(db, QUESTIONS, request)
            if known is not None:
                return known, False
            question_id = self._new_id()
            db.execute(
                insert(QUESTIONS).values(
                    id=question_id,
                    number=next_number(db, QUESTIONS),
                    request=request,
                    title=title,
                    people=None if people is None else json.dumps([p.lower() for p in people]),
                    options=json.dumps(list(options)),
                    content=json.dumps(dict(content)),
                    asked=self._clock(),
                )
            )
            return _one(db, question_id), True

    def find(self, question_id: str) -> Row | None:
        """A question by id."""
        query = select(QUESTIONS).where(QUESTIONS.c.id == question_id)
        with self._engine.connect() as db:
            return db.execute(query).mappings().first()

    def waiting(self) -> list[Row]:
        """The questions that nobody has answered, newest first."""
        query = select(QUESTIONS).where(QUESTIONS.c.answered.is_(None))
        with self._engine.connect() as db:
            return list(db.execute(query.order_by(QUESTIONS.c.number.desc())).mappings())

    def answer(self, question_id: str, person: Mapping[str, Any], answer: Mapping[str, Any]) -> Row:
        """Answer a question; the first answer counts.

        :raises AnsweredBefore: when it has one.
        """
        with self._lock, self._engine.begin() as db:
            if _one(db, question_id)["answered"] is not None:
                raise AnsweredBefore(question_id)
            values = {
                "answered": self._clock(),
                "person": json.dumps(dict(person)),
                "answer": json.dumps(dict(answer)),
            }
            db.execute(update(QUESTIONS).where(QUESTIONS.c.id == question_id).values(values))
            return _one(db, question_id)


def concerns(question: Row, mail: str) -> bool:
    """Whether a person is asked."""
    return question["people"] is None or mail.lower() in json.loads(question["people"])


def _one(db: Connection, question_id: str) -> Row:
    found: Row = db.execute(select(QUESTIONS).where(QUESTIONS.c.id == question_id)).mappings().one()
    return found
