"""Properties over generated texts and values: errors are typed, formats read back."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

from expression_scopes import scope, value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hybridmandate.orchestration.expressions import (
    Bounds,
    ExpressionError,
    Instant,
    evaluate_function,
    parse_template,
)
from hybridmandate.orchestration.expressions.dotnet.date_exact import parse_exact
from hybridmandate.orchestration.expressions.dotnet.date_format import format_date
from hybridmandate.orchestration.expressions.dotnet.date_parse import parse_date
from hybridmandate.orchestration.expressions.registry import FUNCTIONS

SMALL = Bounds(steps=50_000, items=5_000)
GENERATED = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def plain(year: int) -> datetime:
    """The start of a year without a zone, as strategies take it."""
    return datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None)


texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "",
            "2024-02-29",
            "2024-02-29T10:11:12.1234567Z",
            "1/2/2024 3:04 PM",
            "de-DE",
            "hi-IN",
            "yyyy-MM-dd'T'HH",
            "N2",
            "#,##0.0#;(0)",
            "Day",
            "Month",
            "Pacific Standard Time",
            "data:text/plain;base64,aGk=",
            "aGVsbG8=",
            "https://u:p@contoso.example:8/a?b#c",
            "<a><b x='1'>t</b></a>",
            "/a/b",
            '[1, {"a": null}]',
            "10,000.5",
            "-1e5",
            "A",
            "X",
        ]
    ),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-3, 12),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
json_texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)


@GENERATED
@given(st.text(alphabet="@{}[]()'?.,abcxyz019 $_-+eE\n\\\"ü", max_size=60))
def test_any_text_has_a_value_or_a_typed_error(text: str) -> None:
    for each in (text, f"@{text}", f"x@{{{text}}}"):
        with suppress(ExpressionError):
            parse_template(each, SMALL).evaluate(scope())


@settings(GENERATED, max_examples=1_500)
@given(st.sampled_from(sorted(FUNCTIONS)), st.lists(values, max_size=4))
def test_any_function_on_any_values_gives_json_or_a_foreseen_error(
    name: str, arguments: list[Any]
) -> None:
    known = scope(variables={"x": 1}, item=1, trigger={"outputs": {"body": "a=1"}})
    refused = ""
    result = None
    try:
        result = evaluate_function(name, arguments, known, SMALL)
    except ExpressionError as error:
        refused = error.message
    assert "cannot be evaluated:" not in refused, "an unforeseen error was wrapped"
    json.dumps(result, allow_nan=False)


@GENERATED
@given(st.integers(-(2**63), 2**63 - 1))
def test_integer_reads_back(number: int) -> None:
    assert value("@int(string(item()))", item=number) == number


@GENERATED
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_float_reads_back(number: float) -> None:
    assert value("@float(string(item()))", item=number) == number


@GENERATED
@given(values)
def test_json_text_reads_back(given_value: Any) -> None:
    wrapped = [given_value]
    is_binary = "$content" in json.dumps(wrapped)
    if not is_binary:
        assert value("@json(string(item()))", item=wrapped) == wrapped


@GENERATED
@given(json_texts)
def test_encodings_read_back(text: str) -> None:
    for expression in (
        "@base64ToString(base64(item()))",
        "@decodeUriComponent(uriComponent(item()))",
        "@dataUriToString(dataUri(item()))",
        "@{binary(item())}",
    ):
        assert value(expression, item=text) == text.removeprefix(
            "\ufeff" if expression == "@{binary(item())}" else ""
        )


@GENERATED
@given(st.integers(0, date.max.toordinal() * 864_000_000_000 - 1), st.booleans())
def test_round_trip_format_reads_back(ticks: int, utc: bool) -> None:
    instant = Instant(ticks, utc)
    assert parse_date(format_date(instant, "o")) == instant


@GENERATED
@given(
    st.datetimes(max_value=plain(9998)),
    st.sampled_from(["en-US", "de-DE", "fr-FR", "es-ES", "ru-RU", "nb-NO", "en-GB"]),
    st.sampled_from(
        ["yyyy-MM-dd HH:mm:ss", "dd.MM.yyyy HH:mm", "d MMMM yyyy", "dddd d MMM yyyy hh:mm tt", "D"]
    ),
)
def test_exact_format_reads_back(moment: datetime, locale: str, pattern: str) -> None:
    instant = Instant.of(moment.replace(tzinfo=UTC))
    text = format_date(instant, pattern, locale)
    assert format_date(parse_exact(text, pattern, locale), pattern, locale) == text


@GENERATED
@given(
    st.datetimes(plain(1990), plain(2030)),
    st.sampled_from(["Pacific Standard Time", "Europe/Oslo", "India Standard Time", "UTC"]),
)
def test_local_time_reads_back_but_for_the_hour_that_comes_twice(
    moment: datetime, name: str
) -> None:
    text = Instant.of(moment.replace(tzinfo=UTC))
    given_text = format_date(text, "o")
    back = value(
        "@convertToUtc(convertFromUtc(item()['t'], item()['z']), item()['z'])",
        item={"t": given_text, "z": name},
    )
    apart = parse_date(back).ticks - text.ticks
    assert apart in (0, timedelta(hours=1) // timedelta(microseconds=1) * 10)


@GENERATED
@given(st.lists(scalars, max_size=20))
def test_union_holds_each_value_once_and_intersection_with_itself_is_the_same(
    items: list[Any],
) -> None:
    united = value("@union(item(), item())", item=items)
    assert value("@intersection(item(), item())", item=items) == united
    assert all(
        value("@contains(item()['a'], item()['v'])", item={"a": united, "v": each})
        for each in items
    )


@GENERATED
@given(st.lists(st.integers(-100, 100) | st.floats(-100, 100), max_size=30))
def test_sort_orders_and_reverse_of_reverse_is_the_same(items: list[Any]) -> None:
    assert value("@sort(item())", item=items) == sorted(items)
    assert value("@reverse(reverse(item()))", item=items) == items
