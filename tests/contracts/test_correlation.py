"""Correlation ids and their W3C trace mapping."""

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridmandate.contracts import is_correlation_id, trace_id, traceparent
from hybridmandate.contracts.correlation import CORRELATION_ID, TRACEPARENT

GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.mark.parametrize("text", [GUID, "08585287554177334956853859655CU12", "run_1.attempt-2"])
def test_ids_that_flows_make_are_accepted(text: str) -> None:
    assert is_correlation_id(text)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "short",
        "-starts-with-dash",
        "a" * 65,
        "has space",
        "line\nbreak",
        GUID + "\n",
        "é" * 9,
    ],
)
def test_anything_else_is_refused(text: str | None) -> None:
    assert not is_correlation_id(text)


def test_guid_is_its_own_trace_id() -> None:
    assert trace_id(GUID) == GUID.replace("-", "")
    assert trace_id(GUID.upper()) == GUID.replace("-", "")


def test_all_zero_guid_does_not_become_the_forbidden_trace_id() -> None:
    assert trace_id(str(uuid.UUID(int=0))) != "0" * 32


@given(st.from_regex(CORRELATION_ID, fullmatch=True))
def test_every_id_maps_to_a_valid_traceparent(text: str) -> None:
    header = traceparent(text, "step")
    match = TRACEPARENT.fullmatch(header)
    assert match is not None
    assert match["trace"] == trace_id(text) != "0" * 32
    assert match["span"] != "0" * 16
    assert traceparent(text, "step") == header


def test_two_steps_share_the_trace_and_not_the_span() -> None:
    one, two = traceparent(GUID, "a"), traceparent(GUID, "b")
    assert one[:35] == two[:35]
    assert one != two
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", one)
