"""Rules of a profile: what fits together, exact arithmetic, and what is said of what does not."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_judging import profile

from hybridmandate.execution.services.spreadsheets import (
    ProfileError,
    describe_profile,
    normalize,
    read_profile,
)

PAGE = Path(__file__).parents[2] / "docs" / "spreadsheets" / "profiles.md"
COLUMNS = """
[columns.a]
type = "text"
[columns.n]
type = "decimal"
[columns.r]
type = "decimal"
scale = 4
[columns.i]
type = "integer"
[columns.d]
type = "date"
[columns.e]
type = "date"
[columns.m]
type = "datetime"
formats = ["YYYY-MM-DD hh:mm"]
[columns.b]
type = "boolean"
"""
ROW = "x,2.50,0.0750,7,2026-03-01,2026-03-31,2026-03-01 12:00,yes"


def holds(check: str, row: str = ROW) -> bool:
    """Whether a rule holds for a row."""
    rule = f"[[rules]]\ncode = 'r'\nmessage = 'm'\ncheck = {check!r}\n"
    header = "a,n,r,i,d,e,m,b"
    result = normalize(f"{header}\n{row}\n".encode(), profile(COLUMNS + rule))
    return result.accepted_count == 1


@pytest.mark.parametrize(
    "check",
    [
        "d < '2026-03-02'",
        "'2026-03-01' == d",
        "m > '2026-03-01T11:59:59'",
        "m < '2026-03-02'",
        "d in ('2026-03-01', '2026-04-01')",
        "a in ('x')",
        "a in ['x', 'y']",
        "a not in ('y', 'z')",
        "e - d == 30",
        "e - d <= i * 5",
        "n * r == 0.1875",
        "n * r * r == 0.0140625",
        "n * 0.333 == 0.8325",
        "n + r == 2.575",
        "i * n == 17.5",
        "i * i * i == 343",
        "n == 2.5",
        "b == True",
        "b and not (a == 'y')",
        "length(a) - 2 < 0",
        "-n < r",
        "0.07 < r <= 0.075",
    ],
)
def test_rule_holds_exactly(check: str) -> None:
    assert holds(check)
    assert not holds(f"not ({check})")


@pytest.mark.parametrize("check", ["e - d > 1", "d < '2026-03-02'", "a not in ('y')", "n * r > 5"])
def test_rule_is_open_where_a_column_is_empty(check: str) -> None:
    assert holds(check, ",,,7,,,,")


numbers = st.decimals(-(10**13) + 1, 10**13 - 1, places=2)
rates = st.decimals(-(10**11) + 1, 10**11 - 1, places=4)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(numbers, rates), min_size=1, max_size=20))
def test_products_are_as_exact_as_decimals(pairs: list[tuple[Decimal, Decimal]]) -> None:
    made = profile(
        "[columns.n]\ntype = 'decimal'\n[columns.r]\ntype = 'decimal'\nscale = 4\n"
        "[columns.limit]\ntype = 'decimal'\n"
        "[[rules]]\ncode = 'r'\nmessage = 'm'\ncheck = 'n * r <= limit'\n"
    )
    # A product has more digits than a column may have: it is compared with its own whole part.
    rows = [(n, r, min(max(int(n * r), -(10**12)), 10**12)) for n, r in pairs]
    text = "n,r,limit\n" + "".join(f"{n},{r},{limit}\n" for n, r, limit in rows)
    result = normalize(text.encode(), made)
    wanted = [line for line, (n, r, limit) in enumerate(rows, start=2) if n * r > limit]
    assert [each.line for each in result.errors] == wanted


FILE_RULE = "[[file_rules]]\ncode = 'r'\n"


def refusal(text: str) -> str:
    with pytest.raises(ProfileError) as refused:
        profile(text)
    return str(refused.value)


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("a > 1", "compares 'a', which is a text, with '1', which is a number"),
        ("n == 'x'", "compares 'n', which is a number, with ''x'', which is a text"),
        ("d > 5", "compares 'd', which is a date, with '5', which is a number"),
        ("d < m", "compares 'd', which is a date, with 'm', which is a date and time"),
        ("d > '01.03.2026'", "has '01.03.2026' for a date: write YYYY-MM-DD"),
        ("b > True", "compares true or false in a way that is not supported"),
        ("n + a > 1", "needs a number in 'a', which is a text"),
        ("length(n) > 1", "needs a text in 'n', which is a number"),
        ("n", "needs true or false in 'n', which is a number"),
        ("n > 1 or 2", "needs true or false in '2', which is a number"),
        ("i in (1, 'x')", "compares ''x'', which is a text, with 'i', which is a number"),
        ("a in (n, 'x')", "compares 'n', which is a number, with 'a', which is a text"),
        ("a in (a,)", "needs texts or numbers in '(a,)'"),
        ("n / i > 1", "uses 'n / i', which is not supported: there are comparisons, + - *"),
        ("n is 1", "compares a number in a way that is not supported"),
        ("1 == 1", "looks at no column"),
        ("n = 1", "is no expression"),
        ("z > 1", "there is no column 'z'"),
        ("n > 1e400", "has a number that is too large"),
        ("r * r * r * r * r * r > 1", "gives more than 20 decimals"),
    ],
)
def test_rule_that_does_not_fit_is_refused_when_the_profile_is_read(check: str, said: str) -> None:
    rule = f"[[rules]]\ncode = 'r'\nmessage = 'm'\ncheck = {check!r}\n"
    assert said in refusal(COLUMNS + rule)
    if check != "1 == 1":
        condition = f"[[rules]]\ncode = 'r'\nmessage = 'm'\ncheck = 'n > 1'\nwhen = {check!r}\n"
        assert check == "n" or said in refusal(COLUMNS + condition)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[columns.a]\ntype = 'text'\nscale = 3", "'scale' says nothing about a text"),
        ("[columns.a]\ntype = 'enum'\nvalues = ['a']\nmax_length = 3", "'max_length' says nothing"),
        ("[columns.a]\ntype = 'text'\npattern = 'a(?=b)'", "look-around"),
        ("[columns.a]\ntype = 'text'\npattern = '('", "is not a regular expression"),
        ("[columns.a]\ntype = 'decimal'\nminimum = 'NaN'", "'NaN' is not a number"),
        ("[columns.a]\ntype = 'integer'\nmaximum = '1.5'", "'1.5' is not a whole number"),
        ("[columns.a]\ntype = 'date'\nminimum = '2026-3-1'", "is not a date YYYY-MM-DD"),
        ("[columns.a]\ntype = 'decimal'\nminimum = '5'\nmaximum = '1'", "nothing could fit"),
        ("[columns.a]\ntype = 'date'\nformats = []", "formats must have at least one"),
        ("[columns.a]\ntype = 'boolean'\ntrue_words = ['x']\nfalse_words = ['X']", "stand twice"),
        ("[columns.a]\ntype = 'enum'\nvalues = ['open', 'OPEN']", "stand twice"),
        ("[columns.a]\ntype = 'text'\nrequird = 1", "columns.a.requird: there is no such setting"),
        (FILE_RULE + "kind = 'sum'\ncolumn = 'a'", "the sum of 'a' needs numbers"),
        (FILE_RULE + "kind = 'one_month'\ncolumn = 'a'", "'a' is a text, not a date"),
        (FILE_RULE + "kind = 'no_gaps'\ncolumn = 'd'", "which has no running number"),
        (FILE_RULE + "kind = 'sum'", "needs its column"),
        (FILE_RULE + "kind = 'count'", "needs a minimum or a maximum"),
        (FILE_RULE + "kind = 'count'\nminimum = 2\nmaximum = 1", "is above maximum"),
        (FILE_RULE + "kind = 'sum'\ncolumn = 'n'\nminimum = 1", "a sum has no minimum"),
        (FILE_RULE + "kind = 'sum'\ncolumn = 'n'\nequals = 'x'", "'x' is not a number"),
        ("[severities]\n'requird' = 'warning'", "there is no reason 'requird'"),
        ("[severities]\n'z:required' = 'warning'", "severities: there is no column 'z'"),
        ("[severities]\n'rule.r' = 'warning'", "a rule says its severity itself"),
        ("[reader]\ndelimiter = '§'", "'§' is no delimiter"),
        ("[reader]\ndelimiter = '::'", "'::' is no delimiter"),
        (
            "[[rules]]\ncode = 'r'\nmessage = 'm'\ncheck = 'n > 1'\n" * 2,
            "several rules have the code 'r'",
        ),
    ],
)  # fmt: skip
def test_setting_that_cannot_work_is_refused_with_its_reason(text: str, said: str) -> None:
    assert said in refusal(text if text.startswith("[columns") else COLUMNS + text)


def test_every_profile_of_the_page_can_be_used_and_described() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    made = [read_profile(each, source="profiles.md") for each in blocks]
    assert len(made) == 3
    orders, invoices, payments = map(describe_profile, made)
    for fact in (
        "written like (1,234.56)", "with EUR or €, or none", "DD.MM.YYYY or DD.MM.YY",
        "in Europe/Zurich where it names no offset", "ja, x or nein", "offen for open",
        "at least 2 characters; up to 200 characters", "in the view customers", "ch.uid",
        "at least 1; at most 9999", "up to 3 decimals",
    ):  # fmt: skip
        assert fact in orders
    assert "`rule.large` (warning): is above what is usual (`net <= 100000`)" in invoices
    assert ", when `not (country in ('CH', 'LI'))`" in invoices
    assert "Severities: `dueDate:date.format` warning." in invoices
    for fact in (
        "amount adds up to the total line of the file", "amount adds up to 1200.00",
        "the file has at least 1 and at most 50000 rows", "the dates of paidOn lie in one month",
        "the numbers of number follow each other without a gap",
        "of rows with the same the first is kept", "number not in the view payments",
        "Nothing is accepted when more than 50% of the rows are rejected.",
        "Switched off: rows.hidden, rows.footer.",
    ):  # fmt: skip
        assert fact in payments
