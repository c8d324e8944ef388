"""A flow under test: start it, mock what it calls, ask what it did."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from hybridmandate.orchestration.definition import Flow, FlowDocument, load_flow
from hybridmandate.orchestration.definition.packages import find_flows
from hybridmandate.orchestration.engine import Answer, Call
from hybridmandate.orchestration.shells.memory import (
    Delayed,
    MemoryHost,
    MemoryRun,
    child_run_id,
)
from hybridmandate.orchestration.testing.branches import BranchCoverage
from hybridmandate.orchestration.testing.memory_office import MemoryOffice
from hybridmandate.orchestration.testing.operations import mock_names, operation_of
from hybridmandate.orchestration.testing.replay import RecordedRun

Mock = Any
"""A body (answered with 200), an ``Answer``, a ``Delayed``, or a function of the call."""


class VirtualClock:
    """The clock of a test: time passes only when the test says so."""

    def __init__(self, host: MemoryHost) -> None:
        self._host = host

    @property
    def now(self) -> float:
        """Epoch seconds."""
        return self._host.now

    def advance(self, seconds: float = 0, *, minutes: float = 0, days: float = 0) -> None:
        """Let time pass; everything due in it happens in order."""
        self._host.advance(seconds + minutes * 60, days=days)


class FlowLab:
    """Flows, services and clock of one test."""

    def __init__(self, folder: Path, coverage: BranchCoverage) -> None:
        """``folder`` is where flows are looked for and what file names are relative to."""
        self.folder = folder
        self.office = MemoryOffice()
        self.host = MemoryHost(self._answer, reading=self.office.read, child=self._child)
        self.clock = VirtualClock(self.host)
        self._coverage = coverage
        self._mocks: dict[str, list[Mock]] = {}

    def __call__(self, name: str) -> FlowUnderTest:
        """The flow of a name, compared without regard to case and punctuation.

        :raises LookupError: when there is none such, or several.
        """
        wanted = _plain(name)
        named = [each for each in self._documents if _plain(each.name) == wanted]
        if len(named) != 1:
            listed = sorted(each.name for each in self._documents)
            raise LookupError(f"{len(named)} flows are called '{name}' here; there are: {listed}")
        flow = load_flow(named[0])
        return FlowUnderTest(self, flow)

    def mock(self, name: str, *answers: Mock) -> None:
        """Answer an action (by its name) or an operation (by its id) instead of the service.

        Several answers are given one after the other; the last one stays.
        """
        if not answers:
            raise ValueError(f"the mock of '{name}' has no answer")
        self._mocks[name] = list(answers)

    def watch(self, run: MemoryRun) -> None:
        """Count what a run reaches, and its child flows, when coverage is asked."""
        self._coverage.add(run, self.host.runs)

    @cached_property
    def _documents(self) -> list[FlowDocument]:
        """The flows of the folder, by the entries that hold them."""
        found = {each.entry: each.document for each in find_flows(self.folder)}
        return [each for each in found.values() if each is not None]

    def _child(self, call: Call) -> Flow | None:
        """The flow of the solution that a call starts; None when it is mocked or not here."""
        if call.action in self._mocks or operation_of(call) in self._mocks:
            return None
        wanted = str(call.request["host"]["workflowReferenceName"]).lower()
        for each in self._documents:
            if wanted in (each.workflow_id, each.name.lower()):
                return load_flow(each)
        return None

    def _answer(self, call: Call) -> Answer | Delayed | None:
        for name in (call.action, operation_of(call)):
            if name in self._mocks:
                return self._mocked(self._mocks[name], call)
        if self.office.knows(call):
            return self.office.answer(call)
        return Answer.refused(
            f"operation '{operation_of(call)}' of action '{call.action}' is not simulated: "
            f"mock it with flow(...).mock('{operation_of(call)}', answer)"
        )

    def _mocked(self, answers: list[Mock], call: Call) -> Answer | Delayed | None:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(answer):
            answer = answer(call)
        return answer if isinstance(answer, Answer | Delayed) else Answer(200, {}, answer)


class FlowUnderTest:
    """One flow of a test."""

    def __init__(self, lab: FlowLab, flow: Flow) -> None:
        self._lab = lab
        self._parameters: dict[str, Any] = {}
        self.flow = flow

    def mock(self, name: str, *answers: Mock) -> FlowUnderTest:
        """As :meth:`FlowLab.mock`.

        :raises LookupError: when the flow has neither an action nor an operation of that name.
        """
        if name not in mock_names(self.flow):
            raise LookupError(f"flow '{self.flow.name}' has no action or operation '{name}'")
        self._lab.mock(name, *answers)
        return self

    def with_variables(self, **values: Any) -> FlowUnderTest:
        """Set environment variables by their schema name.

        :raises LookupError: when the flow has no such variable.
        """
        names = {each.schema_name: title for title, each in self.flow.parameters.items()}
        for schema_name, value in values.items():
            if schema_name not in names:
                raise LookupError(f"flow '{self.flow.name}' has no variable '{schema_name}'")
            self._parameters[names[schema_name]] = value
        return self

    def trigger(
        self,
        body: Any = None,
        *,
        file: str | None = None,
        by: str = "ada@contoso.example",
        headers: Mapping[str, str] | None = None,
        correlation_id: str | None = None,
    ) -> FlowRun:
        """Start a run with a body, or with a file (relative to the solution) that ``by`` drops."""
        if file is not None:
            path = self._lab.folder / file
            body = self._lab.office.trigger_file(
                self._lab.office.add_file(path.name, path.read_bytes(), by=by)
            )
        run = self._lab.host.start(
            self.flow,
            {"headers": dict(headers or {}), "body": body},
            parameters=self._parameters,
            correlation_id=correlation_id,
        )
        self._lab.watch(run)
        return FlowRun(self._lab.host, run)

    def replay(self, recorded: str) -> FlowRun:
        """Run a recorded run again, every call answered as it was then.

        :raises ValueError: when the file is no run history with its contents.
        """
        record = RecordedRun.read(self._lab.folder / recorded)
        for action in self.flow.actions.values():
            if record.has(action.name):
                self._lab.mock(action.name, record.answer)
        run = self._lab.host.start(
            self.flow,
            record.trigger_outputs,
            parameters=self._parameters,
            correlation_id=record.correlation_id,
        )
        self._lab.watch(run)
        while run.status == "Running" and self._lab.host.next_event():
            pass
        return FlowRun(self._lab.host, run, record)


class ActionRun:
    """One action of a run as the run history has it."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.record = record
        self.status: str = record["status"]
        self.code: str | None = record.get("code")
        self.inputs: Any = record.get("inputs")
        self.outputs: Any = record.get("outputs")

    @property
    def body(self) -> Any:
        """The body of its outputs, None without one."""
        return self.outputs.get("body") if isinstance(self.outputs, Mapping) else None

    @property
    def error(self) -> str | None:
        """The message of its error."""
        return (self.record.get("error") or {}).get("message")


class FlowRun:
    """A run of a test; it goes on when the clock is advanced."""

    def __init__(
        self, host: MemoryHost, run: MemoryRun, recorded: RecordedRun | None = None
    ) -> None:
        self.run = run
        self._host = host
        self._recorded = recorded

    @property
    def status(self) -> str:
        """Running, Succeeded, Failed, Cancelled or TimedOut."""
        return self.run.status

    @property
    def correlation_id(self) -> str:
        """The run's correlation id."""
        return self.run.correlation_id

    @property
    def response(self) -> Any:
        """What the caller was answered (status, headers, body), None before."""
        return self.run.response

    def actions(self, name: str) -> list[ActionRun]:
        """Every iteration of an action that has come to an end."""
        return [ActionRun(each) for each in self.run.records(name)]

    def action(self, name: str) -> ActionRun:
        """The one record of an action, ended or still running.

        :raises LookupError: when the action has not started, or ended more than once.
        """
        if not self.run.records(name):
            running = self.run.state["actions"].get(name)
            if running is not None:
                return ActionRun(running)
        return ActionRun(self.run.action(name))

    def calls(self, name: str) -> list[Call]:
        """The attempts of an action, or of an operation."""
        return [each for each in self.run.calls if name in (each.action, operation_of(each))]

    def child(self, action: str) -> FlowRun:
        """The run of the child flow that an action started; of several, the last.

        :raises LookupError: when it started none here: it was mocked, or not reached.
        """
        started = {child_run_id(self.run, each) for each in self.run.calls_of(action)}
        children = [each for each in self._host.runs if each.id in started]
        if not children:
            raise LookupError(f"'{action}' has started no child flow in this test")
        return FlowRun(self._host, children[-1])

    def cancel(self, reason: str = "cancelled by the test") -> None:
        """End the run as a person does."""
        self._host.cancel(self.run, reason)

    def assert_called(self, name: str, *, times: int | None = None, **parameters: Any) -> None:
        """:raises AssertionError: unless it was called (so often), with these parameters."""
        calls = self.calls(name)
        fitting = [
            each
            for each in calls
            if parameters.items() <= dict(each.request.get("parameters") or {}).items()
        ]
        if times is None and not fitting:
            raise AssertionError(
                f"'{name}' was not called so; its {len(calls)} calls: {_shown(calls)}"
            )
        if times is not None and len(fitting) != times:
            raise AssertionError(
                f"'{name}' was called {len(fitting)} times, not {times}; calls: {_shown(calls)}"
            )

    def assert_not_called(self, name: str) -> None:
        """:raises AssertionError: when it was called."""
        if calls := self.calls(name):
            raise AssertionError(f"'{name}' was called: {_shown(calls)}")

    def assert_as_recorded(self) -> None:
        """:raises AssertionError: naming each action whose status is not the recorded one."""
        if self._recorded is None:
            raise AssertionError("this run is no replay")
        if differences := self._recorded.differences(self.run):
            raise AssertionError("the replay differs: " + "; ".join(differences))


def _shown(calls: list[Call]) -> str:
    return "; ".join(str(dict(each.request.get("parameters") or {}))[:200] for each in calls[:3])


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
