"""The pytest plugin for flow tests: fixtures ``flow``, ``office`` and ``clock``.

A test is in a hybrid solution when a folder above it holds ``mandate.toml``; its flows and sample
files are found there. ``--flow-coverage`` reports what no test reached, ``--flow-coverage-min N``
fails the session below N percent.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from hybridmandate.orchestration.testing.flow_lab import FlowLab, VirtualClock
    from hybridmandate.orchestration.testing.memory_office import MemoryOffice

MANIFEST = "mandate.toml"
_COVERAGE: pytest.StashKey[Any] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of branch coverage."""
    group = parser.getgroup("flows")
    group.addoption("--flow-coverage", action="store_true", help="report branch coverage of flows")
    group.addoption(
        "--flow-coverage-min", type=float, default=None, help="fail below this percentage of a flow"
    )


def solution_folder(start: Path) -> Path:
    """The hybrid solution that a test stands in. :raises LookupError: when it is in none."""
    for folder in (start, *start.parents):
        if (folder / MANIFEST).is_file():
            return folder
    raise LookupError(f"no folder above {start} holds {MANIFEST}: flow tests stand in a solution")


@pytest.fixture
def flow(request: pytest.FixtureRequest) -> FlowLab:
    """The flows of the solution: ``flow("invoice-intake").trigger(…)``."""
    from hybridmandate.orchestration.testing.branches import BranchCoverage
    from hybridmandate.orchestration.testing.flow_lab import FlowLab

    coverage = request.config.stash.setdefault(_COVERAGE, BranchCoverage())
    return FlowLab(solution_folder(request.path.parent), coverage)


@pytest.fixture
def office(flow: FlowLab) -> MemoryOffice:
    """Mail, Teams, files, approvals and rows as the test's flows see them."""
    return flow.office


@pytest.fixture
def clock(flow: FlowLab) -> VirtualClock:
    """The virtual clock of the test's flows."""
    return flow.clock


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print what no test reached."""
    if not _wanted(config):
        return
    terminalreporter.section("flow coverage")
    for each in config.stash[_COVERAGE].results():
        counted = f"{len(each.actions)} actions, {len(each.branches)} branches"
        terminalreporter.write_line(f"{each.flow}: {each.share:.1%} of {counted}")
        for name in each.missed:
            terminalreporter.write_line(f"  not reached: {name}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the session when a flow is covered less than was asked for."""
    least = session.config.getoption("--flow-coverage-min")
    if least is None or not _wanted(session.config):
        return
    if any(each.share * 100 < least for each in session.config.stash[_COVERAGE].results()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _wanted(config: pytest.Config) -> bool:
    asked = (
        config.getoption("--flow-coverage") or config.getoption("--flow-coverage-min") is not None
    )
    return bool(asked) and _COVERAGE in config.stash
