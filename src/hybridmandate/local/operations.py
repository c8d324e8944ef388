"""The operations of the shipped services, put together for one solution."""

from __future__ import annotations

from pathlib import Path

from hybridmandate.contracts import Operation
from hybridmandate.contracts.declaration import declared_operation
from hybridmandate.execution.services.files import operations as files
from hybridmandate.execution.services.spreadsheets import ProfileLibrary, spreadsheet_operations


def shipped_operations(profiles: Path | None) -> list[Operation]:
    """All operations that the product ships; ``profiles`` is the solution's folder of profiles.

    :raises ProfileError: when a profile cannot be used.
    """
    library = ProfileLibrary([]) if profiles is None else ProfileLibrary.from_folder(profiles)
    found = [declared_operation(each) for each in vars(files).values()]
    return [*(each for each in found if each is not None), *spreadsheet_operations(library)]
