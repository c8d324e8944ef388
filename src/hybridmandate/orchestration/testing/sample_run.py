"""One run of a flow in memory, every call answered by a mock or else by a sample."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.engine import Answer, Call
from hybridmandate.orchestration.shells.memory import MemoryHost, MemoryRun
from hybridmandate.orchestration.testing.operations import operation_of
from hybridmandate.orchestration.testing.samples import SampleAnswers

MAX_STEPS = 20_000
"""Events after which a run counts as one that does not end."""


def run_with_samples(
    flow: Flow,
    *,
    outputs: Mapping[str, Any] | None = None,
    mocks: Mapping[str, Any] | None = None,
) -> MemoryRun:
    """Run a flow to its end under a virtual clock, or until nothing more is due.

    ``outputs`` are the trigger's outputs (a sample without them), ``mocks`` bodies by action name
    or operation id.
    """
    samples, known = SampleAnswers(flow), dict(mocks or {})

    def answer(call: Call) -> Answer:
        for name in (call.action, operation_of(call)):
            if name in known:
                return Answer(200, {}, known[name])
        return Answer(200, {"content-type": "application/json"}, samples.body(call.action))

    host = MemoryHost(answer)
    run = host.start(flow, samples.trigger() if outputs is None else outputs)
    for _ in range(MAX_STEPS):
        if run.status != "Running" or not host.next_event():
            break
    return run
