"""The operations of the shipped services, put together for one solution."""

from __future__ import annotations

from pathlib import Path

from hybridmandate.contracts import Operation
from hybridmandate.execution.services.files.operations import MAX_SIZE, file_operations
from hybridmandate.execution.services.spreadsheets import ProfileLibrary, spreadsheet_operations


def shipped_operations(profiles: Path | None, max_file_size: str = MAX_SIZE) -> list[Operation]:
    """All operations that the product ships.

    ``profiles`` is the solution's folder of profiles, ``max_file_size`` its ``[files] max_size``:
    the largest file that ``files.store`` takes.

    :raises ProfileError: when a profile cannot be used.
    """
    library = ProfileLibrary([]) if profiles is None else ProfileLibrary.from_folder(profiles)
    return [*file_operations(max_file_size), *spreadsheet_operations(library)]
