"""The seam between the doors and the gateway: a call as it came in, and where its answer goes.

A door speaks a protocol (HTTP/1.1 on its own, anything else by an ASGI server) and gives the
gateway calls; the gateway decides and answers. Neither side knows the other's workings.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Protocol

Lines = Sequence[tuple[str, str]]
"""Names and values of headers, one pair a line."""


class CallerLeft(Exception):
    """The caller went away: nothing more can be read from it or told to it."""


class AnswerInvalid(ValueError):
    """An answer whose head would not be one on the wire: a line break in a header, for example."""


@dataclass(slots=True)
class CallHead:
    """What a call's head says. ``path`` is as it came, still encoded, without the query; names of
    ``headers`` are in lower case; ``certificate`` is what the caller showed in TLS (DER)."""

    method: str
    path: bytes
    query: str
    headers: list[tuple[bytes, bytes]]
    scheme: str
    client: str
    certificate: bytes | None = None


class Call(Protocol):
    """One call. What answers it gives something to await only where the caller must take what was
    sent before, and raises :class:`CallerLeft` where that is noticed."""

    head: CallHead
    content: bytes | None
    """The body where the whole of it is at hand; None where it must be received."""
    is_left: bool
    """Whether the task was cancelled because the caller left."""

    async def receive(self) -> tuple[bytes, bool]:
        """The next piece of the body, and whether more follow. :raises CallerLeft:"""

    def watch(self, after: float) -> None:
        """Cancel the current task when the caller leaves, from ``after`` seconds on."""

    def stop_watching(self) -> None:
        """Nobody needs to be cancelled any more."""

    def answer(
        self, status: int, reason: str, lines: Lines, content: bytes
    ) -> Awaitable[None] | None:
        """The whole answer. :raises AnswerInvalid: nothing was sent then."""

    def begin(self, status: int, reason: str, lines: Lines) -> Awaitable[None] | None:
        """The head of an answer whose body follows. :raises AnswerInvalid: nothing was sent."""

    def send(self, piece: bytes) -> Awaitable[None] | None:
        """A piece of the body."""

    def end(self) -> Awaitable[None] | None:
        """The body is whole."""

    def cut_off(self) -> None:
        """End the connection: the answer will not be whole."""
