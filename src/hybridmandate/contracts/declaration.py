"""Declaring an operation: a versioned function behind a contract (requirements T3, A3, V1).

    @operation("spreadsheets.normalize", version=1, role="Spreadsheets.Normalize",
               limits=Limits(payload="8 MiB", timeout="30 s"), modes={"sync", "job"})
    async def normalize(request: NormalizeRequest, call: Call) -> Answer[Normalized]: ...

Everything is checked when the decorator runs, nothing at call time.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from hybridmandate.contracts.call import Call, Download, Upload
from hybridmandate.contracts.lifecycle import Lifecycle
from hybridmandate.contracts.outcome import ContractRef, RowError, Status, Versions
from hybridmandate.contracts.quantities import parse_duration, parse_size

Mode = Literal["sync", "job"]
T = TypeVar("T", bound=BaseModel)

_NAME = re.compile(r"[a-z][a-z0-9]*(\.[a-z][a-zA-Z0-9]*)+")
_ROLE = re.compile(r"[A-Z][A-Za-z0-9]*(\.[A-Z][A-Za-z0-9]*)+")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What an operation answers when plain data is not enough.

    ``status`` is one of succeeded, partiallySucceeded or rejected; a rejected answer becomes the
    failure ``validation_error`` with ``message``.
    """

    data: T
    status: Status = Status.SUCCEEDED
    counts: dict[str, int] = field(default_factory=dict)
    errors: Sequence[RowError] = ()
    warnings: Sequence[RowError] = ()
    versions: Versions | None = None
    message: str | None = None

    def __post_init__(self) -> None:
        if self.status in (Status.FAILED, Status.ACCEPTED):
            raise ValueError(f"an operation cannot answer '{self.status}': raise Refused instead")
        if self.status is Status.REJECTED and not self.message:
            raise ValueError("a rejected answer needs a message for people")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a contract allows one call; sizes and durations as text (``8 MiB``, ``30 s``).

    ``payload`` bounds the request body, ``timeout`` a sync call, ``job_timeout`` a job,
    ``calls_per_minute`` each client, ``replay`` how long the outcome is kept for idempotency.
    """

    payload: str = "1 MiB"
    timeout: str = "30 s"
    job_timeout: str = "1 h"
    calls_per_minute: int = 300
    replay: str = "7 d"

    def __post_init__(self) -> None:
        parse_size(self.payload)
        for text in (self.timeout, self.job_timeout, self.replay):
            parse_duration(text)
        if self.calls_per_minute < 1:
            raise ValueError("calls_per_minute must be at least 1")

    @property
    def payload_bytes(self) -> int:
        """The largest request body, in bytes."""
        return parse_size(self.payload)

    @property
    def timeout_seconds(self) -> float:
        """The time for a sync call, in seconds."""
        return parse_duration(self.timeout)

    @property
    def job_timeout_seconds(self) -> float:
        """The time for a job, in seconds."""
        return parse_duration(self.job_timeout)

    @property
    def replay_seconds(self) -> float:
        """How long a repeated call is answered with its first outcome, in seconds."""
        return parse_duration(self.replay)


@dataclass(frozen=True, slots=True)
class Operation:
    """A declared operation: its contract and the function behind it."""

    ref: ContractRef
    role: str
    limits: Limits
    modes: frozenset[Mode]
    media_types: frozenset[str]
    summary: str
    description: str
    function: Callable[[Any, Call], Awaitable[Any]]
    request: type[BaseModel] | None
    """The request model, or None when the operation takes an :class:`Upload`."""
    response: type[BaseModel] | None
    """The model of ``data``, or None when the operation gives a :class:`Download`."""
    replay: bool
    deprecated: date | None = None
    sunset: date | None = None
    successor: int | None = None
    """The major version that replaces a deprecated one."""

    @property
    def lifecycle(self) -> Lifecycle | None:
        """When the version ends, and the gateway's path of its successor."""
        if self.deprecated is None:
            return None
        path = f"/exec/operations/{self.ref.operation}/v{self.successor}"
        return Lifecycle(self.deprecated, self.sunset, path if self.successor else None)

    @property
    def path(self) -> str:
        """Where the execution tier serves it."""
        return f"/operations/{self.ref.operation}/v{self.ref.version}"

    @property
    def operation_id(self) -> str:
        """The name that connectors use: letters, digits and underscores."""
        return f"{self.ref.operation.replace('.', '_')}_v{self.ref.version}"


_ATTRIBUTE = "__mandate_operation__"
F = TypeVar("F", bound=Callable[..., Awaitable[Any]])


def operation(
    name: str,
    *,
    version: int,
    role: str,
    limits: Limits | None = None,
    modes: set[Mode] | frozenset[Mode] = frozenset({"sync"}),
    media_types: set[str] | frozenset[str] | None = None,
    replay: bool = True,
    deprecated: date | None = None,
    sunset: date | None = None,
    successor: int | None = None,
) -> Callable[[F], F]:
    """Declare an async function ``(request, call)`` as an operation.

    The request is a pydantic model or :class:`Upload`; the return annotation a pydantic model,
    ``Answer[model]`` or :class:`Download`. The docstring's first line becomes the summary.
    ``deprecated`` and ``sunset`` are the days from which the version is announced to end and from
    which it is refused, ``successor`` the version to use instead.
    ``replay=False`` is for pure reads whose answer need not be kept for idempotency.

    :raises TypeError: when the function does not have that form.
    :raises ValueError: when a name, role, mode or date breaks the rules.
    """
    if _NAME.fullmatch(name) is None:
        raise ValueError(f"operation name '{name}': write lower-case words joined by dots")
    if version < 1:
        raise ValueError(f"operation '{name}': versions start at 1")
    if _ROLE.fullmatch(role) is None:
        raise ValueError(f"role '{role}' of '{name}': write Capitalised words joined by dots")
    if not modes or not modes <= {"sync", "job"}:
        raise ValueError(f"modes of '{name}': one or both of sync, job")
    if sunset is not None and (deprecated is None or sunset < deprecated):
        raise ValueError(f"'{name}': a sunset date needs an earlier deprecation date")
    if successor is not None and (deprecated is None or successor <= version):
        raise ValueError(f"'{name}': a successor is a later version of a deprecated one")

    def declare(function: F) -> F:
        request, response = _shapes(name, function)
        takes_file = request is None
        if "job" in modes and (takes_file or response is None):
            raise ValueError(f"'{name}': an operation on file streams cannot run as a job")
        text = inspect.cleandoc(function.__doc__ or "")
        if not text:
            raise ValueError(f"'{name}' needs a docstring: makers read its first line")
        declared = Operation(
            ref=ContractRef(operation=name, version=version),
            role=role,
            limits=limits or Limits(),
            modes=frozenset(modes),
            media_types=frozenset(
                media_types
                or ({"application/octet-stream"} if takes_file else {"application/json"})
            ),
            summary=text.splitlines()[0],
            description=text,
            function=function,
            request=request,
            response=response,
            replay=replay and response is not None,
            deprecated=deprecated,
            sunset=sunset,
            successor=successor,
        )
        setattr(function, _ATTRIBUTE, declared)
        return function

    return declare


def declared_operation(function: object) -> Operation | None:
    """The operation that a function was declared as, or None."""
    found = getattr(function, _ATTRIBUTE, None)
    return found if isinstance(found, Operation) else None


def _shapes(
    name: str, function: Callable[..., Any]
) -> tuple[type[BaseModel] | None, type[BaseModel] | None]:
    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"'{name}' must be an async function")
    if list(inspect.signature(function).parameters) != ["request", "call"]:
        raise TypeError(f"'{name}' must take exactly (request, call)")
    hints = get_type_hints(function, localns={"typing": typing})
    return _request_model(name, hints.get("request")), _response_model(name, hints.get("return"))


def _request_model(name: str, hint: Any) -> type[BaseModel] | None:
    if hint is Upload:
        return None
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return hint
    raise TypeError(f"'{name}': annotate request with a pydantic model or Upload")


def _response_model(name: str, hint: Any) -> type[BaseModel] | None:
    if hint is Download:
        return None
    if get_origin(hint) is Answer:
        hint = get_args(hint)[0]
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return hint
    raise TypeError(f"'{name}': annotate the result with a pydantic model, Answer[...] or Download")
