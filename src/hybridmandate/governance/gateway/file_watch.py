"""Policies that follow their files: a change is served from the next call on, a bad one is told.

Editors write a file in several steps and a checkout writes many files, so changes are taken
together once it has been quiet for a moment. What is loaded is the whole set: half of a set is
never served.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from watchfiles import awatch

from hybridmandate.governance.gateway.configuration import Configuration
from hybridmandate.governance.gateway.errors import PolicyDocumentError

if TYPE_CHECKING:
    from hybridmandate.governance.gateway.server import GatewayApp

QUIET_MS = 200
"""How long it must be quiet before a change is looked at, in milliseconds."""
LONGEST_MS = 1600
"""How long changes are collected at most, in milliseconds."""


class WatchedGateway:
    """A gateway whose policies follow ``folders`` while :meth:`watch` runs.

    ``load`` reads the whole set and raises :class:`PolicyDocumentError`; ``say`` takes one line for
    people about each change. The evidence of a change is the application's own.
    """

    def __init__(
        self,
        app: GatewayApp,
        folders: Sequence[Path],
        load: Callable[[], Configuration],
        say: Callable[[str], None],
    ) -> None:
        self.app = app
        self._folders = [each for each in folders if each.is_dir()]
        self._load = load
        self._say = say

    async def watch(self) -> None:
        """Follow the folders until cancelled."""
        async for _ in awatch(*self._folders, debounce=LONGEST_MS, step=QUIET_MS):
            await self.take_change()

    async def take_change(self) -> None:
        """Load the set anew and serve it, or keep the one at hand and say why."""
        try:
            configuration = await asyncio.to_thread(self._load)
        except PolicyDocumentError as error:
            self.app.keep(error)
            self._say(f"policies not reloaded, the earlier ones stay: {error}")
            return
        except (OSError, ValueError) as error:
            # A file that left between two looks, or is half of one: what comes next is followed.
            unread = PolicyDocumentError(str(self._folders[0]), 1, 1, str(error))
            self.app.keep(unread)
            self._say(f"policies not reloaded, the earlier ones stay: {unread}")
            return
        refused = self.app.reload(configuration)
        if refused is not None:
            self._say(f"policies not reloaded, the earlier ones stay: {refused}")
            return
        self._say(f"policies reloaded: {len(configuration.apis)} APIs")
