"""A prepared run of policies: acted one after the other, errors given their place."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from hybridmandate.governance.gateway.errors import PolicyError, ResponseReady
from hybridmandate.governance.gateway.registry import Policy, Section

if TYPE_CHECKING:
    from hybridmandate.governance.gateway.exchange import Exchange
    from hybridmandate.governance.gateway.policy_trace import PolicyTrace


class Step:
    """One policy in its place.

    ``path`` is where it stands in the section (``choose[3]/when[2]/set-header[1]``), as
    ``context.LastError.Path`` gives it.
    """

    __slots__ = (
        "act",
        "id",
        "name",
        "path",
        "policy",
        "reads_body",
        "reads_request_body",
        "reads_response_body",
        "scope",
        "section",
    )

    def __init__(
        self,
        policy: Policy,
        name: str,
        *,
        id: str | None,
        path: str,
        scope: str,
        section: Section,
        reads_request_body: bool,
        reads_response_body: bool,
    ) -> None:
        self.policy = policy
        self.act = policy.act
        self.name = name
        self.id = id
        self.path = path
        self.scope = scope
        self.section = section
        self.reads_request_body = reads_request_body
        self.reads_response_body = reads_response_body
        self.reads_body = reads_request_body or reads_response_body

    def has_bodies(self, exchange: Exchange) -> bool:
        """Whether the bodies that its expressions look at need not be read first."""
        request, response = exchange.request.body, exchange.response.body
        return (not self.reads_request_body or request.content is not None or request.taken) and (
            not self.reads_response_body or response.content is not None or response.taken
        )

    def locate(self, error: PolicyError) -> None:
        """Give an error its place, unless a step further in has done so."""
        if error.section:
            return
        error.source = error.source or self.name
        error.section = self.section.value
        error.scope = self.scope
        error.path = self.path
        error.policy_id = self.id


class Steps:
    """Policies in order. Running them again is safe: they hold no state of a call."""

    __slots__ = ("_acts", "steps")

    def __init__(self, steps: tuple[Step, ...]) -> None:
        self.steps = steps
        self._acts = tuple((each.act, each if each.reads_body else None) for each in steps)
        """What each step does, and itself where it looks at bodies."""

    async def run(self, exchange: Exchange) -> None:
        """Act every policy.

        :raises PolicyError: with its place filled in. :raises ResponseReady: when one answers.
        """
        waiting = self.act(exchange)
        if waiting is not None:
            await waiting

    def act(self, exchange: Exchange) -> Awaitable[None] | None:
        """The same in a plain loop, as far as no policy waits; the rest is what it gives back."""
        trace = exchange.services.trace
        if trace is not None:
            return self._run_noted(exchange, trace)
        number = 0
        try:
            for act, reader in self._acts:
                if reader is not None and not reader.has_bodies(exchange):
                    return self._run_rest(exchange, number, None)
                waiting = act(exchange)
                if waiting is not None:
                    return self._run_rest(exchange, number, waiting)
                number += 1
        except PolicyError as error:
            self.steps[number].locate(error)
            raise
        return None

    async def _run_rest(
        self, exchange: Exchange, number: int, waiting: Awaitable[None] | None
    ) -> None:
        """Act the policies from the one of that number on, which may have begun to wait."""
        for step in self.steps[number:]:
            if waiting is None and step.reads_body:
                await exchange.have_bodies(step)
            try:
                if waiting is None:
                    waiting = step.act(exchange)
                if waiting is not None:
                    await waiting
                    waiting = None
            except PolicyError as error:
                step.locate(error)
                raise

    async def _run_noted(self, exchange: Exchange, trace: PolicyTrace) -> None:
        """The same with a note of what each policy did and how long it took."""
        for step in self.steps:
            if step.reads_body:
                await exchange.have_bodies(step)
            noted = trace.begin(step, exchange)
            outcome = ""
            try:
                waiting = step.act(exchange)
                if waiting is not None:
                    await waiting
            except PolicyError as error:
                step.locate(error)
                outcome = f"failed: {error.reason}"
                raise
            except ResponseReady:
                outcome = "answered"
                raise
            finally:
                noted.end(exchange, outcome)
