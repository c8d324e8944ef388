"""Operations that the tests call, and what they did."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import date
from typing import Any, Literal

from pydantic import Field

from hybridmandate.contracts import (
    Answer,
    Call,
    FailureType,
    Limits,
    Refused,
    Registry,
    RowError,
    Status,
    WireModel,
    operation,
)
from hybridmandate.execution.job_switch import needs_job
from hybridmandate.execution.services.files import operations as file_operations


class Effects:
    """What the operations of one test did, and levers on them."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.fail_with: list[Exception] = []
        self.gate = asyncio.Event()
        self.job_gate = asyncio.Event()
        self.entered = asyncio.Event()
        self.cancelled = False


class Item(WireModel):
    amount: int = Field(ge=0)
    currency: Literal["EUR", "USD"]


class EchoRequest(WireModel):
    text: str
    items: list[Item] = Field(default_factory=list, max_length=3)


class Echo(WireModel):
    text: str
    length: int = Field(ge=0)


def registry(effects: Effects) -> Registry:
    """The operations, bound to what a test watches."""

    @operation(
        "test.echo",
        version=1,
        role="Test.Echo",
        limits=Limits(payload="2 KiB", timeout="5 s", replay="1 h"),
    )
    async def echo(request: EchoRequest, call: Call) -> Echo:
        """Say it back."""
        effects.calls["echo"] += 1
        if effects.fail_with:
            raise effects.fail_with.pop(0)
        call.note("branch.taken", "echo", length=len(request.text))
        return Echo(text=request.text, length=len(request.text))

    @operation("test.slow", version=1, role="Test.Slow", limits=Limits(timeout="400 ms"))
    async def slow(request: EchoRequest, call: Call) -> Echo:
        """Wait for the gate."""
        effects.calls["slow"] += 1
        effects.entered.set()
        try:
            await effects.gate.wait()
        except asyncio.CancelledError:
            effects.cancelled = True
            raise
        return Echo(text=request.text, length=0)

    @operation("test.held", version=1, role="Test.Slow", limits=Limits(timeout="20 s"))
    async def held(request: EchoRequest, call: Call) -> Echo:
        """Wait for the gate with more time."""
        effects.calls["held"] += 1
        effects.entered.set()
        await effects.gate.wait()
        return Echo(text=request.text, length=0)

    @operation(
        "test.job",
        version=1,
        role="Test.Job",
        modes={"sync", "job"},
        limits=Limits(timeout="5 s", job_timeout="10 s"),
    )
    async def job(request: EchoRequest, call: Call) -> Answer[Echo]:
        """Work in the background."""
        effects.calls["job"] += 1
        effects.entered.set()
        await call.progress(1, 4, "rows")
        try:
            await effects.gate.wait()
        except asyncio.CancelledError:
            effects.cancelled = True
            raise
        if effects.fail_with:
            raise effects.fail_with.pop(0)
        if request.text == "reject":
            return Answer(
                Echo(text="", length=0),
                status=Status.REJECTED,
                errors=[RowError(code="date.format", message="no date", line=3)],
                message="no row was fit",
            )
        return Answer(
            Echo(text=request.text, length=1),
            status=Status.PARTIALLY_SUCCEEDED,
            counts={"accepted": 1},
        )

    @operation(
        "test.long",
        version=1,
        role="Test.Job",
        modes={"sync", "job"},
        limits=Limits(timeout="5 s", job_timeout="10 s"),
    )
    async def long(request: EchoRequest, call: Call) -> Echo:
        """Ask for a job in a synchronous call, once the gate is open."""
        if call.remaining_seconds() <= 5:
            effects.calls["long.sync"] += 1
            effects.entered.set()
            await effects.gate.wait()
            raise needs_job("too long for a call")
        effects.calls["long.job"] += 1
        await effects.job_gate.wait()
        return Echo(text=request.text, length=1)

    @operation("test.broken", version=1, role="Test.Echo")
    async def broken(request: EchoRequest, call: Call) -> Echo:
        """Return what the contract does not say."""
        if request.text == "constraint":
            return Echo.model_construct(text="x", length=-1)
        wrong: Any = {"text": "x", "length": 1}
        return wrong  # type: ignore[no-any-return]

    @operation(
        "test.old",
        version=1,
        role="Test.Old",
        deprecated=date(2020, 1, 1),
        sunset=date(2021, 6, 30),
    )
    async def old(request: EchoRequest, call: Call) -> Echo:
        """Retired."""
        raise AssertionError("a retired contract ran")

    @operation(
        "test.old",
        version=2,
        role="Test.Old",
        deprecated=date(2020, 1, 1),
        sunset=date(2999, 6, 30),
        successor=3,
    )
    async def ageing(request: EchoRequest, call: Call) -> Echo:
        """Deprecated."""
        return Echo(text=request.text, length=0)

    @operation("test.vendors", version=1, role="Test.Echo", replay=False)
    async def vendors(request: EchoRequest, call: Call) -> Echo:
        """Look at the data gateway."""
        if request.text == "commit":
            outcome = await call.data.commit("invoices", "job-1", [{"record": "1", "values": {}}])
        else:
            outcome = await call.data.view(request.text, {"hm_country": "DE"})
        return Echo(text=outcome.status, length=len(outcome.data or []))

    @operation("test.writes", version=1, role="Test.Echo")
    async def writes(request: EchoRequest, call: Call) -> Echo:
        """Store two files, then perhaps fail."""

        async def content(text: bytes) -> Any:
            yield text

        first = await call.files.store(content(b"one"), content_type="text/csv", file_name="1")
        await call.files.store(content(b"two"), content_type="text/csv", file_name="2")
        if effects.fail_with:
            raise effects.fail_with.pop(0)
        return Echo(text=first.handle, length=0)

    declared = Registry()
    from hybridmandate.contracts.declaration import declared_operation

    for function in (echo, slow, held, job, long, broken, old, ageing, vendors, writes):
        found = declared_operation(function)
        assert found is not None
        declared.add(found)
    declared.add_module(file_operations)
    return declared


def unavailable() -> Refused:
    return Refused(FailureType.DOWNSTREAM_UNAVAILABLE, "the other side is away")
