"""The supervisor keeps processes alive, gives up when it must, and leaves nothing behind."""

import asyncio
import contextlib
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hybridmandate.local import supervisor as module
from hybridmandate.local.run_plan import RunPlan
from hybridmandate.local.state_folder import StateFolder
from hybridmandate.local.supervisor import RunFailed, Supervisor


@pytest.fixture(name="plan")
def _plan(tmp_path: Path) -> RunPlan:
    StateFolder(tmp_path).prepare()
    return RunPlan("s", "local", str(tmp_path), os.getpid(), {})


@pytest.fixture(name="fake", autouse=True)
def _fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package whose `hybridmandate.local.process` notes its start and waits for its pipe."""
    package = tmp_path / "fake" / "hybridmandate" / "local"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "process.py").write_text(
        textwrap.dedent(
            """
            import pathlib, sys, time, threading, os
            name, state = sys.argv[1:]
            folder = pathlib.Path(state)
            with (folder / f"{name}.starts").open("a") as starts:
                starts.write(f"{os.getpid()}\\n")
            if name == "broken":
                sys.exit("this is why")
            while os.read(0, 10):
                pass
            """
        )
    )
    monkeypatch.setattr(module, "RESTART_DELAYS", (0.01, 0.01, 0.01))
    return package.parents[1]


def starts(plan: RunPlan, name: str) -> list[int]:
    path = Path(plan.state) / f"{name}.starts"
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def make(plan: RunPlan, fake: Path, *names: str) -> Supervisor:
    async def ready(name: str) -> bool:
        return bool(starts(plan, name))

    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(fake)}
    return Supervisor(plan, names, lambda _: environment, ready)


async def eventually(what: str, check: object) -> None:
    assert callable(check)
    for _ in range(500):
        if check():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(what)


async def test_process_that_ends_is_started_again(plan: RunPlan, fake: Path) -> None:
    supervisor = make(plan, fake, "steady")
    await supervisor.start(timeout_seconds=20)
    supervisor.kill("steady")
    await eventually("a second start", lambda: len(starts(plan, "steady")) == 2)
    await supervisor.stop()
    assert not any(psutil.pid_exists(pid) for pid in starts(plan, "steady"))


async def test_process_that_cannot_stay_alive_ends_the_run_with_its_log(
    plan: RunPlan, fake: Path
) -> None:
    supervisor = make(plan, fake, "broken")
    with contextlib.suppress(RunFailed):
        await supervisor.start(timeout_seconds=20)
    with pytest.raises(RunFailed, match="this is why"):
        await asyncio.wait_for(supervisor.wait(), 20)
    await supervisor.stop()
    assert len(starts(plan, "broken")) == 4


async def test_process_that_is_never_ready_is_named(plan: RunPlan, fake: Path) -> None:
    supervisor = make(plan, fake, "steady")

    async def never(_: str) -> bool:
        return False

    supervisor.ready = never
    with pytest.raises(RunFailed, match="'steady' did not become ready"):
        await supervisor.start(timeout_seconds=0.2)
    await supervisor.stop()


async def test_paused_process_stays_down_until_it_is_resumed(plan: RunPlan, fake: Path) -> None:
    supervisor = make(plan, fake, "steady", "other")
    await supervisor.start(timeout_seconds=20)
    await supervisor.pause("steady")
    await asyncio.sleep(0.2)
    assert len(starts(plan, "steady")) == 1
    assert not psutil.pid_exists(starts(plan, "steady")[0])
    supervisor.resume("steady")
    await eventually("a second start", lambda: len(starts(plan, "steady")) == 2)
    await supervisor.stop()


def test_processes_stop_when_the_supervisor_is_killed(plan: RunPlan, fake: Path) -> None:
    script = textwrap.dedent(
        f"""
        import asyncio, os
        from hybridmandate.local.run_plan import RunPlan
        from hybridmandate.local.supervisor import Supervisor
        async def main():
            async def ready(name): return True
            plan = RunPlan("s", "local", {plan.state!r}, 0, {{}})
            env = {{"PATH": os.environ["PATH"], "PYTHONPATH": {str(fake)!r}}}
            s = Supervisor(plan, ["steady"], lambda _: env, ready)
            await s.start(timeout_seconds=20)
            await asyncio.sleep(60)
        asyncio.run(main())
        """
    )
    parent = subprocess.Popen([sys.executable, "-c", script])
    try:
        for _ in range(500):
            if starts(plan, "steady"):
                break
            with contextlib.suppress(subprocess.TimeoutExpired):
                parent.wait(0.02)
        (child,) = starts(plan, "steady")
        assert psutil.pid_exists(child)
    finally:
        parent.kill()
        parent.wait()
    psutil.wait_procs([psutil.Process(child)] if psutil.pid_exists(child) else [], timeout=10)
    assert not psutil.pid_exists(child)
