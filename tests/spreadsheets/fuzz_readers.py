"""Coverage-guided fuzzing of the readers, from the corpus as seeds (atheris; Linux).

By hand, as long as one likes; what it finds is kept in `fuzz_cases/`:

    python tests/spreadsheets/fuzz_readers.py -max_total_time=600 FOLDER_FOR_NEW_INPUTS

Any exception but a typed refusal is a finding. The suite runs it for a few seconds.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["hybridmandate.execution.services.spreadsheets"], enable_loader_override=False
):
    from hybridmandate.execution.services.spreadsheets import Unreadable, inspect_file

HERE = Path(__file__).parent


def read_one(content: bytes) -> None:
    """Read any bytes: a table whose rows have lines, or a typed refusal."""
    try:
        table = inspect_file(content)
    except Unreadable:
        return
    assert len(table.lines) == len(table.rows)
    assert list(table.lines) == sorted(table.lines)
    assert all(len(row) == len(table.header) for row in table.rows)


def main() -> None:
    """Fuzz with the corpus and the kept cases as seeds."""
    seeds = [str(HERE / "corpus"), str(HERE / "fuzz_cases")]
    atheris.Setup([*sys.argv, *seeds], read_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
