"""Questions to people, below ``/mandate/questions``: an interface of the stand-in's own.

In the cloud the services themselves call the platform back when a person presses a button of a card
or of an actionable mail, and no public interface of theirs tells the answer. Here the question is
asked, read and answered by HTTP; the card or the mail is posted as always beside it.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hybridmandate.twin.office.body import graph_time, json_body, listed, part
from hybridmandate.twin.office.caller import Persona, require
from hybridmandate.twin.office.errors import GraphError, not_found
from hybridmandate.twin.office.questions import AnsweredBefore, Questions, concerns
from hybridmandate.twin.office.tables import Row

PERMISSIONS = ("ChatMessage.Send", "ChannelMessage.Send", "Mail.Send")


class QuestionsSurface:
    """Endpoints of questions."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions

    async def questions(self, request: Request, caller: Persona) -> Response:
        """A person's open questions; POST asks one, as a workload."""
        require(caller, *PERMISSIONS)
        if request.method == "GET":
            rows = await run_in_threadpool(self._questions.waiting)
            own = [each for each in rows if _may_see(each, caller)]
            return JSONResponse({"value": [_question(each) for each in own]})
        if caller.is_person:
            raise GraphError(403, "accessDenied", "Only a workload asks questions.")
        asked = await json_body(request)
        question, new = await run_in_threadpool(
            self._questions.ask,
            str(asked.get("title") or ""),
            _people(asked),
            [str(each) for each in listed(asked, "options")],
            part(asked, "content"),
            request=request.headers.get("client-request-id"),
        )
        return JSONResponse(_question(question), status_code=201 if new else 200)

    async def question(self, request: Request, caller: Persona) -> Response:
        """One question, with its answer where it has one."""
        require(caller, *PERMISSIONS)
        return JSONResponse(_question(await self._asked(request, caller)))

    async def answer(self, request: Request, caller: Persona) -> Response:
        """Answer a question, as one of the people who are asked."""
        question = await self._asked(request, caller)
        if not caller.is_person:
            raise GraphError(403, "accessDenied", "Only a person answers a question.")
        given = _answer(question, await json_body(request))
        try:
            answered = await run_in_threadpool(
                self._questions.answer, question["id"], caller.to_graph(), given
            )
        except AnsweredBefore:
            raise GraphError(409, "conflict", "The question was answered before.") from None
        return JSONResponse(_question(answered), status_code=201)

    async def _asked(self, request: Request, caller: Persona) -> Row:
        question_id = request.path_params["question"]
        found = await run_in_threadpool(self._questions.find, question_id)
        if found is None or not _may_see(found, caller):
            raise not_found(f"The question '{question_id}'")
        return found


def _people(asked: dict[str, Any]) -> list[str] | None:
    if asked.get("people") is None:
        return None
    people = [str(each) for each in listed(asked, "people")]
    if not people:
        raise GraphError(400, "BadRequest", "people names nobody.")
    return people


def _answer(question: Row, given: dict[str, Any]) -> dict[str, Any]:
    options = json.loads(question["options"])
    action = given.get("action")
    if not isinstance(action, str) or (options and action not in options):
        allowed = f"one of {', '.join(options)}" if options else "the title of a button"
        raise GraphError(400, "BadRequest", f"action must be {allowed}.")
    data = given.get("data", {})
    if not isinstance(data, dict):
        raise GraphError(400, "BadRequest", "data must be an object.")
    return {"action": action, "data": data}


def _may_see(question: Row, caller: Persona) -> bool:
    return not caller.is_person or concerns(question, caller.mail or "")


def _question(row: Row) -> dict[str, Any]:
    answered = row["answered"] is not None
    return {
        "id": row["id"],
        "title": row["title"],
        "options": json.loads(row["options"]),
        "content": json.loads(row["content"]),
        "state": "answered" if answered else "waiting",
        "askedDateTime": graph_time(row["asked"]),
        "answeredDateTime": graph_time(row["answered"]) if answered else None,
        "answeredBy": json.loads(row["person"]) if answered else None,
        "answer": json.loads(row["answer"]) if answered else None,
    }
