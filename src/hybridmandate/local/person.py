"""A person at the local tenant: signs in, drops files, reads mail, answers approvals and questions.

People act with their own delegated token, as in the cloud; the demonstration and the tests use this
and never reach into a service's database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from hybridmandate.identity.audiences import GRAPH_AUDIENCE

SCOPES = " ".join(
    f"{GRAPH_AUDIENCE}/{scope}"
    for scope in (
        "Files.ReadWrite.All",
        "Mail.Read",
        "ApprovalSolution.ReadWrite",
        "ChatMessage.Send",
    )
)
"""What people consent to; an answer to a card or to a mail with options is a message of theirs."""


class PersonRefused(Exception):
    """A service refused what the person wanted to do; the message holds its answer."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """Where and as whom a person signs in; ``client_id`` is the public client used for it."""

    token_endpoint: str
    client_id: str
    user_name: str
    password: str


class Person:
    """One signed-in person; ``office`` is the origin of the office stand-in."""

    def __init__(self, sign_in: SignIn, office: str, http: httpx.AsyncClient) -> None:
        self.mail = sign_in.user_name
        self._sign_in = sign_in
        self._office = office
        self._http = http
        self._token: str | None = None

    async def token(self, scope: str = SCOPES) -> str:
        """A delegated token. :raises PersonRefused: when the sign-in fails."""
        answer = await self._http.post(
            self._sign_in.token_endpoint,
            data={
                "grant_type": "password",
                "client_id": self._sign_in.client_id,
                "username": self._sign_in.user_name,
                "password": self._sign_in.password,
                "scope": scope,
            },
        )
        return str(_body(answer, 200)["access_token"])

    async def drop(self, site: str, folder: str, name: str, content: bytes) -> dict[str, Any]:
        """Put a file into a folder of a document library; returns the drive item."""
        path = f"/v1.0/sites/{quote(site)}/drive/root:/{quote(folder)}/{quote(name)}:/content"
        return _body(await self._send("PUT", path, content=content), 200, 201)

    async def mails(self) -> list[dict[str, Any]]:
        """The person's mails, newest first."""
        answer = await self._send("GET", f"/v1.0/users/{quote(self.mail)}/messages")
        return list(_body(answer, 200)["value"])

    async def approvals(self) -> list[dict[str, Any]]:
        """The approvals that wait for this person."""
        answer = await self._send("GET", "/beta/solutions/approval/approvalItems")
        return [each for each in _body(answer, 200)["value"] if each["state"] == "pending"]

    async def answer(self, approval: Mapping[str, Any], response: str, comments: str) -> None:
        """Answer an approval with one of its ``responsePrompts``."""
        path = f"/beta/solutions/approval/approvalItems/{approval['id']}/responses"
        given = {"response": response, "comments": comments}
        _body(await self._send("POST", path, json=given), 201)

    async def questions(self) -> list[dict[str, Any]]:
        """The cards and the mails with options that wait for this person, newest first."""
        return list(_body(await self._send("GET", "/mandate/questions"), 200)["value"])

    async def reply(
        self, question: Mapping[str, Any], action: str, data: Mapping[str, str]
    ) -> None:
        """Press a button of a question, with what was filled in.

        :raises PersonRefused: when it was answered before, or has no such button.
        """
        path = f"/mandate/questions/{quote(str(question['id']))}/answer"
        given = {"action": action, "data": dict(data)}
        _body(await self._send("POST", path, json=given), 201)

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        if self._token is None:
            self._token = await self.token()
        headers = {"authorization": f"Bearer {self._token}"}
        return await self._http.request(method, self._office + path, headers=headers, **options)


def _body(answer: httpx.Response, *expected: int) -> dict[str, Any]:
    if answer.status_code not in expected:
        raise PersonRefused(f"{answer.request.url}: {answer.status_code} {answer.text[:300]}")
    value: dict[str, Any] = answer.json()
    return value
