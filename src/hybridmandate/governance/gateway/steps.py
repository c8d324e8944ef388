"""A prepared run of policies: acted one after the other, errors given their place."""

from __future__ import annotations

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

    __slots__ = ("steps",)

    def __init__(self, steps: tuple[Step, ...]) -> None:
        self.steps = steps

    async def run(self, exchange: Exchange) -> None:
        """Act every policy.

        :raises PolicyError: with its place filled in. :raises ResponseReady: when one answers.
        """
        trace = exchange.services.trace
        if trace is not None:
            await self._run_noted(exchange, trace)
            return
        for step in self.steps:
            if step.reads_body:
                await exchange.have_bodies(step)
            try:
                waiting = step.act(exchange)
                if waiting is not None:
                    await waiting
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
