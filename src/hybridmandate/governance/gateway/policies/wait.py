"""wait: run requests and lookups side by side (wait-policy page)."""

from __future__ import annotations

import asyncio

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.registry import ElementReader, Policy, Section, policy
from hybridmandate.governance.gateway.steps import Steps

_UNTIL = {"all": asyncio.FIRST_EXCEPTION, "any": asyncio.FIRST_COMPLETED}
_CHILDREN = ("send-request", "cache-lookup-value", "choose")


@policy("wait", sections=frozenset(Section) - {Section.ON_ERROR})
class Wait(Policy):
    """``for`` all waits for every child, any for the first; the others are then given up."""

    def __init__(self, reader: ElementReader) -> None:
        self._for = reader.choice_value("for", ("all", "any"), "all")
        for child in reader.element.children:
            if child.name not in _CHILDREN:
                reader.refuse(f"<{child.name}> is not allowed in <wait>")
        steps = reader.steps().steps
        if not steps:
            reader.refuse("<wait> needs at least one policy")
        self._children = [Steps((each,)) for each in steps]

    async def act(self, exchange: Exchange) -> None:
        tasks = [asyncio.ensure_future(each.run(exchange)) for each in self._children]
        try:
            await asyncio.wait(
                tasks,
                return_when=_UNTIL[self._for.get(exchange)],
            )
        finally:
            unfinished = [each for each in tasks if not each.done()]
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error
