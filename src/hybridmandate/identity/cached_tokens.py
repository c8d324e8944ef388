"""Tokens of one's own, kept until shortly before they expire; one request at a time a resource."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from hybridmandate.identity.principal import TokenUnavailable

RENEW_BEFORE_SECONDS = 300.0
"""How long before expiry a new token is fetched; at most half of the token's life."""

_TRANSIENT_STATUS = frozenset({404, 408, 410, 429})


@dataclass(frozen=True, slots=True)
class ObtainedToken:
    """A token and the epoch seconds at which it expires."""

    text: str
    expires_at: float


Obtain = Callable[[str], Awaitable[ObtainedToken]]


class CachedTokens:
    """A cache in front of whatever obtains tokens. Failures are not cached."""

    def __init__(self, obtain: Obtain, clock: Callable[[], float]) -> None:
        self._obtain = obtain
        self._clock = clock
        self._held: dict[str, tuple[ObtainedToken, float]] = {}
        self._running: dict[str, asyncio.Task[ObtainedToken]] = {}

    async def token(self, resource: str) -> str:
        """A token for the resource.

        While the old token is still good, a renewal that fails does not hurt: it is used up first.
        :raises TokenUnavailable: when there is no good token and none can be had.
        """
        held = self._held.get(resource)
        now = self._clock()
        if held is not None and now < held[1]:
            return held[0].text
        try:
            return (await self._renew(resource)).text
        except TokenUnavailable as refused:
            if refused.transient and held is not None and self._clock() < held[0].expires_at:
                return held[0].text
            raise

    def forget(self) -> None:
        """Drop what is held, such as after the credential changed."""
        self._held.clear()

    async def _renew(self, resource: str) -> ObtainedToken:
        running = self._running.get(resource)
        if running is None:
            running = asyncio.create_task(self._obtain_once(resource))
            self._running[resource] = running
        # Shielded: a caller that gives up must not end the request that others wait for.
        return await asyncio.shield(running)

    async def _obtain_once(self, resource: str) -> ObtainedToken:
        try:
            found = await self._obtain(resource)
        finally:
            del self._running[resource]
        now = self._clock()
        margin = min(RENEW_BEFORE_SECONDS, (found.expires_at - now) / 2)
        self._held[resource] = (found, found.expires_at - margin)
        return found


async def ask(http: httpx.AsyncClient, request: httpx.Request, who: str) -> Mapping[str, Any]:
    """The JSON object that a token endpoint answers with 200.

    :raises TokenUnavailable: transient when nothing answered or the status says 'later' (404, 408,
        410, 429, 5xx, which is what Azure's SDKs retry), permanent otherwise. The message holds
        the endpoint's error code, never a credential.
    """
    try:
        answer = await http.send(request)
    except httpx.HTTPError as error:
        raise TokenUnavailable(
            f"{who} did not answer ({type(error).__name__})", transient=True
        ) from error
    try:
        body = answer.json()
    except ValueError:
        body = None
    if answer.status_code == 200 and isinstance(body, dict):
        return body
    transient = answer.status_code in _TRANSIENT_STATUS or answer.status_code >= 500
    raise TokenUnavailable(
        f"{who} answered {answer.status_code}: {_said(body)}", transient=transient
    )


def text_of(body: Mapping[str, Any], name: str, who: str) -> str:
    """A text member of an answer. :raises TokenUnavailable: when it is not there."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise TokenUnavailable(f"{who} answered without '{name}'", transient=False)
    return value


def seconds_of(body: Mapping[str, Any], name: str, who: str) -> float:
    """A number of seconds, sent as number or text. :raises TokenUnavailable: when it is none."""
    try:
        return float(body[name])
    except (KeyError, TypeError, ValueError):
        raise TokenUnavailable(f"{who} answered without '{name}'", transient=False) from None


def _said(body: object) -> str:
    if not isinstance(body, dict):
        return "no explanation"
    said = body.get("error_description") or body.get("message") or body.get("error")
    return str(said).splitlines()[0][:200] if said else "no explanation"
