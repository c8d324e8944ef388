"""An operation is checked when it is declared, not when it is called."""

from datetime import date
from types import ModuleType
from typing import Any

import pytest

from hybridmandate.contracts import (
    Answer,
    Call,
    Download,
    Limits,
    Refused,
    Registry,
    RowError,
    Status,
    Upload,
    WireModel,
    operation,
)
from hybridmandate.contracts.declaration import declared_operation


class Ask(WireModel):
    number: int


class Reply(WireModel):
    doubled: int


@operation("numbers.double", version=2, role="Numbers.Double", modes={"sync", "job"})
async def double(request: Ask, call: Call) -> Answer[Reply]:
    """Doubles a number.

    More for people who read on.
    """
    return Answer(Reply(doubled=request.number * 2))


def test_declaration_knows_its_contract() -> None:
    declared = declared_operation(double)
    assert declared is not None
    assert declared.path == "/operations/numbers.double/v2"
    assert declared.operation_id == "numbers_double_v2"
    assert declared.request is Ask
    assert declared.response is Reply
    assert declared.summary == "Doubles a number."
    assert declared.media_types == {"application/json"}


def test_upload_and_download_are_streams() -> None:
    @operation("files.echo", version=1, role="Files.Echo")
    async def echo(request: Upload, call: Call) -> Download:
        """Sends a file back."""
        return Download(request.stream, request.content_type, request.size or 0)

    declared = declared_operation(echo)
    assert declared is not None
    assert declared.request is None
    assert declared.response is None
    assert not declared.replay
    assert declared.media_types == {"application/octet-stream"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "Numbers"}, "lower-case words"),
        ({"version": 0}, "start at 1"),
        ({"role": "double"}, "Capitalised"),
        ({"modes": set()}, "sync, job"),
        ({"modes": {"later"}}, "sync, job"),
        ({"sunset": date(2027, 1, 1)}, "sunset"),
        ({"deprecated": date(2027, 2, 1), "sunset": date(2027, 1, 1)}, "sunset"),
    ],
)
def test_wrong_declaration_is_refused(change: dict[str, Any], message: str) -> None:
    arguments = {"name": "numbers.double", "version": 1, "role": "Numbers.Double"} | change
    with pytest.raises(ValueError, match=message):
        operation(**arguments)(double)


def test_function_of_another_form_is_refused() -> None:
    declare = operation("numbers.bad", version=1, role="Numbers.Bad")

    def not_async(request: Ask, call: Call) -> Reply:
        """Not async."""
        return Reply(doubled=0)

    async def other_names(ask: Ask, call: Call) -> Reply:
        """Other names."""
        return Reply(doubled=0)

    async def no_model(request: dict[str, int], call: Call) -> Reply:
        """No model."""
        return Reply(doubled=0)

    async def no_result(request: Ask, call: Call) -> None:
        """No result."""

    for wrong in (not_async, other_names, no_model, no_result):
        with pytest.raises(TypeError):
            declare(wrong)  # type: ignore[type-var]


def test_operation_without_words_for_makers_is_refused() -> None:
    async def silent(request: Ask, call: Call) -> Reply:
        return Reply(doubled=0)

    with pytest.raises(ValueError, match="docstring"):
        operation("numbers.silent", version=1, role="Numbers.Silent")(silent)


def test_answer_cannot_claim_a_failure() -> None:
    with pytest.raises(ValueError, match="raise Refused"):
        Answer(Reply(doubled=1), status=Status.FAILED)
    with pytest.raises(ValueError, match="message"):
        Answer(Reply(doubled=1), status=Status.REJECTED, errors=[RowError(code="a", message="b")])


@pytest.mark.parametrize("wrong", [{"payload": "8 apples"}, {"timeout": "soon"}, {"replay": "7"}])
def test_limits_are_parsed_when_declared(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        Limits(**wrong)  # type: ignore[arg-type]


def test_limits_speak_bytes_and_seconds() -> None:
    limits = Limits(payload="8 MiB", timeout="1.5 min", job_timeout="2 h", replay="7 d")
    assert limits.payload_bytes == 8 * 1024 * 1024
    assert limits.timeout_seconds == 90
    assert limits.job_timeout_seconds == 7200
    assert limits.replay_seconds == 604800


def test_registry_finds_by_name_and_version_and_says_what_exists() -> None:
    module = ModuleType(__name__)
    module.double = double  # type: ignore[attr-defined]
    registry = Registry()
    assert registry.add_module(module) == 1
    assert registry.get("numbers.double", 2).function is double
    with pytest.raises(Refused, match="it has v2") as wrong_version:
        registry.get("numbers.double", 1)
    assert wrong_version.value.reason == "operation.version_unknown"
    with pytest.raises(Refused, match="no operation") as unknown:
        registry.get("numbers.halve", 1)
    assert unknown.value.reason == "operation.unknown"
    with pytest.raises(ValueError, match="twice"):
        registry.add_module(module)


def test_registry_leaves_operations_of_other_modules_alone() -> None:
    module = ModuleType("elsewhere")
    module.double = double  # type: ignore[attr-defined]
    assert Registry().add_module(module) == 0
