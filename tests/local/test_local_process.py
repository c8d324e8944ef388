"""Which event loop a process runs on."""

import sys

import pytest

from hybridmandate.local.process import loop_factory
from hybridmandate.local.run_plan import PROCESSES


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop does not exist for Windows")
def test_only_the_gateway_runs_on_the_faster_loop() -> None:
    faster = {name for name in PROCESSES if loop_factory(name) is not None}
    assert faster == {"gateway"}
    factory = loop_factory("gateway")
    assert factory is not None
    loop = factory()
    assert type(loop).__module__.startswith("uvloop")
    loop.close()
