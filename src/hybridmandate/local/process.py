"""`python -m hybridmandate.local.process NAME STATE`: one process, started by the supervisor.

Its settings are the plan in the state folder; its environment variables hold only its own identity.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path

from hybridmandate.local.boot import Boot
from hybridmandate.local.run_plan import read_plan, role_of
from hybridmandate.local.serving import Serving, serve


def main(name: str, state: str) -> None:
    """Build the process's applications and serve them until it is told to stop."""
    plan = read_plan(Path(state))
    if name not in plan.processes:
        raise SystemExit(f"there is no process '{name}'")
    boot = Boot(name, plan, dict(os.environ))
    with asyncio.Runner(loop_factory=loop_factory(name)) as runner:
        runner.run(_run(boot))


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The event loop of a process, None for Python's own.

    The gateway, which every call passes, has the faster one where the machine has it (not on
    Windows). Execution must not: its egress guard sees the sockets of Python's own loop only.
    """
    if role_of(name) != "gateway" or importlib.util.find_spec("uvloop") is None:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop]
    factory = importlib.import_module("uvloop").new_event_loop
    return factory


async def _run(boot: Boot) -> None:
    # Each process imports its own tier only.
    module = importlib.import_module(f"hybridmandate.local.processes.{boot.role}")
    build: Callable[[Boot], list[Serving]] = getattr(module, f"serve_{boot.role}")
    try:
        await serve(build(boot))
    finally:
        await boot.http.aclose()
        boot.evidence.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
