"""Loading a team's own operations from a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridmandate.execution.loading import OperationsRefused, load_operations

GOOD = '''
from __future__ import annotations
from hybridmandate.contracts import Call, WireModel, operation

class Sum(WireModel):
    a: int
    b: int

@operation("team.{name}", version=1, role="Team.Add")
async def add(request: Sum, call: Call) -> Sum:
    """Add two numbers."""
    return request
'''


def test_every_operation_of_the_folder_is_found_in_order(tmp_path: Path) -> None:
    (tmp_path / "second.py").write_text(GOOD.format(name="second"))
    (tmp_path / "first.py").write_text(GOOD.format(name="first"))
    (tmp_path / "_shared.py").write_text("this is not even python")
    found = load_operations(tmp_path)
    assert [each.ref.operation for each in found] == ["team.first", "team.second"]


def test_no_folder_has_no_operations(tmp_path: Path) -> None:
    assert load_operations(tmp_path / "operations") == []


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("broken.py", "x = 1\ndef f(:\n", r"operations/broken\.py, line 2: SyntaxError"),
        ("fails.py", "x = 1\n\n1 / 0\n", r"operations/fails\.py, line 3: ZeroDivisionError"),
        ("lost.py", "import no_such_package\n", r"lost\.py, line 1: ModuleNotFoundError"),
        ("empty.py", "x = 1\n", r"operations/empty\.py declares no operation: use @operation"),
        ("Bad-Name.py", GOOD.format(name="x"), r"operations/Bad-Name\.py: name the file"),
        (
            "human.py",
            GOOD.format(name="x").replace('"Team.Add"', '"everything"'),
            r"operations/human\.py, line 9: ValueError: role 'everything'",
        ),
        (
            "twice.py",
            GOOD.format(name="x") + GOOD.format(name="x").replace("def add", "def other"),
            r"operations/twice\.py: operation 'team\.x' v1 is declared twice",
        ),
    ],
)
def test_what_cannot_be_served_says_where_and_what_to_do(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text.replace("from __future__ import annotations", "", 2))
    with pytest.raises(OperationsRefused, match=message):
        load_operations(tmp_path)


def test_contract_of_two_files_names_both(tmp_path: Path) -> None:
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text(GOOD.format(name="same"))
    with pytest.raises(OperationsRefused, match=r"two\.py: team\.same v1 .* operations/one\.py"):
        load_operations(tmp_path)
